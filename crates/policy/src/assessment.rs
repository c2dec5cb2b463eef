//! A certificate with everything that was found out about it.

use portcullis_identity::{Identity, Roles};
use portcullis_keys::KeyId;
use portcullis_trust::{KnownStatus, Listing, PathError, TrustedPath};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::finding::Finding;
use crate::severity::Severity;
use crate::time::rfc3339;
use crate::{KeyCheck, Registration, RevocationCheck, Rules};

/// What a certificate says, which rules it breaks, and whether it may pass: what `portcullis inspect` prints, what a
/// refused client is told, and what a route may answer. The JSON is public interface; `docs/inspect.schema.json`
/// describes it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Assessment {
    /// What the certificate says.
    pub identity: Identity,
    /// The rules that it breaks; those that deny come first, then those that warn, each in the order of the rules.
    pub findings: Vec<Finding>,
    /// The roles that its holder may use: those of the certificate, less what the authority's register or the holder's key does not
    /// grant.
    pub roles: Roles,
    /// The path to a trust anchor, or why there is none; `None` if no anchors were asked about.
    pub path: Option<Result<TrustedPath, PathError>>,
    /// What is known of its revocation.
    pub revocation: RevocationCheck,
    /// What the authority's register says of its holder.
    pub registration: Registration,
    /// What is known of the holder's key.
    pub key: KeyCheck,
}

impl Assessment {
    /// Whether the certificate passes, by its rules and, if that was judged, by its path.
    pub fn is_admitted(&self) -> bool {
        !matches!(self.path, Some(Err(_))) && self.denials().next().is_none()
    }

    /// What the trusted list says of its issuer, where one names it.
    pub fn listing(&self) -> Option<&Listing> {
        self.path.as_ref()?.as_ref().ok()?.listing()
    }

    /// The findings that refuse it.
    pub fn denials(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Deny)
    }

    /// Whether its path and its certificate pass, whatever is said of its holder's key: who comes like that is known by a key, or is
    /// to be.
    pub fn is_enrolable(&self) -> bool {
        matches!(self.path, Some(Ok(_))) && self.denials().all(|finding| finding.rule.is_about_enrolment())
    }

    /// What would refuse it under `rules` if what the register says decided, and does not as it is only observed.
    pub fn observed_denial(&self, rules: &Rules) -> Option<&Finding> {
        let is_observed =
            |found: &&Finding| found.severity < Severity::Deny && found.rule.is_about_register();
        self.findings.iter().filter(is_observed).find(|found| rules.denies(found.rule))
    }

    /// The codes of what refuses it or warns of it, the path's first: for records.
    pub fn codes(&self) -> impl Iterator<Item = &'static str> {
        let path = self.path.iter().filter_map(|path| path.as_ref().err()).map(PathError::code);
        let found = self.findings.iter().filter(|finding| finding.severity >= Severity::Warn);
        path.chain(found.map(|finding| finding.rule.code()))
    }
}

impl Serialize for Assessment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            #[serde(flatten)]
            identity: &'a Identity,
            findings: &'a [Finding],
            path: Option<PathJson<'a>>,
            revocation: Option<RevocationJson>,
            registration: Option<RegistrationJson>,
            enrolment: Option<EnrolmentJson>,
            verdict: &'static str,
        }
        let verdict = if self.is_admitted() { "admit" } else { "refuse" };
        let path = self.path.as_ref().map(PathJson);
        let revocation = RevocationJson::of(self.revocation);
        let registration = RegistrationJson::of(self.registration);
        let (identity, findings) = (&self.identity, &self.findings[..]);
        let enrolment = EnrolmentJson::of(self.key);
        Json { identity, findings, path, revocation, registration, enrolment, verdict }.serialize(serializer)
    }
}

/// The JSON of a path: every field always, null where it does not apply.
struct PathJson<'a>(&'a Result<TrustedPath, PathError>);

impl Serialize for PathJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (path, error) = (self.0.as_ref().ok(), self.0.as_ref().err());
        let not_after = path.and_then(|path| rfc3339(path.not_after()));
        let mut object = serializer.serialize_struct("Path", 7)?;
        object.serialize_field("trusted", &path.is_some())?;
        object.serialize_field("anchor_sha256", &path.map(TrustedPath::anchor))?;
        object.serialize_field("intermediates", &path.map(TrustedPath::intermediates))?;
        object.serialize_field("not_after", &not_after)?;
        object.serialize_field("listing", &path.and_then(TrustedPath::listing).map(ListingJson))?;
        object.serialize_field("code", &error.map(PathError::code))?;
        object.serialize_field("message", &error.map(ToString::to_string))?;
        object.end()
    }
}

