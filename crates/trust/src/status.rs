//! What is told of a certificate's revocation.

use std::fmt;

use portcullis_identity::TbsCertificate;
use rustls_pki_types::TrustAnchor;

/// A CA, by what those who tell of its certificates refer to: its name and its key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Issuer {
    /// The content of its `RDNSequence`, without tag and length.
    name: Box<[u8]>,
    /// The content of its `SubjectPublicKeyInfo`, without tag and length.
    public_key_info: Box<[u8]>,
}

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
    pub fn of_certificate(ca: &TbsCertificate<'_>) -> Option<Self> {
        // Tag and length of a SubjectPublicKeyInfo, which the parser has checked: a SEQUENCE that fills the slice.
        let info = ca.subject_public_key_info;
        let header = match info.get(1)? {
            length @ 0..0x80 => (2, usize::from(*length)),
            0x81 => (3, usize::from(*info.get(2)?)),
            _ => (4, usize::from(u16::from_be_bytes([*info.get(2)?, *info.get(3)?]))),
        };
        let public_key_info = info.get(header.0..).filter(|content| content.len() == header.1)?;
        Some(Self { name: ca.subject.into(), public_key_info: public_key_info.into() })
    }

    /// The CA that an anchor is.
    pub fn of_anchor(anchor: &TrustAnchor<'_>) -> Self {
        Self {
            name: anchor.subject.as_ref().into(),
            public_key_info: anchor.subject_public_key_info.as_ref().into(),
        }
    }

    /// The content of its `RDNSequence`, without tag and length.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The content of its `SubjectPublicKeyInfo`, without tag and length.
    pub fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = portcullis_identity::distinguished_name(&self.name);
        f.debug_tuple("Issuer").field(&name.unwrap_or_else(|_| "illegible".to_owned())).finish()
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
            assert_eq!(Issuer::of_certificate(&tbs), Some(Issuer::of_anchor(&anchor)));
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
