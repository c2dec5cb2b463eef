//! What became of each kind of client.

use std::ops::AddAssign;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::expectation::Verdict;
use super::kind::Kind;

/// Operations of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct KindOutcomes {
    /// Ended as expected.
    pub(crate) expected: u64,
    /// Ended otherwise.
    pub(crate) unexpected: u64,
}

/// Operations by the kind of their client. As JSON it has the good kind and those that had any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientOutcomes([KindOutcomes; Kind::ALL.len()]);

impl ClientOutcomes {
    /// Counts one operation.
    pub(crate) fn count(&mut self, kind: Kind, verdict: Verdict) {
        let outcomes = &mut self.0[kind as usize];
        match verdict {
            Verdict::Passed | Verdict::Refused => outcomes.expected += 1,
            Verdict::Unexpected => outcomes.unexpected += 1,
        }
    }

    /// The good kind, and those that had any.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (Kind, KindOutcomes)> {
        let all = Kind::ALL.into_iter().zip(self.0);
        all.filter(|(kind, outcomes)| *kind == Kind::Good || *outcomes != KindOutcomes::default())
    }

    /// Operations that ended otherwise than expected.
    pub(crate) fn unexpected(&self) -> u64 {
        self.0.iter().map(|outcomes| outcomes.unexpected).sum()
    }
}

/// Adds what another thread counted.
impl AddAssign for ClientOutcomes {
    fn add_assign(&mut self, other: Self) {
        for (mine, other) in self.0.iter_mut().zip(other.0) {
            mine.expected += other.expected;
            mine.unexpected += other.unexpected;
        }
    }
}

impl Serialize for ClientOutcomes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (kind, outcomes) in self.kinds() {
            map.serialize_entry(kind.name(), &outcomes)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_written_by_name() {
        let mut outcomes = ClientOutcomes::default();
        outcomes.count(Kind::Expired, Verdict::Refused);
        outcomes.count(Kind::Expired, Verdict::Unexpected);
        let mut sum = ClientOutcomes::default();
        sum.count(Kind::Good, Verdict::Passed);
        sum += outcomes;
        let json = serde_json::to_string(&sum).unwrap();
        let expected = r#"{"good":{"expected":1,"unexpected":0},"expired":{"expected":1,"unexpected":1}}"#;
        assert_eq!(json, expected);
        assert_eq!(sum.unexpected(), 1);
    }
}
