//! What trusted lists say of the CA that issued a certificate, when it issued it and now (TS 119 615 clause 4.4).

use std::sync::Arc;

use portcullis_identity::{Identity, TbsCertificate, Validity};
use rustls_pki_types::CertificateDer;

use crate::eku::EkuRule;
use crate::list::{Qualifiers, Service, ServiceState, ServiceStatus, TrustedList};
use crate::path::Objection;

/// A service with the list that it is from.
#[derive(Debug, PartialEq, Eq)]
pub struct ListedService {
    /// The service.
    pub service: Service,
    /// Whose list it is, such as `ES`.
    pub territory: String,
    /// The list's sequence number.
    pub sequence: u64,
    /// Until when the list serves, in Unix seconds; `None` for one that is closed, whose word is the last.
    pub serves_until: Option<i64>,
}

impl ListedService {
    /// The services of a list, which serves for `max_staleness` seconds beyond its next update.
    pub fn all_of(list: TrustedList, max_staleness: i64) -> Vec<Arc<Self>> {
        let serves_until = list.next_update.map(|next_update| next_update.saturating_add(max_staleness));
        let TrustedList { territory, sequence, services, .. } = list;
        let listed =
            |service| Arc::new(Self { service, territory: territory.clone(), sequence, serves_until });
        services.into_iter().map(listed).collect()
    }
}

/// What a certificate is used for, as lists tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Web authentication: on TLS connections.
    Web,
    /// Seals: on messages.
    Seal,
}

impl From<EkuRule> for Usage {
    fn from(rule: EkuRule) -> Self {
        match rule {
            EkuRule::ClientAuth | EkuRule::AnyTls => Self::Web,
            EkuRule::Any => Self::Seal,
        }
    }
}

/// What a list says of a certificate that it knows better than the certificate itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrules {
    /// It is qualified, whatever its `QcCompliance` says.
    pub qualified: bool,
    /// It is for the usage that was asked about, whatever its `QcType` says.
    pub usage: bool,
}

/// Why the issuer of a certificate is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Whose list says it, such as `ES`.
    pub territory: String,
    /// The provider.
    pub provider: String,
    /// The service.
    pub service: String,
    /// Since when it is granted, in Unix seconds.
    pub granted_since: i64,
    /// Until when the list serves, in Unix seconds.
    pub serves_until: Option<i64>,
    /// What the list knows better.
    pub overrules: Overrules,
}

/// A question to the lists.
pub(crate) struct Question<'a> {
    pub(crate) leaf: &'a CertificateDer<'a>,
    pub(crate) usage: Usage,
    pub(crate) now: i64,
}

/// How far a service gets, the worst first: of several objections the last is the one to tell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Stale,
    NeverGranted,
    NotAtIssuance,
    Withdrawn,
    Usage,
    Qualification,
}

