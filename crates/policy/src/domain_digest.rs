//! What tells one trust domain from another, whatever is refreshed in it.

use crate::{HostName, Rule, TrustDomain};
use portcullis_identity::Thumbprint;

/// A digest of what was configured of a trust domain: by which name it is reached, who is believed, and by which rules.
///
/// What is looked up or refreshed is not in it: trusted lists, what is known of revocation, the register, keys. Nor is how the latter
/// are asked (who is exempt, for which country, who is enrolled), but for whether they decide, and what of a certificate is the identity of a
/// key: whoever remembers a verdict must look up what they say. Two nodes with one
/// configuration have the same digest, whenever they last fetched a list; a domain whose rules were changed has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DomainDigest([u8; 32]);

impl DomainDigest {
    /// The 32 octets.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Sets these digests apart from those of other programs and of other versions of what follows.
const CONTEXT: &str = "portcullis trust domain 2";

impl TrustDomain {
    /// Its digest.
    pub fn digest(&self) -> DomainDigest {
        let auth = &self.client_auth;
        let mut text = Encoded::default();
        text.text(CONTEXT);
        text.text(&self.name);
        text.list(&self.hosts, |text, host| match host {
            HostName::Exact(name) => text.text(name),
            HostName::Wildcard(suffix) => text.text(&format!("*{suffix}")),
        });
        text.number(auth.mode as u8);
        text.text(auth.rules.profile.as_str());
        text.number(auth.rules.purpose as u8);
        text.text(&format!("{:?}", auth.rules.extended_key_usage));
        text.list(&Rule::all().collect::<Vec<_>>(), |text, rule| {
            text.number(auth.rules.severities.of(*rule) as u8);
        });
        text.number(auth.refusals as u8);
        text.list(&auth.by_hand.iter().collect::<Vec<_>>(), |text, anchor| {
            text.bytes(anchor.thumbprint.as_bytes());
        });
        text.number(auth.lists as u8);
        text.number(u8::from(auth.revocation.is_some()));
        text.number(match auth.register {
            None => 0,
            Some(register) if !register.is_enforced => 1,
            Some(_) => 2,
        });
        text.number(auth.keys.map_or(0, |keys| 1 + keys.source as u8));
        DomainDigest(*Thumbprint::of(&text.0).as_bytes())
    }
}

/// Parts one after the other, each with its length, so that no two sequences of parts look alike.
#[derive(Default)]
struct Encoded(Vec<u8>);

impl Encoded {
    fn number(&mut self, number: u8) {
        self.0.push(number);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn list<T>(&mut self, items: &[T], mut encode: impl FnMut(&mut Self, &T)) {
        self.0.extend_from_slice(&(items.len() as u64).to_be_bytes());
        for item in items {
            encode(self, item);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use portcullis_trust::EkuRule;

    use super::*;
    use crate::{
        ClientAuth, ContentRule, Lists, Mode, Profile, Purpose, Refusals, RegisterRules, RevocationRules,
        Rules, Severity,
    };

    fn domain() -> TrustDomain {
        TrustDomain {
            name: "public/api.bank.example".to_owned(),
            hosts: vec![HostName::new("api.bank.example")],
            client_auth: ClientAuth::new(
                Mode::Required,
                Rules::of(Profile::Psd2),
                Refusals::Handshake,
                Arc::default(),
                Lists::Enforced,
            ),
        }
    }

    fn with(change: impl Fn(&mut TrustDomain)) -> TrustDomain {
        let mut domain = domain();
        change(&mut domain);
        domain
    }

    #[test]
    fn whatever_is_configured_tells_domains_apart() {
        let register = RegisterRules {
            is_enforced: true,
            country: None,
            account_servicing: crate::AccountServicing::Certificate,
        };
        let domains = [
            domain(),
            with(|domain| domain.name = "public/other".to_owned()),
            with(|domain| domain.hosts.push(HostName::new("other.bank.example"))),
            with(|domain| domain.hosts[0] = HostName::new("*.bank.example")),
            with(|domain| domain.client_auth.mode = Mode::Optional),
            with(|domain| domain.client_auth.rules.profile = Profile::Obie),
            with(|domain| domain.client_auth.rules.purpose = Purpose::Qsealc),
            with(|domain| domain.client_auth.rules.extended_key_usage = EkuRule::AnyTls),
            with(|domain| {
                let severities = &mut domain.client_auth.rules.severities;
                severities.set(ContentRule::Psd2Missing.into(), Severity::Warn);
            }),
            with(|domain| domain.client_auth.refusals = Refusals::Http),
            with(|domain| domain.client_auth.lists = Lists::Observed),
            with(|domain| domain.client_auth.revocation = Some(RevocationRules::default())),
            with(|domain| domain.client_auth.register = Some(register)),
            with(|domain| {
                domain.client_auth.register = Some(RegisterRules { is_enforced: false, ..register });
            }),
        ];
        let digests: HashSet<_> = domains.iter().map(TrustDomain::digest).collect();
        assert_eq!(digests.len(), domains.len());
    }

    #[test]
    fn what_is_refreshed_does_not() {
        let refreshed = with(|domain| domain.client_auth.anchors = Arc::default());
        assert_eq!(refreshed.digest(), domain().digest());
    }
}
