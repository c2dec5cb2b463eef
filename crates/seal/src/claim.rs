//! What a message claims of its seal, whichever profile it is in.

use crate::algorithm;
use crate::rules::Profile;
use crate::verifying_key::EcdsaForm;

/// Components of a signature that are read. The longest list of a bank's guidelines has about ten; more is refused.
pub const COMPONENTS_MAX: usize = 64;

/// What a message claims, before anything of it is believed.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) profile: Profile,
    pub(crate) key_id: Option<Box<str>>,
    pub(crate) algorithm: algorithm::Claim,
    /// The names of components that are covered whole.
    pub(crate) covered: Vec<Box<str>>,
    /// What is signed, octet by octet: the signing string of the drafts, the signature base of RFC 9421.
    pub(crate) base: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    /// The parameter, if there is one.
    pub(crate) created_s: Option<i64>,
    /// Whether the signature covers it.
    pub(crate) created_is_covered: bool,
    pub(crate) expires_s: Option<i64>,
}

impl Claim {
    pub(crate) fn covers(&self, component: &str) -> bool {
        self.covered.iter().any(|covered| **covered == *component)
    }

    pub(crate) const fn ecdsa_form(&self) -> EcdsaForm {
        match self.profile {
            Profile::BerlinGroup => EcdsaForm::Either,
            Profile::MessageSignatures => EcdsaForm::Fixed,
        }
    }
}
