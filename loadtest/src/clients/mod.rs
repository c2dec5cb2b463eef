//! The clients that make the load: who they are, which of them is next, and what is expected of each.
//!
//! A set is made before the load starts and is shared by all threads. Each thread has a [`Draw`] of its own, with which
//! [`ClientSet::choose`] takes the client of the thread's next connection.

pub(crate) mod arguments;

mod crowd;
mod draw;
mod expectation;
mod folder;
mod issuance;
mod kind;
mod outcomes;
mod roster;

use std::sync::Arc;

use anyhow::{Result, bail};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

pub(crate) use self::draw::Draw;
pub(crate) use self::expectation::Verdict;
pub(crate) use self::issuance::{issuing_ca, serial_number, tpp_certificate};
pub(crate) use self::kind::{Kind, Share};
pub(crate) use self::outcomes::ClientOutcomes;

use self::arguments::ClientArguments;
use self::crowd::Crowd;
use self::draw::Distribution;
use self::expectation::Expectation;
use self::kind::Mix;
use self::roster::Roster;
use crate::arguments::SessionArguments;
use crate::tickets::Tickets;

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    /// Its place in the set, from 0.
    pub(crate) number: usize,
    /// What is wrong with it.
    pub(crate) kind: Kind,
    /// TLS settings, with its certificate if it has one.
    pub(crate) config: Arc<ClientConfig>,
    /// How its operations are to end.
    pub(crate) expectation: Arc<Expectation>,
}

/// All clients of a run, those of a kind side by side.
#[derive(Debug)]
pub(crate) struct ClientSet {
    clients: Vec<Client>,
    groups: [Option<Group>; Kind::ALL.len()],
    mix: Mix,
    seed: u64,
    /// Certificates that clients have; 0 if the one client has none.
    certificates: usize,
    /// Where each connection has a certificate of its own.
    crowd: Option<Arc<Crowd>>,
    /// Different keys among them.
    pub(crate) keys: usize,
}

/// The clients of one kind.
#[derive(Clone, Copy, Debug)]
struct Group {
    first: usize,
    distribution: Distribution,
}

impl ClientSet {
    /// Reads or makes the clients that the arguments name. `base` is what they have in common: TLS settings without a
    /// certificate. Each keeps its sessions where some shall be resumed.
    pub(crate) fn prepare(
        session: &SessionArguments,
        base: &ClientConfig,
        keeps_sessions: bool,
    ) -> Result<Self> {
        let arguments = &session.clients;
        let Roster { kinds, keys } = Roster::gather(session, base.crypto_provider())?;
        let mut set = Self {
            clients: Vec::new(),
            groups: [None; Kind::ALL.len()],
            mix: Mix::new(&arguments.bad)?,
            seed: arguments.seed,
            certificates: kinds.iter().map(|(_, certified)| certified.len()).sum(),
            keys,
            crowd: None,
        };
        for (kind, certified) in kinds {
            let mut configs: Vec<ClientConfig> = match certified.as_slice() {
                [] => vec![base.clone()],
                certified => certified.iter().map(|certified| with_certificate(base, certified)).collect(),
            };
            // A session belongs to the certificate that began it.
            for config in configs.iter_mut().filter(|_| keeps_sessions) {
                config.resumption = Resumption::store(Arc::new(Tickets::default()));
            }
            set.add(arguments, kind, configs, Expectation::usual(kind))?;
        }
        Ok(set)
    }

    /// One foreign client, who has another certificate at each connection.
    pub(crate) fn crowd(session: &SessionArguments, base: &ClientConfig) -> Result<Self> {
        let arguments = &session.clients;
        if session.cert.is_some() || arguments.names_clients() {
            bail!(
                "a crowd makes its own certificates: --cert, --clients, --clients-dir and --bad are not for it"
            );
        }
        let crowd = Arc::new(Crowd::new()?);
        let mut set = Self {
            clients: Vec::new(),
            groups: [None; Kind::ALL.len()],
            mix: Mix::only(Kind::Foreign),
            seed: arguments.seed,
            certificates: 0,
            keys: 1,
            crowd: Some(Arc::clone(&crowd)),
        };
        let mut config = base.clone();
        config.client_auth_cert_resolver = crowd;
        set.add(arguments, Kind::Foreign, vec![config], Expectation::refusal())?;
        Ok(set)
    }

    /// Certificates that clients have, or have had so far.
    pub(crate) fn certificates(&self) -> u64 {
        self.crowd.as_ref().map_or(self.certificates as u64, |crowd| crowd.made())
    }

    /// The choices of a thread, from their beginning.
    pub(crate) fn draw(&self, thread: u64) -> Draw {
        Draw::new(self.seed, thread, self.mix.clone())
    }

    /// The client of the next connection.
    pub(crate) fn choose(&self, draw: &mut Draw) -> &Client {
        let kind = draw.kind();
        self.choose_of(kind, draw)
    }

    /// A client of a kind that has a share.
    pub(crate) fn choose_of(&self, kind: Kind, draw: &mut Draw) -> &Client {
        let group = self.groups[kind as usize].expect("a kind that has a share has clients");
        &self.clients[group.first + draw.index(&group.distribution)]
    }

    /// How many are good. They come first.
    pub(crate) fn good(&self) -> usize {
        self.clients.partition_point(|client| client.kind == Kind::Good)
    }

    /// A client by its number.
    pub(crate) fn client(&self, number: usize) -> &Client {
        &self.clients[number]
    }

    fn add(
        &mut self,
        arguments: &ClientArguments,
        kind: Kind,
        configs: Vec<ClientConfig>,
        usual: Expectation,
    ) -> Result<()> {
        let first = self.clients.len();
        let count = u32::try_from(configs.len())?;
        let distribution = Distribution::new(arguments.choice, arguments.zipf_exponent, count)?;
        self.groups[kind as usize] = Some(Group { first, distribution });
        let expectation = Arc::new(expectation(arguments, kind, usual)?);
        self.clients.extend(configs.into_iter().enumerate().map(|(index, config)| Client {
            number: first + index,
            kind,
            config: Arc::new(config),
            expectation: Arc::clone(&expectation),
        }));
        Ok(())
    }
}

/// The common settings with a certificate.
fn with_certificate(base: &ClientConfig, certified: &Arc<CertifiedKey>) -> ClientConfig {
    let mut config = base.clone();
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(Arc::clone(certified)));
    config
}

/// What was said of a kind, or what is usual.
fn expectation(arguments: &ClientArguments, kind: Kind, usual: Expectation) -> Result<Expectation> {
    let mut said = arguments.expect.iter().filter(|expected| expected.kind == kind);
    let expectation = said.next().map_or(usual, |said| said.expectation.clone());
    if said.next().is_some() {
        bail!("--expect names {} twice", kind.name());
    }
    Ok(expectation)
}
