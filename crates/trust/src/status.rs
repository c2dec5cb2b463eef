//! What is told of a certificate's revocation.

use std::fmt;
use std::hash::{Hash, Hasher};

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode as _, Encode as _, SliceReader, Tag};
use portcullis_identity::{IdentityError, KeyUsage, TbsCertificate};

/// A CA, by what those who tell of its certificates refer to: its name and its key.
///
/// Whether it may sign CRLs is not part of who it is: a CA may have several certificates, and clients choose which they present.
#[derive(Clone)]
pub struct Issuer {
    /// The content of its `RDNSequence`, without tag and length.
    name: Box<[u8]>,
    /// The content of its `SubjectPublicKeyInfo`, without tag and length.
    public_key_info: Box<[u8]>,
    may_sign_crls: bool,
}

/// keyUsage, 2.5.29.15, as content octets, and its bit for CRLs (RFC 5280 section 4.2.1.3).
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const CRL_SIGN: u8 = 6;

/// What a source says of one certificate, for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusAnswer {
    /// What it says.
    pub status: CertificateStatus,
    /// Since when it is known to be so, in Unix seconds.
    pub this_update: i64,
    /// Until when the answer serves, in Unix seconds.
    pub next_update: i64,
}

/// Whether a certificate is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateStatus {
    /// It is not.
    Good,
    /// It is.
    Revoked(Revocation),
}

/// A certificate's revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Since when, in Unix seconds.
    pub at: i64,
    /// Why, if it is said.
    pub reason: Option<RevocationReason>,
}

/// `CRLReason` (RFC 5280 section 5.3.1). `removeFromCRL` is none: it stands in delta CRLs, which are not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RevocationReason {
    /// `unspecified` (0)
    Unspecified = 0,
    /// `keyCompromise` (1)
    KeyCompromise = 1,
    /// `cACompromise` (2)
    CaCompromise = 2,
    /// `affiliationChanged` (3)
    AffiliationChanged = 3,
    /// `superseded` (4)
    Superseded = 4,
    /// `cessationOfOperation` (5)
    CessationOfOperation = 5,
    /// `certificateHold` (6): suspended, and perhaps not for ever.
    CertificateHold = 6,
    /// `privilegeWithdrawn` (9)
    PrivilegeWithdrawn = 9,
    /// `aACompromise` (10)
    AaCompromise = 10,
}

impl Issuer {
    /// The CA that a certificate is of.
    ///
    /// # Errors
    /// Its extensions cannot be read.
    pub fn of_certificate(ca: &TbsCertificate<'_>) -> Result<Self, IdentityError> {
        let mut may_sign_crls = true;
        for extension in ca.extensions() {
            let extension = extension?;
            if extension.oid == KEY_USAGE {
                may_sign_crls = KeyUsage::read(extension.value).is_ok_and(|usage| usage.asserts(CRL_SIGN));
            }
        }
        Ok(Self {
            name: ca.subject.into(),
            public_key_info: content(ca.subject_public_key_info).into(),
            may_sign_crls,
        })
    }

    /// The CA that was taken apart before.
    pub fn from_parts(name: &[u8], public_key_info: &[u8], may_sign_crls: bool) -> Self {
        Self { name: name.into(), public_key_info: public_key_info.into(), may_sign_crls }
    }

    /// The content of its `RDNSequence`, without tag and length.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The content of its `SubjectPublicKeyInfo`, without tag and length.
    pub fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    /// Its name in DER.
    pub(crate) fn name_der(&self) -> Vec<u8> {
        sequence(&self.name)
    }

    /// Its `SubjectPublicKeyInfo` in DER.
    pub(crate) fn public_key_info_der(&self) -> Vec<u8> {
        sequence(&self.public_key_info)
    }

