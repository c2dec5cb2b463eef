//! What is expected of a client, and whether it came so.

use std::str::FromStr;

use anyhow::{Context, Error, Result};
use rustls::AlertDescription;

use crate::answer::Answer;
use crate::failure::{Failure, alert_name};

use super::kind::Kind;

/// How an operation may end as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// An answer with the status that the run expects.
    Pass,
    /// An alert of the server.
    Alert(AlertDescription),
    /// Any alert of the server.
    AnyAlert,
    /// An answer with another status.
    Status(u16),
}

/// The endings that are expected; any of them will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expectation(Vec<Ending>);

/// What is expected of a kind, written `expired=alert:certificate_expired`, with `|` between endings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KindExpectation {
    pub(crate) kind: Kind,
    pub(crate) expectation: Expectation,
}

/// How an operation ended, beside what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was answered, as expected.
    Passed,
    /// It was refused, as expected.
    Refused,
    /// It ended otherwise.
    Unexpected,
}

impl Expectation {
    /// What a gate such as Portcullis does with a kind. One that grants no role is refused in the handshake or by an answer, as
    /// the gate is configured.
    pub(crate) fn usual(kind: Kind) -> Self {
        Self(match kind {
            Kind::Good => vec![Ending::Pass],
            Kind::Expired => vec![Ending::Alert(AlertDescription::CertificateExpired)],
            Kind::Revoked => vec![Ending::Alert(AlertDescription::CertificateRevoked)],
            Kind::Foreign => vec![Ending::Alert(AlertDescription::UnknownCA)],
            Kind::Roleless => vec![Ending::Alert(AlertDescription::AccessDenied), Ending::Status(403)],
        })
    }

    /// What any server does with those that it does not know: it says so in one way or another.
    pub(crate) fn refusal() -> Self {
        Self(vec![Ending::AnyAlert, Ending::Status(403)])
    }

    /// Compares; `pass_status` is the status of an answer that lets pass.
    pub(crate) fn judge(&self, result: &Result<Answer, Failure>, pass_status: u16) -> Verdict {
        let (passed, refused) = match result {
            Ok(answer) => (answer.status == pass_status, Ending::Status(answer.status)),
            Err(Failure::Alert(description)) => (false, Ending::Alert(*description)),
            Err(_) => return Verdict::Unexpected,
        };
        if passed && self.0.contains(&Ending::Pass) {
            Verdict::Passed
        } else if self.0.contains(&refused) || (result.is_err() && self.0.contains(&Ending::AnyAlert)) {
            Verdict::Refused
        } else {
            Verdict::Unexpected
        }
    }
}

impl FromStr for KindExpectation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, endings) = text.split_once('=').context("not of the form KIND=ENDING")?;
        let endings = endings.split('|').map(str::parse).collect::<Result<_>>()?;
        Ok(Self { kind: Kind::named(kind)?, expectation: Expectation(endings) })
    }
}

impl FromStr for Ending {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None if text == "pass" => Ok(Self::Pass),
            None if text == "alert" => Ok(Self::AnyAlert),
            Some(("alert", name)) => {
                let mut all = (0..=u8::MAX).map(AlertDescription::from);
                let alert = all.find(|description| alert_name(*description) == name);
                alert.map(Self::Alert).with_context(|| format!("{name:?} is no alert of RFC 8446"))
            }
            Some(("status", status)) => {
                let number = status.parse().ok().filter(|status| (200..600).contains(status));
                number.map(Self::Status).with_context(|| format!("{status:?} is no status"))
            }
            _ => Err(Error::msg(format!("{text:?} is none of pass, alert, alert:NAME, status:NUMBER"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Stage;

    fn expectation(text: &str) -> Expectation {
        text.parse::<KindExpectation>().unwrap().expectation
    }

    fn answer(status: u16) -> Result<Answer, Failure> {
        Ok(Answer { status, closes: false, bytes: 1 })
    }

    #[test]
    fn the_usual_endings_can_be_written() {
        for text in [
            "good=pass",
            "expired=alert:certificate_expired",
            "revoked=alert:certificate_revoked",
            "foreign=alert:unknown_ca",
            "roleless=alert:access_denied|status:403",
        ] {
            let written: KindExpectation = text.parse().unwrap();
            assert_eq!(written.expectation, Expectation::usual(written.kind));
        }
        for text in ["expired", "late=pass", "good=", "good=alert:nonsense", "good=status:99", "good=pass|"] {
            assert!(text.parse::<KindExpectation>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_what_was_named_is_expected() {
        let good = Expectation::usual(Kind::Good);
        assert_eq!(good.judge(&answer(200), 200), Verdict::Passed);
        assert_eq!(good.judge(&answer(204), 200), Verdict::Unexpected);
        assert_eq!(good.judge(&answer(204), 204), Verdict::Passed);
        let roleless = Expectation::usual(Kind::Roleless);
        assert_eq!(roleless.judge(&answer(403), 200), Verdict::Refused);
        assert_eq!(roleless.judge(&answer(200), 200), Verdict::Unexpected);
        let expired = expectation("expired=alert:certificate_expired");
        for (failure, verdict) in [
            (Failure::Alert(AlertDescription::CertificateExpired), Verdict::Refused),
            (Failure::Alert(AlertDescription::UnknownCA), Verdict::Unexpected),
            (Failure::Eof(Stage::Answer), Verdict::Unexpected),
        ] {
            assert_eq!(expired.judge(&Err(failure), 200), verdict);
        }
        let any = expectation("expired=alert|status:403");
        assert_eq!(any, Expectation::refusal());
        assert_eq!(any.judge(&Err(Failure::Alert(AlertDescription::UnknownCA)), 200), Verdict::Refused);
        assert_eq!(any.judge(&Err(Failure::Eof(Stage::Answer)), 200), Verdict::Unexpected);
        assert_eq!(any.judge(&answer(200), 200), Verdict::Unexpected);
        assert_eq!(expectation("good=pass|status:404").judge(&answer(404), 200), Verdict::Refused);
    }
}
