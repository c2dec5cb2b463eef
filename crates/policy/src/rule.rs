//! Rules by their codes.

use portcullis_identity::FindingCode;

pub use crate::content_rule::ContentRule;
use crate::severity::form_reason;

/// A rule that a certificate can break. Its code is public interface: refusals, records and configurations name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// About the form: the certificate can be read, and in one way only.
    Form(FindingCode),
    /// About the content.
    Content(ContentRule),
}

impl Rule {
    /// How many rules there are.
    pub const COUNT: usize = FindingCode::ALL.len() + ContentRule::ALL.len();

    /// Every rule, those about the form first.
    pub fn all() -> impl Iterator<Item = Self> {
        let form = FindingCode::ALL.into_iter().map(Self::Form);
        form.chain(ContentRule::ALL.into_iter().map(Self::Content))
    }

    /// The rule of a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::all().find(|rule| rule.code() == code)
    }

    /// The stable code, such as `qc.not-qualified`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Form(code) => code.as_str(),
            Self::Content(rule) => rule.row().code,
        }
    }

    /// The clause that asks for it, where one exists.
    pub const fn clause(self) -> Option<&'static str> {
        match self {
            Self::Form(code) => code.clause(),
            Self::Content(rule) => rule.row().clause,
        }
    }

    /// What the rule asks for.
    pub const fn asks(self) -> &'static str {
        match self {
            Self::Form(code) => code.asks(),
            Self::Content(rule) => rule.row().rule,
        }
    }

    /// Why it is as grave as it is.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Form(code) => form_reason(code),
            Self::Content(rule) => rule.row().reason,
        }
    }

    /// What the holder of the certificate can do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Form(code) => code.hint(),
            Self::Content(rule) => rule.row().hint,
        }
    }

    /// Whether it is about what the authority's register says.
    pub const fn is_about_register(self) -> bool {
        use ContentRule as Content;
        matches!(
            self,
            Self::Content(
                Content::RegisterUnknown
                    | Content::RegisterNotFound
                    | Content::RegisterWithdrawn
                    | Content::RegisterNoRole
                    | Content::RegisterRole
                    | Content::PassportMissing
                    | Content::PassportRole
            )
        )
    }

    /// Whether it is about the key of the holder.
    pub const fn is_about_enrolment(self) -> bool {
        use ContentRule as Content;
        matches!(
            self,
            Self::Content(
                Content::EnrolmentIdentity
                    | Content::EnrolmentClosed
                    | Content::EnrolmentFull
                    | Content::EnrolmentPending
                    | Content::EnrolmentSuspended
            )
        )
    }

    /// The place of the rule in a table of all.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Form(code) => code as usize,
            Self::Content(rule) => FindingCode::ALL.len() + rule as usize,
        }
    }
}

impl From<ContentRule> for Rule {
    fn from(rule: ContentRule) -> Self {
        Self::Content(rule)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_rule_has_a_code_and_a_place_of_its_own() {
        let codes: HashSet<_> = Rule::all().map(Rule::code).collect();
        assert_eq!(codes.len(), Rule::COUNT);
        for (position, rule) in Rule::all().enumerate() {
            assert_eq!(rule.index(), position, "{}", rule.code());
            assert_eq!(Rule::from_code(rule.code()), Some(rule));
        }
        assert_eq!(Rule::from_code("qc.unheard-of"), None);
    }
}