/// The JSON of the service on a trusted list for which the CA is believed.
struct ListingJson<'a>(&'a Listing);

impl Serialize for ListingJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Listing { territory, provider, service, granted_since, .. } = self.0;
        let mut object = serializer.serialize_struct("Listing", 4)?;
        object.serialize_field("territory", territory)?;
        object.serialize_field("provider", provider)?;
        object.serialize_field("service", service)?;
        object.serialize_field("granted_since", &rfc3339(*granted_since))?;
        object.end()
    }
}

/// The JSON of what is known of revocation; nothing if nobody asked.
#[derive(Serialize)]
struct RevocationJson {
    status: &'static str,
    /// Since when it is revoked or unknown.
    since: Option<String>,
    /// Until when it may be relied on to be good.
    until: Option<String>,
    reason: Option<&'static str>,
}

impl RevocationJson {
    fn of(check: RevocationCheck) -> Option<Self> {
        let json = |status| Self { status, since: None, until: None, reason: None };
        Some(match check {
            RevocationCheck::NotAsked => return None,
            RevocationCheck::Exempt => json("exempt"),
            RevocationCheck::Known(KnownStatus::Good { until }) => {
                Self { until: rfc3339(until), ..json("good") }
            }
            RevocationCheck::Known(KnownStatus::Revoked(revocation)) => Self {
                since: rfc3339(revocation.at),
                reason: revocation.reason.map(|reason| reason.as_str()),
                ..json("revoked")
            },
            RevocationCheck::Known(KnownStatus::Unknown { since }) => {
                Self { since: since.and_then(rfc3339), ..json("unknown") }
            }
        })
    }
}

/// The JSON of what the authority's register says; nothing if nobody asked.
#[derive(Serialize)]
struct RegistrationJson {
    status: &'static str,
    /// Since when the authorisation is withdrawn, or the register is too old.
    since: Option<String>,
    /// The roles that the register has.
    roles: Option<Roles>,
    /// Those of them for the country that counts.
    passported: Option<Roles>,
}

impl RegistrationJson {
    fn of(registration: Registration) -> Option<Self> {
        let json = |status| Self { status, since: None, roles: None, passported: None };
        Some(match registration {
            Registration::NotAsked => return None,
            Registration::Exempt { .. } => json("exempt"),
            Registration::NotFound { .. } => json("not-found"),
            Registration::Unknown { since } => Self { since: since.and_then(rfc3339), ..json("unknown") },
            Registration::Withdrawn { since, .. } => {
                Self { since: since.and_then(rfc3339), ..json("withdrawn") }
            }
            Registration::Authorised { roles, passported, .. } => {
                Self { roles: Some(roles), passported: Some(passported), ..json("authorised") }
            }
        })
    }
}

/// The JSON of the holder's key; nothing if nobody asked.
#[derive(Serialize)]
struct EnrolmentJson {
    status: &'static str,
    /// What the key is called.
    id: Option<KeyId>,
    /// The roles that it gives at most.
    roles: Option<Roles>,
}

impl EnrolmentJson {
    fn of(check: KeyCheck) -> Option<Self> {
        let json = |status| Self { status, id: None, roles: None };
        Some(match check {
            KeyCheck::NotAsked => return None,
            KeyCheck::NoIdentity => json("no-identity"),
            KeyCheck::NotEnrolled { .. } => json("not-enrolled"),
            KeyCheck::Enrolled { id, state, roles } => Self { status: state.as_str(), id: Some(id), roles },
        })
    }
}

/// What stands in place of an assessment where no certificate was presented: the same fields, null, and admitted.
#[derive(Debug, Clone, Copy)]
pub struct Anonymous;

impl Anonymous {
    /// The fields of an assessment that are null.
    const NULL: [&str; 22] = [
        "thumbprint_sha256",
        "spki_sha256",
        "serial_number",
        "issuer",
        "subject",
        "validity",
        "signature_algorithm",
        "key",
        "certificate_authority",
        "key_usage",
        "extended_key_usage",
        "policies",
        "subject_alt_name",
        "authority_information",
        "crl_urls",
        "revocation_exempt",
        "qc",
        "psd2",
        "path",
        "revocation",
        "registration",
        "enrolment",
    ];
}

impl Serialize for Anonymous {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Assessment", Self::NULL.len() + 2)?;
        for field in Self::NULL {
            object.serialize_field(field, &())?;
        }
        object.serialize_field("findings", &[(); 0])?;
        object.serialize_field("verdict", "admit")?;
        object.end()
    }
}
