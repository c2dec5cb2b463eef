//! Why a peer was refused, in words that it can act on.

use portcullis_identity::{Finding, IdentityError, Roles};
use portcullis_trust::PathError;
use thiserror::Error;

/// A refusal. Every variant has a stable [code](Denial::code); its `Display` is the sentence for the peer.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Denial {
    /// The certificate cannot be read.
    #[error("the client certificate cannot be read: {0}")]
    Unreadable(IdentityError),
    /// No path leads from the certificate to a trust anchor.
    #[error("{0}")]
    Path(PathError),
    /// Profile `psd2`: the certificate names no PSD2 role (ETSI TS 119 495 5.1).
    #[error("the client certificate names no PSD2 role that this gate knows{}", explain(.findings))]
    NoPsd2Role {
        /// What was wrong in the statements that should have named one.
        findings: Vec<Finding>,
    },
    /// The route needs a role that the certificate does not have.
    #[error("this route needs the role {}; the client certificate has {}", any_of(*.required), all_of(*.presented))]
    RoleMissing {
        /// Any one of these would do.
        required: Roles,
        /// What the certificate has.
        presented: Roles,
    },
}

impl Denial {
    /// The stable code of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "certificate.unreadable",
            Self::Path(error) => error.code(),
            Self::NoPsd2Role { .. } => "psd2.no-role",
            Self::RoleMissing { .. } => "route.role-missing",
        }
    }

    /// The clause that asks for what is missing, where one exists.
    pub fn clause(&self) -> Option<&'static str> {
        match self {
            Self::NoPsd2Role { .. } => Some("TS 119 495 GEN-5.1-1"),
            Self::Path(_) => Some("RFC 5280 6.1"),
            _ => None,
        }
    }
}

fn explain(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("; {}", finding.message)).collect()
}

fn any_of(roles: Roles) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" or ")
}

fn all_of(roles: Roles) -> String {
    match roles.is_empty() {
        true => "none".to_owned(),
        false => roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", "),
    }
}
