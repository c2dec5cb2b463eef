//! What a rule found, and how grave it is.

use std::borrow::Cow;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::rule::Rule;
use crate::severity::Severity;

/// A rule that the certificate breaks, with the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// How grave it is here.
    pub severity: Severity,
    /// One sentence with the evidence: expected against found.
    pub message: Cow<'static, str>,
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Finding", 5)?;
        object.serialize_field("code", self.rule.code())?;
        object.serialize_field("severity", &self.severity)?;
        object.serialize_field("clause", &self.rule.clause())?;
        object.serialize_field("message", &self.message)?;
        object.serialize_field("hint", self.rule.hint())?;
        object.end()
    }
}
