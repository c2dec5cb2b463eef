//! What a request on a kept connection costs a shard: its head is read and routed, the client's identity handed on, and both bodies relayed.
//! And what a connection does, with a full handshake or a resumed one, one request that the shard answers, and its end: what that costs beyond
//! the `handshake` benchmark is sockets, HTTP and records.
//!
//! The gate's sockets are those of the kernel, so this goes over loopback: a whole shard in this process, with a client and a backend on
//! other threads. Only the CPU time of the shard's thread is counted, by its own account in `/proc`; the kernel's part of sending is in
//! it, and most of it on loopback. TLS 1.3 to the client, HTTP/1.1 on both sides.
#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![allow(clippy::unwrap_used, reason = "a benchmark's own input")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, StatusCode};
use portcullis_gateway::plan::{
    Action, Alpn, Answer, AnswerBody, CachePlan, CertificatePlan, HandOffFields, IoChoice, KeyExchange,
    Limits, ListenerPlan, Plan, Policies, Resumption, ResumptionPlan, RuntimePlan, SpoolPlan, TlsPlan,
    UpstreamConfig, UpstreamPlan,
};
use portcullis_gateway::{Gateway, KeyRing, Published, SightingSinks, StartError, sightings};
use portcullis_identity::Roles;
use portcullis_policy::{
    ClientAuth, HostName, Ledger, Lists, Mode, Profile, Refusals, Route, RouteTable, Rules, Snapshot,
    TrustDomain,
};
use portcullis_telemetry::{RecordSinks, record_log};
use portcullis_test_pki::{Authority, Credential, Role, ServerCertificate, TppCertificate};
use portcullis_trust::Anchors;
use rustls::client::Resumption as Sessions;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned, version};

const NAME: &str = "api.bank.example";
const BODIES: [usize; 3] = [7, 1024, 64 * 1024];
/// How long the gate may keep the client waiting before the benchmark has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who meets whom.
struct Bank {
    qtsp: Authority,
    bank: Authority,
    server: Credential,
    tpp: Credential,
}

/// A client's connection to a gate.
struct Client {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    body: Vec<u8>,
}

impl Bank {
    fn new() -> Self {
        let (qtsp, bank) = (Authority::qtsp().unwrap(), Authority::bank().unwrap());
        let server = ServerCertificate::new([NAME]).issue(&bank).unwrap();
        let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
        let tpp = tpp.issue(&qtsp).unwrap();
        Self { qtsp, bank, server, tpp }
    }

    /// A gate of one shard; `None` where `io_uring` is not to be had.
    fn open(&self, io: IoChoice, backend: SocketAddr) -> Option<Gateway> {
        let runtime = RuntimePlan {
            shards: NonZeroUsize::MIN,
            cpus: Vec::new(),
            io,
            drain_timeout: Duration::from_secs(10),
            spool: SpoolPlan { directory: std::env::temp_dir(), bytes_max: 0 },
        };
        let published = Published {
            plan: Arc::new(ArcSwap::from_pointee(self.plan(backend))),
            ledger: Arc::new(ArcSwap::from_pointee(Ledger::default())),
        };
        let records = RecordSinks { access: record_log().0, audit: record_log().0 };
        let sightings = SightingSinks { status: sightings().0, keys: sightings().0 };
        match Gateway::start(&runtime, &published, (&records, &sightings), Arc::default()) {
            Err(StartError::NoIoUring(_)) => None,
            started => Some(started.unwrap()),
        }
    }

    fn plan(&self, backend: SocketAddr) -> Plan {
        let by_hand = Arc::new(Anchors::from_pem(self.qtsp.root_pem().as_bytes()).unwrap());
        let rules = Rules::of(Profile::Psd2);
        let domain = TrustDomain {
            name: format!("tpp/{NAME}"),
            hosts: vec![HostName::new(NAME)],
            client_auth: ClientAuth::new(Mode::Required, rules, Refusals::Handshake, by_hand, Lists::Ignored),
        };
        let route = |path| Route::new(path, None, Roles::default()).unwrap();
        let routes = RouteTable::new(vec![route("/answered"), route("/proxied")]).unwrap();
        let policy = Snapshot::after(&Snapshot::default(), vec![domain], routes);
        let listeners = vec![self.listener(&policy)];
        let body = AnswerBody::Fixed(Bytes::from_static(b"welcome"));
        let answer = Answer { status: StatusCode::OK, headers: HeaderMap::new(), body };
        Plan {
            policy,
            listeners,
            actions: vec![Action::Respond(answer), Action::Forward(0)],
            upstreams: vec![UpstreamPlan {
                target: UpstreamConfig::new("backend".to_owned(), vec![backend]),
                hand_off: HandOffFields::ALL,
                strip: Vec::new(),
                assertion_audience: "bank".into(),
            }],
            resumption: ResumptionPlan {
                ring: Arc::new(KeyRing::random().unwrap()),
                max_age: Duration::from_secs(60 * 60),
            },
            policies: Policies::default(),
            assertions: None,
            tokens: vec![None, None],
            issuers: Vec::new(),
            sealed: vec![None, None],
            seals: Vec::new(),
            seal_policy: Snapshot::default(),
            cache: CachePlan::default(),
            access_log: false,
            audit_log: false,
        }
    }

