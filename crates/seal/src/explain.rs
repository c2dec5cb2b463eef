//! A message's seal, step by step, for whoever wants to know why it does not hold.

use portcullis_identity::{TbsCertificate, distinguished_name, is_visible};

use crate::error::SealError;
use crate::head::RequestHead;
use crate::observer::Observer;
use crate::rules::SealRules;
use crate::seal::Parsed;

/// One step of verification.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// What is done.
    pub name: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// What was found, as it may be shown: lines, in which nothing is invisible.
    pub detail: String,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It went well.
    Passed,
    /// The message is refused here.
    Failed(SealError),
}

/// Verifies a request as a gate would at `now_s`, seconds of Unix time, with the key of the certificate in it, which
/// nobody has judged; and goes on behind a step that failed as far as the next does not need it.
///
/// It is what verification does, watched: all steps have passed where a gate that accepts the certificate would accept
/// the message.
pub fn explain(head: &RequestHead<'_>, body: &[u8], rules: &SealRules, now_s: i64) -> Vec<Step> {
    let mut recorder = Recorder { steps: Vec::new() };
    if let Ok(parsed) = Parsed::read(head, rules, &mut recorder) {
        recorder.verify(&parsed, now_s);
        recorder.digest(&parsed, body);
    }
    recorder.steps
}

struct Recorder {
    steps: Vec<Step>,
}

impl Observer for Recorder {
    fn step<T>(
        &mut self,
        name: &'static str,
        result: Result<T, SealError>,
        detail: impl FnOnce(&T) -> String,
    ) -> Result<T, SealError> {
        let (outcome, detail) = match &result {
            Ok(value) => (Outcome::Passed, detail(value)),
            Err(error) => (Outcome::Failed(error.clone()), error.to_string()),
        };
        self.steps.push(Step { name, outcome, detail: visible(&detail) });
        result
    }
}

impl Recorder {
    fn verify(&mut self, parsed: &Parsed, now_s: i64) {
        let Ok(certificate) = TbsCertificate::from_der(parsed.certificate()) else { return };
        let key = parsed.key(certificate.subject_public_key_info);
        let key = self.step("key", key, |key| {
            let subject = distinguished_name(certificate.subject).unwrap_or_default();
            format!("{} of {subject}", key.kind.algorithm)
        });
        if let Ok(key) = key {
            let algorithm = self.step("algorithm", parsed.algorithm(&key), ToString::to_string);
            if let Ok(algorithm) = algorithm {
                let verdict = parsed.demand_signature(&key, algorithm);
                let _ = self.step("signature", verdict, |()| "it is the key's".to_owned());
            }
        }
        let _ = self.step("time", parsed.demand_fresh(now_s), |()| format!("recent at {now_s}"));
    }

    fn digest(&mut self, parsed: &Parsed, body: &[u8]) {
        let mut digest = parsed.digest().begin();
        digest.update(body);
        let lines = digest.clone().comparisons().map(|pair| {
            format!("{}: announced {}, computed {}", pair.algorithm, pair.announced, pair.computed)
        });
        let lines: Vec<_> = lines.collect();
        let detail = if lines.is_empty() { "there is no body".to_owned() } else { lines.join("\n") };
        let _ = self.step("digest", digest.finish(), |()| detail);
    }
}

/// As it may be shown; line breaks stay.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character == '\n' || is_visible(character) {
            true => shown.push(character),
            false => shown.extend(character.escape_default()),
        }
    }
    shown
}
