//! `loadtest compare`: gives servers the same work, in interleaved rounds, and says what it cost them.
//!
//! Each server has one thread on one core; the load and the backend have another. All have the same certificates, require and
//! verify the client's, with its intermediate, resume nothing and send no tickets unless that is what is measured, write no
//! access log, and have no limit of requests on a connection. What is proxied carries the client's certificate in
//! `Client-Cert`, which is proved of each server before anything is measured.

mod arguments;
mod backend;
mod certificates;
mod comparison;
mod configuration;
mod hand_off;
mod interrupt;
mod load;
mod machine;
mod measure;
mod outcome;
mod page;
mod probe;
mod process;
mod rounds;
mod server;
mod summary;
mod tables;
mod work_directory;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

pub(crate) use self::arguments::CompareArguments;
pub(crate) use self::interrupt::Interrupt;
pub(crate) use self::process::{Launch, ask};
pub(crate) use self::work_directory::WorkDirectory;

use self::backend::Backend;
use self::certificates::Certificates;
use self::comparison::{Comparison, MeasureReport, ServerReport};
use self::hand_off::Form;
use self::load::Load;
use self::measure::Measure;
use self::probe::Probe;
use self::rounds::{Contender, Origin, Outcomes, Rounds};
use self::server::Place;
use crate::driver;
use crate::peers::Peer;

/// Compares, prints, and writes the files that were asked for. Status 1 if a figure is void.
pub(crate) fn run(arguments: &CompareArguments) -> Result<ExitCode> {
    arguments.check()?;
    let interrupt = Interrupt::listen()?;
    let work = WorkDirectory::make()?;
    let contenders = contenders(arguments, work.path(), &interrupt)?;
    if let Some(directory) = &arguments.out {
        fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    }
    // This program waits most of the time; what it does is not to be done on the servers' core.
    driver::pin(&arguments.load_cpu[..1])?;
    driver::raise_descriptor_limit()?;
    let comparison = compare(arguments, &contenders, &work, &interrupt)?;
    if let Some(complaint) = comparison.complaint() {
        eprintln!("loadtest: {complaint}");
    }
    let text = tables::text(&comparison) + "\n" + &tables::markdown(&comparison);
    io::stdout().write_all(text.as_bytes()).context("standard output")?;
    if let Some(directory) = &arguments.out {
        let json = serde_json::to_string_pretty(&comparison)? + "\n";
        write(&directory.join("compare.json"), &json)?;
        write(&directory.join("compare.html"), &page::page(&comparison)?)?;
    }
    Ok(if comparison.complaint().is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

/// The servers that take part. One that is not here is named with the package that brings it, and left out.
fn contenders(
    arguments: &CompareArguments,
    directory: &Path,
    interrupt: &Interrupt,
) -> Result<Vec<Contender>> {
    let places = arguments.places.places();
    let mut contenders = Vec::new();
    for peer in arguments.peers() {
        match places.find(peer, directory, interrupt)? {
            Some(found) => {
                eprintln!("{peer}: {}, {}", found.version, found.tls);
                contenders
                    .push(Contender { name: peer.to_string(), origin: Origin::Started { peer, found } });
            }
            None => eprintln!("skipped: {peer} is missing: {}", peer.package()),
        }
    }
    for extra in &arguments.extra {
        let origin = Origin::Running { address: extra.address, pid: extra.pid };
        contenders.push(Contender { name: extra.name.clone(), origin });
    }
    if contenders.is_empty() {
        bail!("no server can take part");
    }
    Ok(contenders)
}

fn compare(
    arguments: &CompareArguments,
    contenders: &[Contender],
    work: &WorkDirectory,
    interrupt: &Interrupt,
) -> Result<Comparison> {
    let own = std::env::current_exe().context("the path of this program")?;
    let pki = arguments.pki.clone().unwrap_or_else(|| work.path().join("pki"));
    let certificates = Certificates::in_directory(&pki, arguments.anchor)?;
    let probe = Probe::new(&certificates)?;
    let port = arguments.backend_port.unwrap_or_default();
    let backend = Backend::start(&own, port, arguments.load_cpu[0], work.path(), interrupt)?;
    let measures = arguments.measures();
    let cipher = arguments.cipher();
    let mut rounds = Rounds {
        contenders,
        measures: &measures,
        place: Place {
            work: work.path(),
            certificates: &certificates,
            probe: &probe,
            backend_port: backend.port(),
            cpus: &arguments.server_cpu,
        },
        load: Load {
            own,
            certificates: &certificates,
            cpus: &arguments.load_cpu,
            connections: arguments.connections,
            cipher: &cipher,
            scale: arguments.scale(),
            work: work.path(),
        },
        backend: &backend,
        interrupt,
        running: BTreeMap::new(),
    };
    let forms = rounds.prove_hand_off()?;
    let outcomes = rounds.run(arguments.rounds())?;
    conclude(arguments, contenders, &measures, &forms, &outcomes)
}

fn conclude(
    arguments: &CompareArguments,
    contenders: &[Contender],
    measures: &[Measure],
    forms: &[Option<Form>],
    outcomes: &Outcomes,
) -> Result<Comparison> {
    let servers: Vec<_> =
        contenders.iter().zip(forms).map(|(contender, form)| ServerReport::new(contender, *form)).collect();
    let measures = measures.iter().zip(&outcomes.by_measure);
    let measures = measures.map(|(measure, measured)| MeasureReport::new(measure, &servers, measured));
    Ok(Comparison {
        command: "compare",
        command_line: command_line(),
        date: machine::today()?,
        machine: machine::processor(),
        kernel: machine::kernel(),
        server_cpus: arguments.server_cpu.clone(),
        load_cpus: arguments.load_cpu.clone(),
        anchor: arguments.anchor(),
        cipher: arguments.cipher(),
        connections: arguments.connections,
        rounds: arguments.rounds(),
        scale: arguments.scale(),
        measures: measures.collect(),
        servers,
        floor_us: outcomes.floor_us,
    })
}

impl ServerReport {
    fn new(contender: &Contender, hand_off: Option<Form>) -> Self {
        let (is_base, version, tls) = match &contender.origin {
            Origin::Started { peer, found } => {
                (!Peer::is_portcullis(*peer), Some(found.version.clone()), Some(found.tls.clone()))
            }
            Origin::Running { .. } => (false, None, None),
        };
        Self { name: contender.name.clone(), is_base, version, tls, hand_off }
    }
}

/// How this program was called, without the directory that it lies in.
fn command_line() -> String {
    let words = std::env::args().skip(1);
    std::iter::once("loadtest".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
