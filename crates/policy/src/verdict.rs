//! The verdict on a peer, and the grant of a route.

use portcullis_identity::{Identity, IdentityError, Roles};
use portcullis_trust::{EkuRule, PathError, TrustedPath};

use crate::{
    Assessment, ContentRule, Denial, KeyCheck, Mode, Profile, Purpose, Registration, RevocationCheck, Route,
    Rule, Severities, Severity, TrustDomain, examine,
};

/// What was decided about a peer.
#[derive(Debug)]
pub enum Verdict {
    /// It may pass; its routes are judged one by one.
    Admitted(Permit),
    /// It may not.
    Refused {
        /// Why.
        denial: Denial,
        /// Who was refused and what was found, where the certificate could be read: for records and explanations,
        /// never for passage.
        assessment: Option<Box<Assessment>>,
    },
}

/// The proof that a peer was judged and admitted. Only [`decide`] and [`admit_anonymous`] make one.
#[derive(Debug)]
pub struct Permit {
    assessment: Option<Box<Assessment>>,
}

/// The proof that a permit met a route that it may enter. Only [`authorise`] makes one.
#[derive(Debug)]
pub struct Grant<'a> {
    permit: &'a Permit,
}

impl Permit {
    /// Who passed; `None` for a peer of whom no certificate was needed.
    pub fn identity(&self) -> Option<&Identity> {
        self.assessment().map(|assessment| &assessment.identity)
    }

    /// What was found out about who passed.
    pub fn assessment(&self) -> Option<&Assessment> {
        self.assessment.as_deref()
    }

    /// The roles it may use; none for an anonymous peer.
    pub fn roles(&self) -> Roles {
        self.assessment().map(|assessment| assessment.roles).unwrap_or_default()
    }
}

impl Grant<'_> {
    /// Whose request it is.
    pub fn permit(&self) -> &Permit {
        self.permit
    }
}

/// By what a certificate is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// What it must be.
    pub profile: Profile,
    /// What it is used for.
    pub purpose: Purpose,
    /// Which extended key usages serve on a TLS connection.
    pub extended_key_usage: EkuRule,
    /// How grave it is to break a rule.
    pub severities: Severities,
}

impl Rules {
    /// The rules for TLS clients under `profile`, with their default severities.
    pub fn of(profile: Profile) -> Self {
        Self {
            profile,
            purpose: Purpose::Qwac,
            extended_key_usage: EkuRule::ClientAuth,
            severities: Severities::defaults(profile),
        }
    }

    /// Whether a certificate that breaks `rule` is refused here.
    pub(crate) fn denies(&self, rule: Rule) -> bool {
        self.asks(rule) && self.severities.of(rule) == Severity::Deny
    }

    /// Whether a certificate can break `rule` here: under [`Profile::X509`] nothing is asked of a qualified certificate,
    /// and a seal is asked for other things than a certificate on a connection. Another severity for a rule that is not
    /// asked changes nothing.
    pub fn asks(&self, rule: Rule) -> bool {
        let Rule::Content(rule) = rule else { return true };
        (self.profile != Profile::X509 || !is_about_qualified(rule))
            && match self.purpose {
                Purpose::Qwac => rule != ContentRule::QcTypeWeb,
                Purpose::Qsealc => !is_about_connections(rule),
            }
    }
}

/// What was found out about a certificate at the time of asking.
#[derive(Debug)]
pub struct Evidence {
    /// The path to a trust anchor, or why there is none. `None` judges the certificate alone; only a tool may ask so.
    pub path: Option<Result<TrustedPath, PathError>>,
    /// What is known of its revocation.
    pub revocation: RevocationCheck,
    /// What the authority's register says of the holder.
    pub registration: Registration,
    /// Whether that decides; otherwise it is only told.
    pub is_register_enforced: bool,
    /// What is known of the holder's key.
    pub key: KeyCheck,
    /// The present, in seconds of Unix time.
    pub now: i64,
}

impl Evidence {
    /// A certificate of which nothing is known, at a time in Unix seconds.
    pub const fn none(now: i64) -> Self {
        Self {
            path: None,
            revocation: RevocationCheck::NotAsked,
            registration: Registration::NotAsked,
            is_register_enforced: true,
            key: KeyCheck::NotAsked,
            now,
        }
    }
}

/// Judges a certificate whose key the peer has proved to hold. A path that does not hold decides before anything that
/// the certificate claims.
pub fn decide(rules: &Rules, identity: Result<Identity, IdentityError>, evidence: Evidence) -> Verdict {
    match (identity, evidence) {
        (Err(_), Evidence { path: Some(Err(error)), .. }) => {
            Verdict::Refused { denial: Denial::Path(error), assessment: None }
        }
        (Err(error), _) => Verdict::Refused { denial: Denial::Unreadable(error), assessment: None },
        (Ok(identity), evidence) => {
            let assessment = Box::new(examine(rules, identity, evidence));
            match Denial::of(&assessment) {
                None => Verdict::Admitted(Permit { assessment: Some(assessment) }),
                Some(denial) => Verdict::Refused { denial, assessment: Some(assessment) },
            }
        }
    }
}

/// The permit of a peer that presented no certificate, where `domain` needs none; `None` where it needs one.
pub fn admit_anonymous(domain: &TrustDomain) -> Option<Permit> {
    match domain.client_auth.mode {
        Mode::Required => None,
        Mode::Optional | Mode::Off => Some(Permit { assessment: None }),
    }
}

/// May the holder of `permit` enter `route`?
///
/// # Errors
/// [`Denial::RoleMissing`], naming what is needed and what is there.
pub fn authorise<'a>(permit: &'a Permit, route: &Route) -> Result<Grant<'a>, Denial> {
    let (required, presented) = (route.roles(), permit.roles());
    if required.is_empty() || required.intersects(presented) {
        Ok(Grant { permit })
    } else {
        Err(Denial::RoleMissing { required, presented })
    }
}

/// The rules that [`examine`] asks of qualified certificates and of those with a PSD2 statement only.
const fn is_about_qualified(rule: ContentRule) -> bool {
    use ContentRule as Rule;
    !matches!(
        rule,
        Rule::CertificateAuthority
            | Rule::Expired
            | Rule::NotYetValid
            | Rule::CriticalExtension
            | Rule::KeyWeak
            | Rule::KeyUnsupported
            | Rule::SignatureWeak
            | Rule::KeyUsageMissing
            | Rule::KeyUsageSignature
            | Rule::KeyUsageCertSign
            | Rule::KeyUsageKeyType
            | Rule::ExtendedKeyUsageMissing
            | Rule::TlsBinding
            | Rule::ExtendedKeyUsageUnusable
            | Rule::ServerAuthMissing
            | Rule::RevocationSourceMissing
            | Rule::Revoked
            | Rule::RevocationUnknown
            | Rule::EnrolmentIdentity
            | Rule::EnrolmentClosed
            | Rule::EnrolmentFull
            | Rule::EnrolmentPending
            | Rule::EnrolmentSuspended
    )
}

/// The rules that [`examine`] asks of certificates on connections only.
const fn is_about_connections(rule: ContentRule) -> bool {
    use ContentRule as Rule;
    matches!(
        rule,
        Rule::ExtendedKeyUsageMissing
            | Rule::TlsBinding
            | Rule::ExtendedKeyUsageUnusable
            | Rule::ServerAuthMissing
            | Rule::AltNameMissing
            | Rule::QcTypeSeal
            | Rule::QcSscd
    )
}