    fn listener(&self, policy: &Snapshot) -> ListenerPlan {
        let certificate = CertificatePlan {
            names: vec![HostName::new(NAME)],
            default: true,
            chain: self.server.chain(),
            key: self.server.key(),
            domain: policy.domain_named(&format!("tpp/{NAME}")).unwrap(),
        };
        ListenerPlan {
            name: "tpp".to_owned(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            shared_port: false,
            tls: TlsPlan { tls12: true, key_exchange: vec![KeyExchange::X25519], alpn: vec![Alpn::Http1] },
            resumption: Resumption::Tickets,
            limits: Limits::default(),
            certificates: vec![certificate],
        }
    }

    /// How a client connects; each has a store of sessions of its own.
    fn client(&self, resumes: bool) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.bank.root_der().clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(self.tpp.chain(), self.tpp.key())
            .unwrap();
        if !resumes {
            config.resumption = Sessions::disabled();
        }
        Arc::new(config)
    }
}

fn connect(gateway: &Gateway, config: &Arc<ClientConfig>) -> Client {
    let socket = TcpStream::connect(gateway.addresses()[0].1).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    let tls = ClientConnection::new(Arc::clone(config), NAME.try_into().unwrap()).unwrap();
    Client { stream: BufReader::new(StreamOwned::new(tls, socket)), body: Vec::new() }
}

impl Client {
    /// Asks, and reads the whole answer.
    fn get(&mut self, path: &str) {
        write!(self.stream.get_mut(), "GET {path} HTTP/1.1\r\nHost: {NAME}\r\n\r\n").unwrap();
        let (mut line, mut length) = (String::new(), 0);
        self.stream.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
        while line != "\r\n" {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).unwrap();
    }

    fn kind(&self) -> Option<HandshakeKind> {
        self.stream.get_ref().conn.handshake_kind()
    }
}

/// A server that answers `…/N` with N bytes, each connection on a thread of its own.
fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || answer(stream.unwrap()));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut length = 0;
    while let Some(Ok(line)) = lines.next() {
        if let Some(rest) = line.strip_prefix("GET /proxied/") {
            length = rest.split(' ').next().unwrap().parse().unwrap();
        } else if line.is_empty() {
            let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
            answer.resize(answer.len() + length, b'a');
            stream.write_all(&answer).unwrap();
        }
    }
}

/// The account of the thread of the shard; one that was before has ended.
fn account() -> PathBuf {
    let mut tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let is_shard =
        |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "shard-0");
    tasks.find(is_shard).unwrap().join("schedstat")
}

/// For how long it has run.
fn worked(account: &PathBuf) -> Duration {
    let text = fs::read_to_string(account).unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// The shard's work for each of what is done so many times.
fn work(account: &PathBuf, count: u64, mut act: impl FnMut()) -> Duration {
    let before = worked(account);
    (0..count).for_each(|_| act());
    worked(account) - before
}

fn shard(criterion: &mut Criterion) {
    let (bank, backend) = (Bank::new(), backend());
    for (name, io) in [("io_uring", IoChoice::IoUring), ("epoll", IoChoice::Epoll)] {
        let Some(gateway) = bank.open(io, backend) else { continue };
        requests(criterion, name, &bank, &gateway);
        connections(criterion, name, &bank, &gateway);
        gateway.drain();
        assert!(gateway.join());
    }
}

fn requests(criterion: &mut Criterion, name: &str, bank: &Bank, gateway: &Gateway) {
    let mut group = criterion.benchmark_group("request");
    let account = account();
    let mut client = connect(gateway, &bank.client(false));
    let mut measure = |what: &str, path: &str| {
        client.get(path);
        group.bench_function(BenchmarkId::new(what, name), |bencher| {
            bencher.iter_custom(|count| work(&account, count, || client.get(path)));
        });
    };
    measure("answered itself", "/answered");
    for body in BODIES {
        measure(&format!("proxied, {body} bytes"), &format!("/proxied/{body}"));
    }
    group.finish();
}

fn connections(criterion: &mut Criterion, name: &str, bank: &Bank, gateway: &Gateway) {
    let mut group = criterion.benchmark_group("connection");
    let account = account();
    for (what, kind) in [("full", HandshakeKind::Full), ("resumed", HandshakeKind::Resumed)] {
        let config = bank.client(kind == HandshakeKind::Resumed);
        let meet = || {
            let mut client = connect(gateway, &config);
            client.get("/answered");
            client.kind()
        };
        meet();
        group.bench_function(BenchmarkId::new(what, name), |bencher| {
            bencher.iter_custom(|count| work(&account, count, || assert_eq!(meet(), Some(kind))));
        });
    }
    group.finish();
}

/// The shard works for a part of the time only, so that a second of its work takes several.
fn short() -> Criterion {
    Criterion::default().measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300))
}

criterion_group! { name = benches; config = short(); targets = shard }
criterion_main!(benches);
