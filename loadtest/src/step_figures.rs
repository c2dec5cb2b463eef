//! What a report says of a step of a scenario.

use serde::Serialize;

use crate::outcomes::{OutcomeFigures, Outcomes};
use crate::plan::PlannedStep;
use crate::scenario::StepWork;

/// A step, and what its operations came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StepFigures {
    pub(crate) name: String,
    #[serde(rename = "do")]
    work: StepWork,
    client: &'static str,
    weight: u32,
    #[serde(flatten)]
    pub(crate) outcomes: OutcomeFigures,
}

impl StepFigures {
    /// The figures of a step.
    pub(crate) fn of(step: &PlannedStep, outcomes: &Outcomes) -> Self {
        Self {
            name: step.name.clone(),
            work: step.work,
            client: step.client.name(),
            weight: step.weight,
            outcomes: outcomes.figures(),
        }
    }
}
