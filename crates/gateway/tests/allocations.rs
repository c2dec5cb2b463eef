//! How often a shard asks for memory: for a handshake and for a request on a kept connection. A new allocation on the hot path
//! fails here.
//!
//! The allocator counts for the whole process, so the client and the backend are another one: the other test of this file, which
//! this one starts. What aws-lc allocates in C is not counted, and no metrics are recorded. The figures are in
//! `benches/README.md`; `-- --nocapture` prints them.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

#[path = "allocations/client.rs"]
mod client;

use std::{
    alloc::System,
    env,
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    num::NonZeroUsize,
    process::{Child, ChildStderr, ChildStdin, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use portcullis_gateway::{
    Gateway, KeyRing, Published, SightingSinks, StartError,
    plan::{
        Action, Alpn, Answer, AnswerBody, CachePlan, CertificatePlan, HandOffFields, IoChoice, KeyExchange,
        Limits, ListenerPlan, Plan, Policies, Resumption, ResumptionPlan, RuntimePlan, SpoolPlan, TlsPlan,
        UpstreamConfig, UpstreamPlan,
    },
    sightings,
};
use portcullis_identity::Roles;
use portcullis_policy::{
    ClientAuth, HostName, Ledger, Lists, Mode, Profile, Refusals, Route, RouteTable, Rules, Snapshot,
    TrustDomain,
};
use portcullis_telemetry::{RecordSinks, record_log};
use portcullis_test_pki::{Authority, Credential, Role, ServerCertificate, TppCertificate};
use portcullis_trust::Anchors;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Handshakes, or requests, over which a figure is taken.
const COUNT: usize = 100;

/// How often so many of each may ask for memory, growth in place included: what was measured on `io_uring`, which asks a little more
/// often than epoll, and about half a time for each. Signatures differ in length, so that figures are not whole. What a client of
/// TLS 1.2 says behind a resumed handshake comes with its last flight or by itself, which is one more.
const CEILINGS: [(&str, usize); 6] = [
    ("full", 14_760),
    ("full, tls 1.2", 12_640),
    ("resumed", 14_880),
    ("resumed, tls 1.2", 11_960),
    ("answered", 750),
    ("proxied", 1_250),
];

/// The same of a full handshake where the verdict is not remembered.
const NOT_REMEMBERED: (&str, usize) = ("full, not remembered", 18_850);

#[test]
fn a_shard_allocates_no_more_than_is_known() {
    let bank = Bank::new();
    let mut peer = Peer::start(&bank);
    let remembers = CachePlan::default();
    let forgets = CachePlan { capacity: 0, ..remembers };
    let mut excess = Vec::new();
    for io in [IoChoice::Epoll, IoChoice::IoUring] {
        let Some(gateway) = bank.open(io, remembers, peer.backend) else { continue };
        for known in CEILINGS {
            excess.extend(peer.measure(&gateway, known));
        }
        close(gateway);
        let Some(gateway) = bank.open(io, forgets, peer.backend) else { continue };
        excess.extend(peer.measure(&gateway, NOT_REMEMBERED));
        close(gateway);
    }
    assert!(excess.is_empty(), "{excess:#?}");
}

fn close(gateway: Gateway) {
    gateway.drain();
    assert!(gateway.join());
}

/// A gate with one listener, and whom it believes.
struct Bank {
    qtsp: Authority,
    server: Credential,
    server_root: String,
}

impl Bank {
    fn new() -> Self {
        let authority = Authority::bank().unwrap();
        let server = ServerCertificate::new(["api.bank.example"]).issue(&authority).unwrap();
        Self { qtsp: Authority::qtsp().unwrap(), server, server_root: authority.root_pem() }
    }

    /// A shard at work; `None` where `io_uring` is not to be had.
    fn open(&self, io: IoChoice, cache: CachePlan, backend: SocketAddr) -> Option<Gateway> {
        let runtime = RuntimePlan {
            shards: NonZeroUsize::MIN,
            cpus: Vec::new(),
            io,
            drain_timeout: Duration::from_secs(10),
            spool: SpoolPlan { directory: env::temp_dir(), bytes_max: 0 },
        };
        let plan = self.plan(cache, backend);
        let published = Published {
            plan: Arc::new(ArcSwap::from_pointee(plan)),
            ledger: Arc::new(ArcSwap::from_pointee(Ledger::default())),
        };
        let records = RecordSinks { access: record_log().0, audit: record_log().0 };
        let sightings = SightingSinks { status: sightings().0, keys: sightings().0 };
        match Gateway::start(&runtime, &published, (&records, &sightings), Arc::default()) {
            Err(StartError::NoIoUring(_)) => None,
            started => Some(started.unwrap()),
        }
    }

    fn plan(&self, cache: CachePlan, backend: SocketAddr) -> Plan {
        let by_hand = Arc::new(Anchors::from_pem(self.qtsp.root_pem().as_bytes()).unwrap());
        let rules = Rules::of(Profile::Psd2);
        let name = HostName::new("api.bank.example");
        let domain = TrustDomain {
            name: "tpp/api.bank.example".to_owned(),
            hosts: vec![name.clone()],
            client_auth: ClientAuth::new(Mode::Required, rules, Refusals::Handshake, by_hand, Lists::Ignored),
        };
        let route = |path| Route::new(path, None, Roles::default()).unwrap();
        let routes = RouteTable::new(vec![route("/answered"), route("/proxied")]).unwrap();
        let policy = Snapshot::after(&Snapshot::default(), vec![domain], routes);
        let certificate = CertificatePlan {
            names: vec![name],
            default: true,
            chain: self.server.chain(),
            key: self.server.key(),
            domain: policy.domain_named("tpp/api.bank.example").unwrap(),
        };
        let body = AnswerBody::Fixed(Bytes::from_static(b"welcome"));
        let answer = Answer { status: StatusCode::OK, headers: HeaderMap::new(), body };
        let target = UpstreamConfig::new("backend".to_owned(), vec![backend]);
        Plan {
            policy,
            listeners: vec![listener(certificate)],
            actions: vec![Action::Respond(answer), Action::Forward(0)],
            upstreams: vec![UpstreamPlan {
                target,
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
            cache,
            access_log: false,
            audit_log: false,
        }
    }
}

fn listener(certificate: CertificatePlan) -> ListenerPlan {
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

/// The process of the client and the backend.
struct Peer {
    process: Child,
    orders: ChildStdin,
    replies: BufReader<ChildStderr>,
    backend: SocketAddr,
    reply: String,
}

impl Peer {
    fn start(bank: &Bank) -> Self {
        let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
        let tpp = tpp.issue(&bank.qtsp).unwrap();
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "client::works_to_order", "--ignored", "--nocapture"])
            .env(client::ROOT, &bank.server_root)
            .env(client::CHAIN, tpp.chain_pem())
            .env(client::KEY, tpp.key_pem())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = process.stdin.take().unwrap();
        let mut replies = BufReader::new(process.stderr.take().unwrap());
        let mut reply = String::with_capacity(1024);
        replies.read_line(&mut reply).unwrap();
        let backend = reply.trim().parse().unwrap();
        Self { process, orders, replies, backend, reply }
    }

    /// Has the work done that has a name, and says so where it took more than its ceiling.
    fn measure(&mut self, gateway: &Gateway, (work, ceiling): (&str, usize)) -> Option<String> {
        let address = gateway.addresses()[0].1;
        writeln!(self.orders, "{address} {COUNT} {work}").unwrap();
        self.expect(client::READY);
        // The lowest round counts: housekeeping goes on meanwhile.
        let rounds: [_; client::ROUNDS] = std::array::from_fn(|_| {
            let region = Region::new(ALLOCATOR);
            writeln!(self.orders).unwrap();
            self.expect(client::DONE);
            let change = region.change();
            (change.allocations + change.reallocations, change.bytes_allocated)
        });
        let (times, bytes) = rounds.into_iter().min().unwrap();
        let io = gateway.io_backend().as_str();
        let line = format!("{COUNT} times {work}, {io}: {times} allocations, {bytes} bytes");
        eprintln!("{line}");
        (times > ceiling).then(|| format!("{line}; known are {ceiling} allocations"))
    }

    fn expect(&mut self, reply: &str) {
        self.reply.clear();
        self.replies.read_line(&mut self.reply).unwrap();
        if self.reply.trim_end() != reply {
            let mut rest = String::new();
            self.replies.read_to_string(&mut rest).unwrap();
            panic!("the client said {}{rest}", self.reply);
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
