//! The servers of one upstream, as one shard keeps them.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use portcullis_telemetry::UpstreamMetrics;

use crate::{
    UpstreamConfig, UpstreamError,
    connection::{Connection, Place},
};

/// How long a server that could not be reached is passed over while there are others.
const DOWN_TIME: Duration = Duration::from_secs(1);

/// An upstream of one shard: its servers and the connections that wait for use.
#[derive(Debug)]
pub struct Upstream {
    config: UpstreamConfig,
    servers: Vec<Server>,
    /// Which server is next.
    turn: Cell<usize>,
    connections: Rc<Cell<usize>>,
    is_retired: Cell<bool>,
    pub(crate) metrics: Rc<UpstreamMetrics>,
}

#[derive(Debug, Default)]
struct Server {
    /// The longest unused in front.
    idle: RefCell<VecDeque<Connection>>,
    down_until: Cell<Option<Instant>>,
}

impl Upstream {
    /// An upstream without connections.
    pub fn new(config: UpstreamConfig, shard: usize) -> Self {
        Self {
            servers: config.servers.iter().map(|_| Server::default()).collect(),
            metrics: Rc::new(UpstreamMetrics::register(&config.name, shard)),
            config,
            turn: Cell::new(0),
            connections: Rc::default(),
            is_retired: Cell::new(false),
        }
    }

    /// As configured.
    pub fn config(&self) -> &UpstreamConfig {
        &self.config
    }

    /// Closes what has waited too long or was closed by its server. To be called from time to time.
    pub fn sweep(&self, now: Instant) {
        for server in &self.servers {
            server.idle.borrow_mut().retain_mut(|connection| {
                !connection.has_rested_for(self.config.idle_timeout, now) && connection.is_fresh()
            });
        }
    }

    /// Keeps no connection any more: what is under way ends, and no request will come.
    pub fn retire(&self) {
        self.is_retired.set(true);
        self.servers.iter().for_each(|server| server.idle.borrow_mut().clear());
    }

    /// A connection to the server whose turn it is, else to the next that can be reached.
    pub(crate) async fn connect(&self, allow_reuse: bool) -> Result<Connection, UpstreamError> {
        let first = self.turn.get();
        self.turn.set((first + 1) % self.servers.len());
        // The usual case, which needs no list.
        if allow_reuse
            && !self.is_down(first, Instant::now())
            && let Some(connection) = self.idle(first)
        {
            return Ok(connection);
        }
        // Boxed: most exchanges need no room for it.
        Box::pin(self.connect_in_turn(first, allow_reuse)).await
    }

    /// A connection to the first that can be reached from this one on.
    async fn connect_in_turn(&self, first: usize, allow_reuse: bool) -> Result<Connection, UpstreamError> {
        let (count, now) = (self.servers.len(), Instant::now());
        // Those passed over come last rather than never: they may be all there is.
        let mut order: Vec<usize> = (0..count).map(|step| (first + step) % count).collect();
        order.sort_by_key(|server| self.is_down(*server, now));
        let mut failure = None;
        for server in order {
            if allow_reuse && let Some(connection) = self.idle(server) {
                return Ok(connection);
            }
            let place = self
                .place()
                .ok_or(UpstreamError::Saturated { connections_max: self.config.connections_max })?;
            let address = self.config.servers[server];
            match Connection::open((server, address), self.config.connect_timeout, place).await {
                Ok(connection) => {
                    self.servers[server].down_until.set(None);
                    return Ok(connection);
                }
                Err(error) => {
                    self.servers[server].down_until.set(Some(Instant::now() + DOWN_TIME));
                    self.metrics.connect_failed(&address);
                    failure = Some(error);
                }
            }
        }
        let failure = failure.unwrap_or_else(|| io::ErrorKind::NotFound.into());
        Err(match failure.kind() {
            io::ErrorKind::TimedOut => UpstreamError::ConnectTimeout,
            _ => UpstreamError::Unreachable(failure),
        })
    }

    /// Whether the server could not be reached a moment ago.
    fn is_down(&self, server: usize, now: Instant) -> bool {
        self.servers[server].down_until.get().is_some_and(|until| until > now)
    }

    /// The connection to `server` that was last in use: the rest may then grow old and go.
    fn idle(&self, server: usize) -> Option<Connection> {
        let mut idle = self.servers[server].idle.borrow_mut();
        while let Some(mut connection) = idle.pop_back() {
            if connection.is_fresh() {
                return Some(connection);
            }
        }
        None
    }

    /// A place for one connection more, if need be that of one that waits.
    fn place(&self) -> Option<Place> {
        let take = || Place::take(&self.connections, self.config.connections_max, &self.metrics);
        take().or_else(|| {
            self.servers.iter().find_map(|server| server.idle.borrow_mut().pop_front())?;
            take()
        })
    }

    /// Takes a connection back behind a whole exchange.
    pub(crate) fn give_back(&self, connection: Connection) {
        if self.is_retired.get() {
            return;
        }
        let server = connection.server;
        if let Some(connection) = connection.rest() {
            self.servers[server].idle.borrow_mut().push_back(connection);
        }
    }
}
