//! Why a peer was refused, in words that it can act on.

use portcullis_identity::{IdentityError, Roles};
use portcullis_trust::PathError;
use thiserror::Error;

use crate::assessment::Assessment;
use crate::finding::Finding;

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
    /// The certificate breaks a rule that denies.
    #[error("{}. {}{}", .finding.message, .finding.rule.hint(), and_others(*.others))]
    Rule {
        /// The first finding that denies.
        finding: Finding,
        /// How many more there are.
        others: usize,
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
    /// Why a certificate is refused; `None` if it is not.
    pub(crate) fn of(assessment: &Assessment) -> Option<Self> {
        if let Some(Err(error)) = &assessment.path {
            return Some(Self::Path(error.clone()));
        }
        let mut denials = assessment.denials();
        let finding = denials.next()?.clone();
        Some(Self::Rule { finding, others: denials.count() })
    }

    /// The stable code of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "certificate.unreadable",
            Self::Path(error) => error.code(),
            Self::Rule { finding, .. } => finding.rule.code(),
            Self::RoleMissing { .. } => "route.role-missing",
        }
    }

    /// The clause that asks for what is missing, where one exists.
    pub fn clause(&self) -> Option<&'static str> {
        match self {
            Self::Rule { finding, .. } => finding.rule.clause(),
            Self::Path(_) => Some("RFC 5280 6.1"),
            _ => None,
        }
    }
}

fn and_others(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => " One more rule is broken.".to_owned(),
        others => format!(" {others} more rules are broken."),
    }
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
