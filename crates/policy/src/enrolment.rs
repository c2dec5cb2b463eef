//! Keys: which one a certificate is of, and what that says of its holder.

use portcullis_identity::{Authorisation, Identity, OrganizationIdentifier, Roles, SubjectAltName};
use portcullis_keys::{IdentityDigest, KeyId, KeyIdentity, KeyState};

use crate::authority::resolve_authority;
use crate::{Ledger, Profile};

/// How keys are made in a trust domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRules {
    /// What of a certificate is the identity.
    pub source: KeySource,
    /// What follows from an identity that has no key.
    pub enrolment: Enrolment,
}

/// What of a certificate is an identity that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// The organizationIdentifier; of an authorisation number, authority and number.
    Organization,
    /// The subject's name.
    Subject,
    /// The names of subjectAltName.
    AltName,
    /// The public key.
    PublicKey,
    /// The certificate: its renewal is another identity.
    Certificate,
}

/// What follows from an identity that has no key. Ordered from lax to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Enrolment {
    /// It passes, and a key is made.
    Auto,
    /// A key is made, which waits for an operator.
    Approve,
    /// It does not pass.
    Closed,
}

/// What is known of the key of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyCheck {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// The certificate says nothing of the kind that keys are made from.
    NoIdentity,
    /// There is none.
    NotEnrolled {
        /// What follows.
        enrolment: Enrolment,
        /// Whether there is room for no more.
        is_full: bool,
    },
    /// There is one.
    Enrolled {
        /// What it is called.
        id: KeyId,
        /// Whether its holder may pass.
        state: KeyState,
        /// The roles that its holder may use at most.
        roles: Option<Roles>,
    },
}

impl KeyCheck {
    /// What the key is called, if there is one.
    pub const fn key_id(self) -> Option<KeyId> {
        match self {
            Self::Enrolled { id, .. } => Some(id),
            _ => None,
        }
    }
}

impl KeyRules {
    /// The rules of a profile unless something else is configured: providers are known by their authorisation.
    pub const fn of(profile: Profile, enrolment: Enrolment) -> Self {
        let source = match profile {
            Profile::X509 => KeySource::Subject,
            Profile::Obie | Profile::Psd2 => KeySource::Organization,
        };
        Self { source, enrolment }
    }

    /// Whose key a certificate is of; `None` if it does not say.
    ///
    /// The profile is part of it: who is believed for one kind of certificate must not speak for holders of another.
    pub fn identity_of(self, profile: Profile, identity: &Identity) -> Option<KeyIdentity> {
        let profile = profile.as_str();
        let text = match self.source {
            KeySource::Organization => {
                format!("{profile}:{}", organization(identity.subject.organization_identifier.as_deref()?))
            }
            KeySource::Subject => {
                let name = &identity.subject.distinguished_name;
                (!name.is_empty()).then(|| format!("{profile}:subject:{name}"))?
            }
            KeySource::AltName => {
                format!("{profile}:san:{}", alt_names(identity.subject_alt_name.as_ref()?)?)
            }
            KeySource::PublicKey => format!("{profile}:spki:{}", identity.spki_sha256),
            KeySource::Certificate => format!("{profile}:certificate:{}", identity.thumbprint),
        };
        Some(KeyIdentity::new(text))
    }

    /// What `ledger` says of the key of an identity.
    pub fn check(self, ledger: &Ledger, identity: Option<IdentityDigest>) -> KeyCheck {
        let Some(identity) = identity else { return KeyCheck::NoIdentity };
        match ledger.keys.get(&identity) {
            Some(key) => KeyCheck::Enrolled { id: key.id, state: key.state, roles: key.roles },
            None => KeyCheck::NotEnrolled { enrolment: self.enrolment, is_full: ledger.keys.is_full() },
        }
    }
}

/// An organizationIdentifier as all its spellings are written: authorities have several.
fn organization(identifier: &str) -> String {
    match OrganizationIdentifier::parse(identifier) {
        Ok(OrganizationIdentifier::Psd(Authorisation { country, nca, number })) => {
            let (country, nca) = resolve_authority(country, nca).unwrap_or((country, nca));
            format!("PSD{country}-{nca}-{number}")
        }
        _ => identifier.to_owned(),
    }
}

/// The names with their kinds, in an order of their own: issuers do not keep any. `None` without a name that is read.
fn alt_names(names: &SubjectAltName) -> Option<String> {
    let of = |kind: &str, name: &dyn std::fmt::Display| format!("{kind}:{name}");
    let dns = names.dns.iter().map(|name| of("dns", &name.to_ascii_lowercase()));
    let ip = names.ip.iter().map(|name| of("ip", name));
    let email = names.email.iter().map(|name| of("email", name));
    let uri = names.uri.iter().map(|name| of("uri", name));
    let mut all: Vec<String> = dns.chain(ip).chain(email).chain(uri).collect();
    all.sort_unstable();
    all.dedup();
    (!all.is_empty()).then(|| all.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_provider_has_one_identity_however_its_authority_is_spelt() {
        assert_eq!(organization("PSDES-BDE-3DFD21"), organization("PSDES-BE-3DFD21"));
        assert_eq!(organization("PSDES-BE-3DFD21"), "PSDES-BE-3DFD21");
        assert_ne!(organization("PSDIE-CBI-1"), organization("PSDCY-CBC-1"), "a number alone is not unique");
        assert_ne!(
            organization("PSDES-BE-3dfd21"),
            organization("PSDES-BE-3DFD21"),
            "numbers are not ours to fold"
        );
        for other in ["VATDE-123456789", "EI:SE-5567971433", "PSDES-BE", "anything"] {
            assert_eq!(organization(other), other);
        }
    }

    #[test]
    fn alternative_names_are_a_set() {
        let names = |dns: &[&str], uri: &[&str]| {
            let mut names = SubjectAltName::default();
            names.dns = dns.iter().map(|name| (*name).to_owned()).collect();
            names.uri = uri.iter().map(|name| (*name).to_owned()).collect();
            alt_names(&names)
        };
        assert_eq!(
            names(&["B.example", "a.example"], &["urn:x"]),
            names(&["a.example", "b.example"], &["urn:x"])
        );
        assert_eq!(names(&["a.example"], &["urn:x"]).as_deref(), Some("dns:a.example,uri:urn:x"));
        assert_ne!(names(&["a.example"], &[]), names(&["a.example", "b.example"], &[]));
        assert_eq!(names(&[], &[]), None);
    }
}
