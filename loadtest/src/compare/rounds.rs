//! The rounds: every measure of every server, in turn, again and again.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::Value;

use super::backend::Backend;
use super::hand_off::{self, Form};
use super::interrupt::Interrupt;
use super::load::Load;
use super::measure::{Measure, Setup, Work};
use super::outcome::{Measurement, Outcome};
use super::server::{Place, Server, reload_signal};
use super::summary::Summary;
use crate::peers::{Found, Peer};

/// A server that takes part.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    /// Its name in this comparison.
    pub(crate) name: String,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// Where a server comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// It is started here.
    Started { peer: Peer, found: Found },
    /// It ran before, and is neither started nor ended here.
    Running { address: SocketAddr, pid: u32 },
}

/// What all measurements need.
#[derive(Debug)]
pub(crate) struct Rounds<'a> {
    pub(crate) contenders: &'a [Contender],
    pub(crate) measures: &'a [Measure],
    pub(crate) place: Place<'a>,
    pub(crate) load: Load<'a>,
    pub(crate) backend: &'a Backend,
    pub(crate) interrupt: &'a Interrupt,
    /// Servers that run, by the place of the contender and the setup.
    pub(crate) running: BTreeMap<(usize, Setup), Server>,
}

/// What the rounds came to: for each measure and each contender, a measurement of each round.
#[derive(Debug)]
pub(crate) struct Outcomes {
    pub(crate) floor_us: Option<Summary>,
    pub(crate) by_measure: Vec<Vec<Vec<Measurement>>>,
}

impl Rounds<'_> {
    /// Proves of each server that it hands the client's certificate on. A server that does not has no place here.
    pub(crate) fn prove_hand_off(&mut self) -> Result<Vec<Option<Form>>> {
        let proxied = self.measures.iter().find(|measure| measure.proxied);
        let Some(measure) = proxied else { return Ok(vec![None; self.contenders.len()]) };
        let mut forms = Vec::new();
        for (index, contender) in self.contenders.iter().enumerate() {
            let (address, _) = self.serving(index, measure.setup)?;
            let form = hand_off::prove(self.place.probe, self.place.certificates, address);
            forms.push(Some(form.with_context(|| format!("{}: the hand-off", contender.name))?));
        }
        Ok(forms)
    }

    /// Makes the rounds.
    pub(crate) fn run(&mut self, rounds: u32) -> Result<Outcomes> {
        let mut by_measure = vec![vec![Vec::new(); self.contenders.len()]; self.measures.len()];
        for round in 1..=rounds {
            for (measure, measured) in self.measures.iter().zip(&mut by_measure) {
                for (index, contender) in self.contenders.iter().enumerate() {
                    self.interrupt.check()?;
                    let measurement = self
                        .measure(measure, index)
                        .with_context(|| format!("round {round}: {}: {}", measure.name, contender.name))?;
                    announce(round, measure, contender, &measurement);
                    measured[index].push(measurement);
                }
            }
        }
        let all = by_measure.iter().flatten().flatten();
        let measured = all.filter(|measurement| matches!(measurement.outcome, Outcome::Figure(_)));
        let floors_us: Vec<_> = measured.filter_map(|measurement| measurement.floor_us).collect();
        Ok(Outcomes { floor_us: Summary::of(&floors_us), by_measure })
    }

    fn measure(&mut self, measure: &Measure, index: usize) -> Result<Measurement> {
        if let Some(why) = self.cannot(measure, index) {
            return Ok(Measurement::none(why));
        }
        let mut own = None;
        let (address, pid) = if let (true, Origin::Started { peer, found }) =
            (measure.wants_a_new_server(), &self.contenders[index].origin)
        {
            // Memory that a server has had it seldom gives back, and one that reloaded is not what it was.
            let server = own.insert(Server::start(*peer, found, measure.setup, &self.place, self.interrupt)?);
            (server.address(), server.pid())
        } else {
            self.serving(index, measure.setup)?
        };
        let before = measure.proxied.then(|| self.backend.stats()).transpose()?;
        let server = (address, pid, self.place.cpus[0]);
        let report = self.load.run(measure, server, self.interrupt, || {
            if let (Work::Reload, Some(server)) = (measure.work, &mut own) {
                server.reload(self.place.certificates)?;
            }
            Ok(())
        })?;
        let reloads = match (measure.work, &own) {
            (Work::Reload, Some(server)) => server.reloads(self.place.probe, self.interrupt)?,
            _ => Ok(0),
        };
        let reloads = match reloads {
            Ok(reloads) => reloads,
            Err(why) => return Ok(Measurement::none(why)),
        };
        let outcome = Outcome::read(measure, self.load.asked(measure), &report, reloads);
        let floor_us = report.get("floor_us").and_then(Value::as_f64);
        let (Outcome::Figure(_), Some(before)) = (&outcome, before) else {
            return Ok(Measurement { outcome, floor_us });
        };
        let streams =
            if let Work::Request { streams: Some(streams), .. } = measure.work { streams } else { 1 };
        let in_flight = u64::from(self.load.connections) * u64::from(streams);
        let proof = self.backend.stats()?.prove_reuse(before, self.load.requests(measure), in_flight);
        let outcome = proof.err().map_or(outcome, |error| Outcome::Void(error.to_string()));
        Ok(Measurement { outcome, floor_us })
    }

    /// Why a measure cannot be made of a contender, if it cannot.
    fn cannot(&self, measure: &Measure, index: usize) -> Option<String> {
        let Setup { cores, .. } = measure.setup;
        if cores > self.place.cpus.len() {
            return Some(format!("needs {cores} cores of --server-cpu beside those of --load-cpu"));
        }
        match &self.contenders[index].origin {
            Origin::Started { peer, .. } if measure.setup.reloads && reload_signal(*peer).is_none() => {
                Some("no signal makes it reload".to_owned())
            }
            Origin::Running { .. }
                if measure.wants_a_new_server() || measure.setup != Measure::ALL[0].setup =>
            {
                Some("not started here".to_owned())
            }
            _ => None,
        }
    }

    /// The address and the process of a contender in a setup, started if it is not running.
    fn serving(&mut self, index: usize, setup: Setup) -> Result<(SocketAddr, u32)> {
        let (peer, found) = match &self.contenders[index].origin {
            Origin::Running { address, pid } => return Ok((*address, *pid)),
            Origin::Started { peer, found } => (*peer, found),
        };
        if let Some(server) = self.running.get(&(index, setup)) {
            return Ok((server.address(), server.pid()));
        }
        let server = Server::start(peer, found, setup, &self.place, self.interrupt)?;
        let serving = (server.address(), server.pid());
        self.running.insert((index, setup), server);
        Ok(serving)
    }
}

fn announce(round: u32, measure: &Measure, contender: &Contender, measurement: &Measurement) {
    let text = match &measurement.outcome {
        Outcome::Figure(figure) => {
            let times = measurement.over_floor().map(|times| format!(", {times:.2} of the floor"));
            format!("{figure:.1} {}{}", measure.unit().symbol(), times.unwrap_or_default())
        }
        Outcome::None(why) => why.clone(),
        Outcome::Void(why) => format!("void: {why}"),
    };
    eprintln!("round {round}  {}  {}  {text}", measure.name, contender.name);
}
