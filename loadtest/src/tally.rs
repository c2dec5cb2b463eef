//! What came of the operations of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use rustls::ProtocolVersion;

use crate::answer::Answer;
use crate::clients::{ClientOutcomes, Kind, Verdict};
use crate::connection::{Connection, Negotiated};
use crate::failure::{Causes, Failure};
use crate::latency::Latency;
use crate::outcomes::Outcomes;

/// Counts of a run. Every operation is in exactly one of `completed`, `refused`, `unexpected_status` and `failed`.
#[derive(Debug)]
pub(crate) struct Tally {
    expect_status: u16,
    pub(crate) completed: u64,
    pub(crate) unexpected_status: u64,
    pub(crate) failed: u64,
    pub(crate) handshakes: u64,
    pub(crate) resumed: u64,
    pub(crate) tickets_received: u64,
    pub(crate) reconnects: u64,
    pub(crate) bytes_received: u64,
    /// Handshakes that were to resume a session.
    pub(crate) resumption_wanted: u64,
    /// Handshakes of which this is not what came about.
    pub(crate) resumption_missed: u64,
    /// Of what ended in seconds that are over.
    pub(crate) latency: Latency,
    /// By how much operations began later than they were meant to.
    pub(crate) lateness: Latency,
    /// The second that is under way. Its latencies are those of operations with an answer.
    second: Outcomes,
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Those of them that were not expected of their clients.
    pub(crate) unexpected_statuses: BTreeMap<u16, u64>,
    pub(crate) causes: Causes,
    pub(crate) agreement: Agreement,
    /// Refused as expected of their clients; in none of the counts above.
    pub(crate) refused: u64,
    pub(crate) clients: ClientOutcomes,
    /// The steps of a scenario, if there is one.
    pub(crate) steps: Vec<Outcomes>,
}

/// What the handshakes agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// There was none.
    #[default]
    None,
    /// All agreed on the same.
    Same(Negotiated),
    /// They differed.
    Mixed,
}

impl Tally {
    /// Nothing yet.
    pub(crate) fn new(expect_status: u16) -> Result<Self> {
        Ok(Self {
            expect_status,
            completed: 0,
            unexpected_status: 0,
            failed: 0,
            handshakes: 0,
            resumed: 0,
            tickets_received: 0,
            reconnects: 0,
            bytes_received: 0,
            resumption_wanted: 0,
            resumption_missed: 0,
            latency: Latency::new()?,
            lateness: Latency::new()?,
            second: Outcomes::new()?,
            statuses: BTreeMap::new(),
            unexpected_statuses: BTreeMap::new(),
            causes: Causes::default(),
            agreement: Agreement::None,
            refused: 0,
            clients: ClientOutcomes::default(),
            steps: Vec::new(),
        })
    }

    /// The same for a scenario of so many steps.
    pub(crate) fn with_steps(mut self, steps: usize) -> Result<Self> {
        self.steps = (0..steps).map(|_| Outcomes::new()).collect::<Result<_>>()?;
        Ok(self)
    }

    /// A handshake is complete that offered to resume a session, or did not.
    pub(crate) fn handshaken(&mut self, connection: &Connection) {
        self.handshakes += 1;
        self.resumed += u64::from(connection.resumed());
        self.resumption_wanted += u64::from(connection.offered());
        self.resumption_missed += u64::from(connection.resumed() != connection.offered());
        let Some(negotiated) = connection.negotiated() else { return };
        self.agreement = self.agreement.and(Agreement::Same(negotiated));
    }

    /// An operation ended with an answer, of a client of whom nothing else is expected.
    pub(crate) fn answered(&mut self, answer: Answer, latency: Duration) {
        let passed = answer.status == self.expect_status;
        self.judged(answer, if passed { Verdict::Passed } else { Verdict::Unexpected });
        self.second.latency.record(latency);
    }

    fn judged(&mut self, answer: Answer, verdict: Verdict) {
        *self.statuses.entry(answer.status).or_default() += 1;
        self.bytes_received += answer.bytes;
        match verdict {
            Verdict::Passed => {
                self.completed += 1;
                self.second.completed += 1;
            }
            Verdict::Refused => self.refused(),
            Verdict::Unexpected => {
                self.unexpected_status += 1;
                self.second.unexpected_status += 1;
                *self.unexpected_statuses.entry(answer.status).or_default() += 1;
            }
        }
    }

    /// So many handshakes were to resume a session and had none, and no other did in their place. Up to one in a hundred is within
    /// what a share promises: of many clients the last may have met all its sessions in use.
    pub(crate) fn short_of_sessions(&mut self, handshakes: u64) {
        if handshakes * 100 > self.handshakes {
            self.resumption_wanted += handshakes;
            self.resumption_missed += handshakes;
        }
    }

    fn refused(&mut self) {
        self.refused += 1;
        self.second.refused += 1;
    }

    /// An operation of a client ended, in the way that its verdict says.
    pub(crate) fn concluded(
        &mut self,
        kind: Kind,
        verdict: Verdict,
        result: &Result<Answer, Failure>,
        latency: Duration,
    ) {
        self.clients.count(kind, verdict);
        match (result, verdict) {
            (Ok(answer), verdict) => {
                self.judged(*answer, verdict);
                // A client that should have been refused and was not, or one that was by an answer: neither has a latency.
                if verdict == Verdict::Passed || (verdict == Verdict::Unexpected && kind == Kind::Good) {
                    self.second.latency.record(latency);
                }
            }
            (Err(_), Verdict::Refused) => self.refused(),
            (Err(failure), _) => self.failed(failure, 1),
        }
    }

    /// `times` operations ended without an answer.
    pub(crate) fn failed(&mut self, failure: &Failure, times: u64) {
        self.failed += times;
        self.second.failed += times;
        self.causes.add(failure, times);
    }