    /// The octets of its key, as they stand in the BIT STRING; none for a key that cannot be read.
    pub(crate) fn public_key(&self) -> &[u8] {
        let mut reader = SliceReader::new(&self.public_key_info).ok();
        let key = reader.as_mut().and_then(|reader| {
            AnyRef::decode(reader).ok()?;
            BitStringRef::decode(reader).ok()?.as_bytes()
        });
        key.unwrap_or_default()
    }

    /// Whether its certificate lets it sign CRLs: by cRLSign, or by saying nothing of key usage.
    pub const fn may_sign_crls(&self) -> bool {
        self.may_sign_crls
    }
}

/// A SEQUENCE around its content.
fn sequence(content: &[u8]) -> Vec<u8> {
    let any = AnyRef::new(Tag::Sequence, content).and_then(|any| any.to_der());
    any.unwrap_or_default()
}

/// The content of a SEQUENCE that fills the slice, as the parser has checked.
fn content(sequence: &[u8]) -> &[u8] {
    let header = match sequence.get(1) {
        Some(0..0x80) => 2,
        Some(long) => 2 + usize::from(long & 0x7f),
        None => 0,
    };
    sequence.get(header..).unwrap_or_default()
}

impl PartialEq for Issuer {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.public_key_info) == (&other.name, &other.public_key_info)
    }
}

impl Eq for Issuer {}

impl Hash for Issuer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.name, &self.public_key_info).hash(state);
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = portcullis_identity::distinguished_name(&self.name);
        f.debug_tuple("Issuer").field(&name.unwrap_or_else(|_| "illegible".to_owned())).finish()
    }
}

impl CertificateStatus {
    /// The name in metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Revoked(_) => "revoked",
        }
    }
}

impl RevocationReason {
    /// Reads the value of a `CRLReason`; `None` for those that are not defined and for `removeFromCRL`.
    pub const fn from_value(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::Unspecified,
            1 => Self::KeyCompromise,
            2 => Self::CaCompromise,
            3 => Self::AffiliationChanged,
            4 => Self::Superseded,
            5 => Self::CessationOfOperation,
            6 => Self::CertificateHold,
            9 => Self::PrivilegeWithdrawn,
            10 => Self::AaCompromise,
            _ => return None,
        })
    }

    /// The name of RFC 5280.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_is_the_same_from_its_certificate_and_as_an_anchor() {
        for key in [
            rcgen::KeyPair::generate().unwrap(),
            rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap(),
        ] {
            let mut ca = rcgen::CertificateParams::default();
            ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let ca = ca.self_signed(&key).unwrap();
            let anchor = webpki::anchor_from_trusted_cert(ca.der()).unwrap();
            let tbs = TbsCertificate::from_der(ca.der()).unwrap();
            let issuer = Issuer::of_certificate(&tbs).unwrap();
            assert_eq!(issuer.name(), anchor.subject.as_ref());
            assert_eq!(issuer.public_key_info(), anchor.subject_public_key_info.as_ref());
            assert!(issuer.may_sign_crls(), "nothing is said");
        }
    }

    #[test]
    fn who_may_certify_need_not_sign_crls() {
        use rcgen::KeyUsagePurpose::{CrlSign, KeyCertSign};
        let key = rcgen::KeyPair::generate().unwrap();
        for (usages, may_sign_crls) in [(vec![KeyCertSign], false), (vec![KeyCertSign, CrlSign], true)] {
            let mut ca = rcgen::CertificateParams::default();
            ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            ca.key_usages = usages;
            let ca = ca.self_signed(&key).unwrap();
            let issuer = Issuer::of_certificate(&TbsCertificate::from_der(ca.der()).unwrap()).unwrap();
            assert_eq!(issuer.may_sign_crls(), may_sign_crls);
        }
    }

    #[test]
    fn every_reason_has_its_value() {
        for value in 0..=u8::MAX {
            if let Some(reason) = RevocationReason::from_value(value) {
                assert_eq!(reason as u8, value);
            }
        }
        assert_eq!((0..=u8::MAX).filter_map(RevocationReason::from_value).count(), 9);
    }
}
