//! The algorithm with which the issuer signed.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::der::{OBJECT_IDENTIFIER, Reader};
use crate::error::IdentityError;
use crate::finding::{Finding, FindingCode};
use crate::oid;
use crate::tbs_certificate::TbsCertificate;

/// A signature algorithm. Shown by the name of its standard (RFC 3279, RFC 4055, RFC 5758, RFC 8410), or dotted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// One that has a name here.
    Known(&'static str),
    /// One with SHA-1, MD5 or older, which nobody should believe any more.
    Broken(&'static str),
    /// Another, dotted.
    Other(String),
}

impl SignatureAlgorithm {
    pub(crate) fn read(tbs: &TbsCertificate<'_>, findings: &mut Vec<Finding>) -> Result<Self, IdentityError> {
        if tbs.signature_algorithm != tbs.outer_signature_algorithm {
            let message = "the signature algorithm that is signed is not the one beside the signature";
            findings.push(Finding::new(FindingCode::AlgorithmMismatch, message));
        }
        let malformed = IdentityError::within("signature");
        let id = Reader::new(tbs.signature_algorithm).expect(OBJECT_IDENTIFIER).map_err(&malformed)?.content;
        oid::check(id).map_err(malformed)?;
        Ok(match id {
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2] => Self::Known("ecdsa-with-SHA256"),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3] => Self::Known("ecdsa-with-SHA384"),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4] => Self::Known("ecdsa-with-SHA512"),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1] => Self::Broken("ecdsa-with-SHA1"),
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, last] => match last {
                4 => Self::Broken("md5WithRSAEncryption"),
                5 => Self::Broken("sha1WithRSAEncryption"),
                10 => Self::Known("RSASSA-PSS"),
                11 => Self::Known("sha256WithRSAEncryption"),
                12 => Self::Known("sha384WithRSAEncryption"),
                13 => Self::Known("sha512WithRSAEncryption"),
                _ => Self::Other(oid::dotted(id)),
            },
            oid::ED25519 => Self::Known("Ed25519"),
            other => Self::Other(oid::dotted(other)),
        })
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Known(name) | Self::Broken(name) => name,
            Self::Other(dotted) => dotted,
        })
    }
}

impl Serialize for SignatureAlgorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