    /// Ends the second that is under way, and gives it out.
    pub(crate) fn end_second(&mut self) -> Result<Outcomes> {
        let second = std::mem::replace(&mut self.second, Outcomes::new()?);
        self.latency.add(&second.latency)?;
        Ok(second)
    }

    /// Takes over what another thread counted.
    pub(crate) fn add(&mut self, other: &Self) -> Result<()> {
        for (own, more) in [
            (&mut self.completed, other.completed),
            (&mut self.unexpected_status, other.unexpected_status),
            (&mut self.failed, other.failed),
            (&mut self.refused, other.refused),
            (&mut self.handshakes, other.handshakes),
            (&mut self.resumed, other.resumed),
            (&mut self.resumption_wanted, other.resumption_wanted),
            (&mut self.resumption_missed, other.resumption_missed),
            (&mut self.tickets_received, other.tickets_received),
            (&mut self.reconnects, other.reconnects),
            (&mut self.bytes_received, other.bytes_received),
        ] {
            *own += more;
        }
        for (mine, other) in [
            (&mut self.statuses, &other.statuses),
            (&mut self.unexpected_statuses, &other.unexpected_statuses),
        ] {
            other.iter().for_each(|(status, times)| *mine.entry(*status).or_default() += times);
        }
        self.causes.merge(&other.causes);
        self.clients += other.clients;
        if self.steps.is_empty() {
            self.steps.clone_from(&other.steps);
        } else {
            let mut steps = self.steps.iter_mut().zip(&other.steps);
            steps.try_for_each(|(step, more)| step.add(more))?;
        }
        self.agreement = self.agreement.and(other.agreement);
        self.latency.add(&other.latency)?;
        self.lateness.add(&other.lateness)
    }

    /// Operations that ended, however they did.
    pub(crate) fn operations(&self) -> u64 {
        self.completed + self.refused + self.unexpected_status + self.failed
    }
}

impl Agreement {
    /// What the handshakes of both agreed on.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, agreement) | (agreement, Self::None) => agreement,
            (one, other) if one == other => one,
            _ => Self::Mixed,
        }
    }

    /// Version, suite and key exchange, each "mixed" when handshakes differed.
    pub(crate) fn names(self) -> [Option<String>; 3] {
        let Negotiated { version, suite, key_exchange } = match self {
            Self::None => return [const { None }; 3],
            Self::Mixed => return [(); 3].map(|()| Some("mixed".to_owned())),
            Self::Same(negotiated) => negotiated,
        };
        let version = match version {
            ProtocolVersion::TLSv1_2 => "1.2".to_owned(),
            ProtocolVersion::TLSv1_3 => "1.3".to_owned(),
            other => format!("{other:?}"),
        };
        // rustls tells the suites of TLS 1.3 by a prefix that RFC 8446 does not have.
        let suite = format!("{suite:?}").replacen("TLS13_", "TLS_", 1);
        [version, suite, format!("{key_exchange:?}")].map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Stage;

    #[test]
    fn every_operation_is_counted_once() {
        let mut tally = Tally::new(200).unwrap();
        let answer = |status| Answer { status, closes: false, bytes: 10 };
        tally.answered(answer(200), Duration::from_micros(5));
        tally.answered(answer(404), Duration::from_micros(5));
        tally.failed(&Failure::Eof(Stage::Answer), 3);
        assert_eq!((tally.completed, tally.unexpected_status, tally.failed), (1, 1, 3));
        assert_eq!(tally.operations(), 5);
        assert_eq!(tally.bytes_received, 20);
        assert_eq!(tally.statuses[&404], 1);
        assert_eq!(tally.causes.into_counts()["eof: answer"], 3);
    }

    #[test]
    fn what_was_expected_of_a_client_is_no_unexpected_status() {
        let mut tally = Tally::new(200).unwrap();
        let answer = |status| Ok(Answer { status, closes: false, bytes: 10 });
        let alert = Err(Failure::Alert(rustls::AlertDescription::CertificateExpired));
        let mut conclude = |kind, verdict, result| tally.concluded(kind, verdict, &result, Duration::ZERO);
        conclude(Kind::Roleless, Verdict::Refused, answer(403));
        conclude(Kind::Expired, Verdict::Refused, alert);
        conclude(Kind::Expired, Verdict::Unexpected, answer(200));
        conclude(Kind::Good, Verdict::Passed, answer(200));
        // Where the good are to be refused, one who passes is not as expected.
        conclude(Kind::Good, Verdict::Unexpected, answer(200));
        assert_eq!((tally.completed, tally.refused, tally.unexpected_status), (1, 2, 2));
        assert_eq!(tally.unexpected_statuses, BTreeMap::from([(200, 2)]));
        let second = tally.end_second().unwrap();
        assert_eq!((second.completed, second.refused, second.unexpected_status, second.failed), (1, 2, 2, 0));
        assert_eq!(second.latency.histogram().len(), 2, "latencies are of the good");
    }

    #[test]
    fn handshakes_that_differ_are_mixed() {
        let same = |key_exchange| {
            Agreement::Same(Negotiated {
                version: ProtocolVersion::TLSv1_3,
                suite: rustls::CipherSuite::TLS13_AES_256_GCM_SHA384,
                key_exchange,
            })
        };
        let x25519 = same(rustls::NamedGroup::X25519);
        let expected = ["1.3", "TLS_AES_256_GCM_SHA384", "X25519"].map(|name| Some(name.to_owned()));
        assert_eq!(Agreement::None.and(x25519).and(x25519).names(), expected);
        assert_eq!(x25519.and(same(rustls::NamedGroup::secp256r1)), Agreement::Mixed);
    }
}
