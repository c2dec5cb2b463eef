//! Trust domains: who is believed under one server name, and how strictly.

use std::{cmp::Ordering, sync::Arc};

use portcullis_trust::{Anchors, EkuRule};

use crate::rule::Rule;
use crate::verdict::Rules;
use crate::{Enrolment, KeyRules, RegisterRules, RevocationRules};

/// Whether a client certificate is asked for. Ordered from lax to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// None is asked for.
    Off,
    /// Asked for; a peer without one passes as nobody, a peer with a bad one does not pass.
    Optional,
    /// No certificate, no passage.
    Required,
}

/// What a certificate must be beyond a path to an anchor. Ordered from lax to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// Any certificate with a path.
    X509,
    /// A PSD2 certificate of Open Banking in the United Kingdom (OBWAC, OBSeal): not qualified in the EU.
    Obie,
    /// A PSD2 certificate that is qualified in the EU: a QWAC on connections, a `QSealC` on messages.
    Psd2,
}

/// What a certificate is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To prove who is on a TLS connection.
    Qwac,
    /// To seal a message.
    Qsealc,
}

impl Profile {
    /// The name in configuration, metrics and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X509 => "x509",
            Self::Obie => "obie",
            Self::Psd2 => "psd2",
        }
    }
}

/// How a peer learns that its profile was refused. A bad path is always refused in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusals {
    /// By an alert.
    Handshake,
    /// The handshake finishes; every request is answered 403 with the reason.
    Http,
}

/// The rules by which the clients of a trust domain are judged.
#[derive(Debug, Clone)]
pub struct ClientAuth {
    /// Whether a certificate is needed.
    pub mode: Mode,
    /// By what it is judged.
    pub rules: Rules,
    /// How a refusal is told.
    pub refusals: Refusals,
    /// Whom to believe. Shared by all shards and never written.
    pub anchors: Arc<Anchors>,
    /// Those of them for whom the operator answers.
    pub by_hand: Arc<Anchors>,
    /// What trusted lists are for.
    pub lists: Lists,
    /// Whom trusted lists would have us believe, where they are only observed.
    pub observed: Option<Arc<Anchors>>,
    /// How it is asked about revocation; `None` where nobody asks.
    pub revocation: Option<RevocationRules>,
    /// How the authority's register is asked; `None` where it is not.
    pub register: Option<RegisterRules>,
    /// How its clients have keys; `None` where they have none.
    pub keys: Option<KeyRules>,
}

/// What trusted lists are for in a trust domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// Nothing.
    Ignored,
    /// It is told whom they would refuse.
    Observed,
    /// Whom they name is believed.
    Enforced,
}

impl PartialEq for ClientAuth {
    fn eq(&self, other: &Self) -> bool {
        fn are_same(one: &Arc<Anchors>, other: &Arc<Anchors>) -> bool {
            Arc::ptr_eq(one, other) || one == other
        }
        let are_observed_same = match (&self.observed, &other.observed) {
            (Some(one), Some(other)) => are_same(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        (self.mode, self.rules, self.refusals, self.lists)
            == (other.mode, other.rules, other.refusals, other.lists)
            && (&self.revocation, self.register, self.keys) == (&other.revocation, other.register, other.keys)
            && are_same(&self.anchors, &other.anchors)
            && are_observed_same
    }
}

impl ClientAuth {
    /// Rules that believe only those for whom the operator answers, until [lists](Self::believe) are there.
    pub fn new(mode: Mode, rules: Rules, refusals: Refusals, by_hand: Arc<Anchors>, lists: Lists) -> Self {
        let anchors = Arc::clone(&by_hand);
        Self {
            mode,
            rules,
            refusals,
            anchors,
            by_hand,
            lists,
            observed: None,
            revocation: None,
            register: None,
            keys: None,
        }
    }

    /// Takes trusted lists up. `both` makes one set of anchors of those by hand and those listed, in this order.
    pub fn believe(
        &mut self,
        listed: Option<&Arc<Anchors>>,
        mut both: impl FnMut(&Arc<Anchors>, &Arc<Anchors>) -> Arc<Anchors>,
    ) {
        self.anchors = Arc::clone(&self.by_hand);
        self.observed = None;
        match (self.lists, listed) {
            (Lists::Ignored, _) | (_, None) => {}
            (Lists::Observed, Some(listed)) => self.observed = Some(Arc::clone(listed)),
            (Lists::Enforced, Some(listed)) => self.anchors = both(&self.by_hand, listed),
        }
    }

    /// Whether a client of whose revocation nothing is known yet is held for a moment.
    pub fn waits_for_status(&self) -> bool {
        self.revocation.as_ref().is_some_and(|revocation| !revocation.wait.is_zero())
    }

    /// Whether this asks less of a client than `other` does in any respect that can be ordered: mode, profile,
    /// extended key usage, revocation, register, keys, and the rules that deny. Which anchors are believed is a matter of kind, not of degree.
    pub fn is_laxer_than(&self, other: &Self) -> bool {
        let usage = |rules: &Rules| match rules.extended_key_usage {
            EkuRule::ClientAuth => 2,
            EkuRule::AnyTls => 1,
            _ => 0,
        };
        match self.mode.cmp(&other.mode) {
            Ordering::Less => true,
            _ if other.mode == Mode::Off => false,
            _ => {
                let is_decided = |auth: &Self| auth.register.is_some_and(|register| register.is_enforced);
                // Without keys everybody passes, as where they are made for whoever comes.
                let enrolment = |auth: &Self| auth.keys.map_or(Enrolment::Auto, |keys| keys.enrolment);
                let does_not_ask = self.revocation.is_none() && other.revocation.is_some()
                    || !is_decided(self) && is_decided(other)
                    || self.keys.is_none() && other.keys.is_some()
                    || enrolment(self) < enrolment(other);
                let (own, other) = (&self.rules, &other.rules);
                own.profile < other.profile
                    || does_not_ask
                    || usage(own) < usage(other)
                    || Rule::all().any(|rule| other.denies(rule) && !own.denies(rule))
            }
        }
    }
}

/// A name under which a trust domain is reached: a DNS name in lower case, one with a wildcard as its whole first
/// label, or an address literal (no SNI carries one, but `Host` does).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostName {
    /// `api.bank.example` or `192.0.2.1`.
    Exact(String),
    /// What follows `*`, dot included: `.bank.example`.
    Wildcard(String),
}

impl HostName {
    /// Reads a configured name or one of a certificate's subjectAltName. Case does not matter.
    pub fn new(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        match name.strip_prefix('*') {
            Some(rest) if rest.starts_with('.') => Self::Wildcard(rest.to_owned()),
            _ => Self::Exact(name),
        }
    }