impl Question<'_> {
    /// What the services of one CA say. A service that is granted outweighs one that is not, since a key may have been
    /// listed twice; that its certificate is not qualified outweighs all, since two lists that disagree prove nothing.
    pub(crate) fn ask(&self, services: &[Arc<ListedService>]) -> Result<Listing, Objection> {
        let mut worst: Option<(Stage, Objection)> = None;
        let mut best: Option<Listing> = None;
        for service in services {
            match self.ask_one(service) {
                Ok(listing) => match &mut best {
                    // Only what all say overrules the certificate.
                    Some(best) => {
                        best.overrules.qualified &= listing.overrules.qualified;
                        best.overrules.usage &= listing.overrules.usage;
                    }
                    None => best = Some(listing),
                },
                Err((stage, objection)) => {
                    if worst.as_ref().is_none_or(|(worse, _)| *worse < stage) {
                        worst = Some((stage, objection));
                    }
                }
            }
        }
        match (best, worst) {
            (_, Some((Stage::Qualification, objection))) => Err(objection),
            (Some(listing), _) => Ok(listing),
            (None, Some((_, objection))) => Err(objection),
            (None, None) => {
                Err(Objection { code: "trust.unlisted", message: "no service is listed".to_owned() })
            }
        }
    }

    fn ask_one(&self, listed: &ListedService) -> Result<Listing, (Stage, Objection)> {
        let name = || {
            format!(
                "{} of {}, in the list of {}",
                listed.service.name, listed.service.provider, listed.territory
            )
        };
        let object = |stage, code, message: String| Err((stage, Objection { code, message }));
        if let Some(until) = listed.serves_until.filter(|until| *until < self.now) {
            let message =
                format!("the trusted list of {} is out of date since {}", listed.territory, utc(until));
            return object(Stage::Stale, "trust.stale", message);
        }
        let Ok(Validity { not_before: issued, .. }) = Validity::of_certificate(self.leaf) else {
            return object(
                Stage::NeverGranted,
                "trust.unlisted",
                "the certificate's validity cannot be read".to_owned(),
            );
        };
        let good_at = |time| {
            listed.service.state_at(time).filter(|state| state.is_ca_qc && state.status.is_good_at(time))
        };
        let Some(present) = good_at(self.now) else {
            let state = listed.service.state_at(self.now);
            let withdrawn = state.filter(|state| state.status == ServiceStatus::Withdrawn);
            return match withdrawn {
                Some(state) => {
                    let message = format!("the issuer, {}, is withdrawn since {}", name(), utc(state.since));
                    object(Stage::Withdrawn, "trust.withdrawn", message)
                }
                None => object(
                    Stage::NeverGranted,
                    "trust.not-granted",
                    format!("the issuer, {}, is not granted", name()),
                ),
            };
        };
        let Some(then) = good_at(issued) else {
            let message = format!(
                "the issuer, {}, was not granted on {}, when it issued the certificate",
                name(),
                utc(issued)
            );
            return object(Stage::NotAtIssuance, "trust.not-granted-at-issuance", message);
        };
        let opinions = [self.opinion(present), self.opinion(then)];
        let mut overrules = Overrules { qualified: true, usage: true };
        for opinion in opinions {
            match opinion {
                Opinion::NotForUsage => {
                    let what = match self.usage {
                        Usage::Web => "for web authentication",
                        Usage::Seal => "for seals",
                    };
                    return object(
                        Stage::Usage,
                        "trust.usage",
                        format!("the issuer, {}, is not granted {what}", name()),
                    );
                }
                Opinion::NotQualified => {
                    let message = format!("certificates of this kind from {} are not qualified", name());
                    return object(Stage::Qualification, "trust.not-qualified", message);
                }
                Opinion::Conflict => {
                    let message =
                        format!("what is said of this certificate's issuer, {}, contradicts itself", name());
                    return object(Stage::Qualification, "trust.conflict", message);
                }
                Opinion::Good(opinion) => {
                    overrules.qualified &= opinion.qualified;
                    overrules.usage &= opinion.usage;
                }
            }
        }
        Ok(Listing {
            territory: listed.territory.clone(),
            provider: listed.service.provider.clone(),
            service: listed.service.name.clone(),
            granted_since: granted_since(&listed.service, self.now),
            serves_until: listed.serves_until,
            overrules,
        })
    }

    /// What one state of a service says of the certificate.
    fn opinion(&self, state: &ServiceState) -> Opinion {
        let said = self.said(state);
        if said.not_qualified {
            return if said.qualified { Opinion::Conflict } else { Opinion::NotQualified };
        }
        let types = [said.for_web, said.for_seals, said.for_signatures];
        if types.into_iter().filter(|is_said| *is_said).count() > 1 {
            return Opinion::Conflict;
        }
        let (is_for, overruled) = match self.usage {
            Usage::Web => (state.usages.web, said.for_web),
            Usage::Seal => (state.usages.seals, said.for_seals),
        };
        let is_overruled_otherwise = !overruled && types.contains(&true);
        // Before eIDAS there was no such information: nothing said is nothing denied then.
        let was_said_later = state.usages.is_empty() && state.status == ServiceStatus::Supervised;
        if is_overruled_otherwise || !(is_for || was_said_later || overruled && !state.usages.is_empty()) {
            return Opinion::NotForUsage;
        }
        Opinion::Good(Overrules { qualified: said.qualified, usage: overruled })
    }

    /// The qualifiers that apply. Where it cannot be told whether one does, it does if it takes something away, and does not
    /// if it gives something: doubt never helps.
    fn said(&self, state: &ServiceState) -> Qualifiers {
        let mut said = Qualifiers::default();
        if state.qualifications.is_empty() {
            return said;
        }
        let identity = Identity::from_der(self.leaf).ok();
        let subject = TbsCertificate::from_der(self.leaf).ok().map(|tbs| tbs.subject);
        for qualification in &state.qualifications {
            let applies = identity
                .as_ref()
                .zip(subject)
                .and_then(|(identity, subject)| qualification.applies(identity, subject));
            let (surely, perhaps) = (applies == Some(true), applies != Some(false));
            let qualifiers = &qualification.qualifiers;
            said.not_qualified |= qualifiers.not_qualified && perhaps;
            said.qualified |= qualifiers.qualified && surely;
            let (web, seals) = match self.usage {
                Usage::Web => (surely, perhaps),
                Usage::Seal => (perhaps, surely),
            };
            said.for_web |= qualifiers.for_web && web;
            said.for_seals |= qualifiers.for_seals && seals;
            said.for_signatures |= qualifiers.for_signatures && perhaps;
        }
        said
    }
}

enum Opinion {
    Good(Overrules),
    NotForUsage,
    NotQualified,
    Conflict,
}

/// Since when a service is granted without a break.
fn granted_since(service: &Service, now: i64) -> i64 {
    let past = service.states.iter().skip_while(|state| state.since > now);
    let granted = past.take_while(|state| state.is_ca_qc && state.status == ServiceStatus::Granted);
    granted.last().map_or(now, |state| state.since)
}

/// A day, for a person.
fn utc(unix_seconds: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(unix_seconds)
        .map_or_else(|_| format!("{unix_seconds} s of Unix time"), |time| time.date().to_string())
}
