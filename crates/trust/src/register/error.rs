//! Why a register is not taken.

use std::io;

use thiserror::Error;

/// What is wrong with a document of providers. Whose fault: the authority's, the operator's, or that of somebody on the way.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// It cannot be read to its end.
    #[error("the register cannot be read to its end")]
    Read(#[source] io::Error),
    /// It is too long.
    #[error("the register has more than {bytes_max} bytes")]
    TooLarge {
        /// How many are read.
        bytes_max: u64,
    },
    /// It has a text that is too long for any register.
    #[error("the register has a text of more than {bytes_max} bytes")]
    TextTooLong {
        /// How many a text may have.
        bytes_max: usize,
    },
    /// It is not of the form that it should have.
    #[error("the register cannot be read: {detail}")]
    Malformed {
        /// What is wrong, and where.
        detail: String,
    },
    /// It has no provider.
    #[error("the register has no authorised provider")]
    Empty,
}

impl RegisterError {
    /// The stable code, for metrics and logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Read(_) => "register.read",
            Self::TooLarge { .. } => "register.too-large",
            Self::TextTooLong { .. } => "register.text-too-long",
            Self::Malformed { .. } => "register.malformed",
            Self::Empty => "register.empty",
        }
    }
}
