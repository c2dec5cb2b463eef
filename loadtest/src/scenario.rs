//! A scenario: steps of several kinds in the shares that their weights make.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::clients::{Kind, Share};
use crate::plan;

/// Most steps. A page shows as many; there is no other reason.
const STEPS_MAX: usize = 64;
/// Greatest weight, so that sums stay far from their limits.
const WEIGHT_MAX: u32 = 1_000_000;

/// What an operation of a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StepWork {
    /// A connection of its own, with a handshake and one request.
    Handshake,
    /// A request on a connection that is kept.
    Request,
    /// A request with a body on a connection that is kept.
    Upload,
}

/// One step.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Its name in results.
    pub(crate) name: String,
    /// What is done.
    pub(crate) work: StepWork,
    /// How many of the operations, beside the weights of the others.
    pub(crate) weight: u32,
    /// Whose connection it is done on.
    pub(crate) client: Kind,
    /// The path that is asked for.
    pub(crate) path: String,
    /// Bytes of the body.
    pub(crate) body_bytes: u64,
    /// The status of the answer that lets pass.
    pub(crate) expect_status: u16,
    /// How long whoever has done it waits before the next operation.
    pub(crate) pause: Duration,
}

/// A scenario as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    step: Vec<WrittenStep>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    name: String,
    #[serde(rename = "do")]
    work: StepWork,
    #[serde(default = "one")]
    weight: u32,
    client: Option<String>,
    path: Option<String>,
    #[serde(default)]
    body_bytes: u64,
    expect_status: Option<u16>,
    pause: Option<String>,
}

fn one() -> u32 {
    1
}

/// Reads a scenario. A step without a path asks for `path`, one without a status expects `expect_status`.
pub(crate) fn read(file: &Path, path: &str, expect_status: u16) -> Result<Vec<Step>> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    parse(&text, path, expect_status).with_context(|| file.display().to_string())
}

fn parse(text: &str, path: &str, expect_status: u16) -> Result<Vec<Step>> {
    let Written { step: written } = toml::from_str(text)?;
    ensure!((1..=STEPS_MAX).contains(&written.len()), "not between 1 and {STEPS_MAX} steps");
    let mut steps: Vec<Step> = Vec::with_capacity(written.len());
    for written in written {
        let name = written.name.clone();
        let step = Step::new(written, path, expect_status).with_context(|| format!("step {name:?}"))?;
        ensure!(steps.iter().all(|earlier| earlier.name != step.name), "step {name:?} is there twice");
        steps.push(step);
    }
    Ok(steps)
}

impl Step {
    fn new(written: WrittenStep, path: &str, expect_status: u16) -> Result<Self> {
        let WrittenStep { name, work, weight, client, body_bytes, .. } = written;
        ensure!((1..=WEIGHT_MAX).contains(&weight), "weight is not between 1 and {WEIGHT_MAX}");
        match (work, body_bytes) {
            (StepWork::Upload, 0) => bail!("an upload needs body_bytes"),
            (StepWork::Handshake | StepWork::Request, 1..) => bail!("body_bytes is of uploads"),
            _ => {}
        }
        let expect_status = written.expect_status.unwrap_or(expect_status);
        ensure!(
            (200..600).contains(&expect_status),
            "expect_status {expect_status} is no status of an answer"
        );
        Ok(Self {
            name,
            work,
            weight,
            client: client.map_or(Ok(Kind::Good), |kind| Kind::named(&kind)).context("client")?,
            path: written.path.unwrap_or_else(|| path.to_owned()),
            body_bytes,
            expect_status,
            pause: written.pause.map_or(Ok(Duration::ZERO), |pause| plan::duration("pause", &pause))?,
        })
    }
}

/// The shares of the kinds of client that are not good.
pub(crate) fn shares(steps: &[Step]) -> Vec<Share> {
    let all: u32 = steps.iter().map(|step| step.weight).sum();
    let weight = |kind: Kind| steps.iter().filter(|step| step.client == kind).map(|step| step.weight).sum();
    Kind::ALL
        .into_iter()
        .filter(|kind| *kind != Kind::Good && steps.iter().any(|step| step.client == *kind))
        .map(|kind| Share::new(kind, weight(kind), all))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_read() {
        let text = r#"
            [[step]]
            name = "login"
            do = "handshake"
            weight = 3
            client = "expired"
            [[step]]
            name = "payment"
            do = "upload"
            path = "/payments"
            body_bytes = 2000
            expect_status = 201
            pause = "20ms"
        "#;
        let steps = parse(text, "/", 200).unwrap();
        assert_eq!((steps[0].client, steps[0].weight, steps[0].path.as_str()), (Kind::Expired, 3, "/"));
        assert_eq!((steps[1].expect_status, steps[1].pause), (201, Duration::from_millis(20)));
        assert_eq!(shares(&steps), ["expired=0.75".parse().unwrap()]);
    }

    #[test]
    fn the_readmes_scenario_is_one() {
        let readme = include_str!("../README.md");
        let (_, after) = readme.split_once("```toml\n").unwrap();
        let steps = parse(after.split_once("```").unwrap().0, "/", 200).unwrap();
        let weights: Vec<u32> = steps.iter().map(|step| step.weight).collect();
        assert_eq!((weights, steps[1].expect_status, steps[2].client), (vec![6, 3, 1], 201, Kind::Expired));
    }

    #[test]
    fn mistakes_are_named() {
        let step = |rest: &str| format!("[[step]]\nname = \"a\"\n{rest}\n");
        for (text, complaint) in [
            (String::new(), "step"),
            ("step = []".to_owned(), "not between 1"),
            (step("do = \"sleep\""), "sleep"),
            (step("do = \"request\"\nspeed = 3"), "speed"),
            (step("do = \"request\"\nweight = 0"), "weight"),
            (step("do = \"upload\""), "body_bytes"),
            (step("do = \"request\"\nbody_bytes = 3"), "body_bytes"),
            (step("do = \"request\"\nclient = \"late\""), "late"),
            (step("do = \"request\"\npause = \"3\""), "pause"),
            (step("do = \"request\"\nexpect_status = 7"), "expect_status"),
            (step("do = \"request\"").repeat(2), "twice"),
        ] {
            let error = format!("{:#}", parse(&text, "/", 200).unwrap_err());
            assert!(error.contains(complaint), "{text}: {error}");
        }
    }
}