    /// Whether `host` (lower case, no port) is this name. A wildcard stands for exactly one label.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Wildcard(suffix) => host
                .strip_suffix(suffix.as_str())
                .is_some_and(|label| !label.is_empty() && !label.contains('.')),
        }
    }
}

/// What one server name of one listener asks of its clients.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustDomain {
    /// Listener and first server name, as `listener/name`: stable across reloads, used in records.
    pub name: String,
    /// The names that belong to it.
    pub hosts: Vec<HostName>,
    /// The rules.
    pub client_auth: ClientAuth,
}

impl TrustDomain {
    /// Whether a request for `host` (lower case, no port) belongs here.
    pub fn serves(&self, host: &str) -> bool {
        self.hosts.iter().any(|name| name.matches(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AccountServicing;
    use crate::rule::ContentRule;
    use crate::severity::Severity;

    fn auth(mode: Mode, profile: Profile, extended_key_usage: EkuRule) -> ClientAuth {
        let rules = Rules { extended_key_usage, ..Rules::of(profile) };
        ClientAuth::new(mode, rules, Refusals::Handshake, Arc::default(), Lists::Ignored)
    }

    #[test]
    fn laxity_is_judged_in_each_respect() {
        let strict = auth(Mode::Required, Profile::Psd2, EkuRule::ClientAuth);
        for lax in [
            auth(Mode::Optional, Profile::Psd2, EkuRule::ClientAuth),
            auth(Mode::Off, Profile::Psd2, EkuRule::ClientAuth),
            auth(Mode::Required, Profile::X509, EkuRule::ClientAuth),
            auth(Mode::Required, Profile::Psd2, EkuRule::AnyTls),
        ] {
            assert!(lax.is_laxer_than(&strict));
        }
        assert!(!strict.is_laxer_than(&strict));
        assert!(auth(Mode::Required, Profile::X509, EkuRule::Any).is_laxer_than(&auth(
            Mode::Required,
            Profile::X509,
            EkuRule::AnyTls
        )));
        assert!(!strict.is_laxer_than(&auth(Mode::Off, Profile::X509, EkuRule::AnyTls)));
        let asking = ClientAuth { revocation: Some(RevocationRules::default()), ..strict.clone() };
        assert!(strict.is_laxer_than(&asking) && !asking.is_laxer_than(&strict));
        let register = RegisterRules {
            is_enforced: true,
            country: None,
            account_servicing: AccountServicing::Certificate,
        };
        let enforcing = ClientAuth { register: Some(register), ..strict.clone() };
        let observing =
            ClientAuth { register: Some(RegisterRules { is_enforced: false, ..register }), ..strict.clone() };
        assert!(strict.is_laxer_than(&enforcing) && observing.is_laxer_than(&enforcing));
        assert!(!enforcing.is_laxer_than(&strict) && !strict.is_laxer_than(&observing));
        // Nothing is asked where the mode is off, so there is nothing to fall short of.
        let off = auth(Mode::Off, Profile::X509, EkuRule::AnyTls);
        assert!(!off.is_laxer_than(&auth(Mode::Off, Profile::Psd2, EkuRule::ClientAuth)));
    }

    #[test]
    fn a_stricter_profile_is_laxer_by_the_rules_that_do_not_deny() {
        let (mut psd2, mut obie) = (
            auth(Mode::Required, Profile::Psd2, EkuRule::ClientAuth),
            auth(Mode::Required, Profile::Obie, EkuRule::ClientAuth),
        );
        assert!(!psd2.is_laxer_than(&obie) && obie.is_laxer_than(&psd2));
        psd2.rules.severities.set(ContentRule::Psd2Missing.into(), Severity::Warn);
        assert!(psd2.is_laxer_than(&obie));
        obie.rules.severities.set(ContentRule::Psd2Missing.into(), Severity::Note);
        assert!(!psd2.is_laxer_than(&obie));
        // What is not asked is not fallen short of.
        let mut x509 = auth(Mode::Required, Profile::X509, EkuRule::ClientAuth);
        x509.rules.severities.set(ContentRule::Psd2Missing.into(), Severity::Deny);
        assert!(!psd2.is_laxer_than(&x509));
    }

    #[test]
    fn a_wildcard_is_one_label() {
        let name = HostName::new("*.Bank.example");
        assert!(name.matches("api.bank.example"));
        assert!(!name.matches("bank.example"));
        assert!(!name.matches(".bank.example"));
        assert!(!name.matches("a.b.bank.example"));
        assert!(!name.matches("apibank.example"));
        assert!(HostName::new("Api.Bank.Example").matches("api.bank.example"));
    }
}
