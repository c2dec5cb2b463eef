//! A gate with one backend behind it, and a client in front.

use std::net::SocketAddr;

use portcullis_test_pki::Role;

use crate::{Backend, Configuration, Gate, H2Client, HOST, Site, TlsClient, TlsConnection, eventually};

/// Descriptors that may differ for no fault of the gate: a scrape that is just ending.
const DESCRIPTORS_SLACK: usize = 3;

/// The whole way of a request.
#[derive(Debug)]
pub struct Passage {
    /// Certificates and files.
    pub site: Site,
    /// Where requests arrive.
    pub backend: Backend,
    /// What they pass.
    pub gate: Gate,
    /// A client with the role that the route asks for.
    pub client: TlsClient,
    descriptors: usize,
}

impl Passage {
    /// Starts a gate in front of `backend`; `lines` are further ones of the upstream, `limits` those of the listener.
    #[must_use]
    pub fn start(binary: &str, backend: Backend, lines: &str, limits: &str) -> Self {
        let configuration = Configuration::passing_on(&[backend.address()], lines).limits(limits);
        Self::start_with(binary, backend, &configuration)
    }

    /// As [`start`](Self::start), with a configuration that leads to the backend.
    #[must_use]
    pub fn start_with(binary: &str, backend: Backend, configuration: &Configuration) -> Self {
        let site = Site::new();
        let gate = Gate::start(binary, &site, configuration);
        let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
        // A scrape first: what the admin listener opens once stays open.
        let _ = gate.metrics();
        let descriptors = gate.process().descriptor_count();
        Self { site, backend, gate, client, descriptors }
    }

    /// Where the gate listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.gate.address("tpp")
    }

    /// A new connection for HTTP/1.1.
    ///
    /// # Panics
    ///
    /// When the client is refused.
    #[must_use]
    pub fn http1(&self) -> TlsConnection {
        self.client.connect(self.address()).expect("a session")
    }

    /// A new connection for h2.
    ///
    /// # Panics
    ///
    /// When the client is refused.
    #[must_use]
    pub fn h2(&self) -> H2Client {
        H2Client::connect(&self.client, self.address()).expect("a session")
    }

    /// The status of a GET by HTTP/1.1 and of one by h2, each on a connection of its own, and the code where it is a problem.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    #[must_use]
    pub fn statuses(&self, path: &str) -> [(u16, String); 2] {
        let http1 = self.http1().get(path).unwrap_or_else(|refusal| panic!("{path}: {refusal:?}"));
        let h2 = self.h2().get(HOST.as_bytes(), path.as_bytes());
        let h2 = h2.unwrap_or_else(|refusal| panic!("{path}: {refusal:?}"));
        [(http1.status, problem_code(&http1.body)), (h2.status, problem_code(&h2.body))]
    }

    /// Ends the backend and sees that the gate has kept nothing of what went through it. Clients must be gone.
    ///
    /// # Panics
    ///
    /// When connections or descriptors are left, or the framing of a request was wrong.
    pub fn settle(mut self) {
        self.backend.stop();
        assert_eq!(self.backend.faults(), [""; 0]);
        eventually("no connection is left open", || {
            self.gate.metrics().sum("portcullis_connections", &[]) == 0.0
        });
        eventually("descriptors are as before", || {
            self.gate.process().descriptor_count() <= self.descriptors + DESCRIPTORS_SLACK
        });
    }
}

/// The code of a problem document; empty for any other body.
#[must_use]
pub fn problem_code(body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    problem.get("code").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}
