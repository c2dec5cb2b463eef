//! What a handshake costs the server, without sockets: the gate's TLS configuration beside bare rustls with the same chain.
//!
//! Client and server are two ends in one thread, and only the time in which the server works is counted: it reads what the client
//! wrote, answers, makes a ticket and is dropped. P-256, X25519, AES-128, a client certificate with its intermediate under a root.
//!
//! - `gate, remembered`: the verdict is found in the cache, as for a client that has come before.
//! - `gate, judged`: the path is verified and the rules of `psd2` are applied.
//! - `rustls, path`: rustls with webpki's verifier and its own tickets.
//! - `rustls, no path`: the same, but only the signature over the handshake is verified.
//!
//! The judge is this file's: what a shard looks up beside the verdict, counts and records is not in it.
#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![allow(clippy::unwrap_used, reason = "a benchmark's own input")]

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use portcullis_cache::{CacheKey, Keep, Outcome, VerificationCache};
use portcullis_handshake::{
    ClientCertificates, ClientJudge, HandshakeContext, KeyRing, Passage, PeerChain, ServerIdentity,
    TicketEvent, Tickets, TlsParameters, server_config,
};
use portcullis_identity::{Identity, TbsCertificate, Thumbprint};
use portcullis_policy::{Evidence, Profile, Rules, Verdict, decide};
use portcullis_test_pki::{Authority, Credential, Role, ServerCertificate, TppCertificate};
use portcullis_trust::Anchors;
use rustls::client::Resumption;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::aws_lc_rs::{self, Ticketer, cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{Acceptor, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, DistinguishedName, Error,
    HandshakeKind, RootCertStore, ServerConfig, ServerConnection, SignatureScheme, SupportedProtocolVersion,
    version,
};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};

const NAME: &str = "api.bank.example";
const VERSIONS: [(&str, &SupportedProtocolVersion); 2] =
    [("tls 1.3", &version::TLS13), ("tls 1.2", &version::TLS12)];

/// Who meets whom.
struct Parties {
    qtsp: Authority,
    bank: Authority,
    server: Credential,
    client: Credential,
}

/// A server, and what judges its clients if it is the gate.
struct Server {
    config: Arc<ServerConfig>,
    judge: Option<Rc<Judge>>,
}

/// Judges as a shard does.
struct Judge {
    anchors: Anchors,
    rules: Rules,
    cache: RefCell<VerificationCache<Rc<PeerChain>>>,
}

/// Verifies what is signed over the handshake and nothing else.
#[derive(Debug)]
struct SignatureOnly(CryptoProvider);

impl Parties {
    fn new() -> Self {
        let (qtsp, bank) = (Authority::qtsp().unwrap(), Authority::bank().unwrap());
        let server = ServerCertificate::new([NAME]).issue(&bank).unwrap();
        let client = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi, Role::PspPi]);
        let client = client.issue(&qtsp).unwrap();
        Self { qtsp, bank, server, client }
    }

    /// The gate with room for so many verdicts.
    fn gate(&self, capacity: usize) -> Server {
        let ring = KeyRing::random().unwrap();
        let tickets = Tickets { ring: &ring, domain: [7; 32], max_age: Duration::from_secs(3600) };
        let parameters =
            TlsParameters { tls12: true, key_exchange: vec![kx_group::X25519], alpn: Vec::new() };
        let identity = ServerIdentity::new(&self.server.chain(), &self.server.key());
        let config =
            server_config(&parameters, identity, ClientCertificates::Required, Some(tickets)).unwrap();
        let judge = Judge {
            anchors: Anchors::from_pem(self.qtsp.root_pem().as_bytes()).unwrap(),
            rules: Rules::of(Profile::Psd2),
            cache: RefCell::new(VerificationCache::new(capacity)),
        };
        Server { config, judge: Some(Rc::new(judge)) }
    }

    fn rustls(&self, verifies_path: bool) -> Server {
        let verifier: Arc<dyn ClientCertVerifier> = if verifies_path {
            let roots = Arc::new(roots(&self.qtsp));
            WebPkiClientVerifier::builder_with_provider(roots, Arc::new(provider())).build().unwrap()
        } else {
            Arc::new(SignatureOnly(provider()))
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.server.chain(), self.server.key())
            .unwrap();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = Ticketer::new().unwrap();
        config.send_tls13_tickets = 1;
        Server { config: Arc::new(config), judge: None }
    }

    /// Each configuration has a store of sessions of its own.
    fn client(&self, version: &'static SupportedProtocolVersion, resumes: bool) -> Arc<ClientConfig> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots(&self.bank))
            .with_client_auth_cert(self.client.chain(), self.client.key())
            .unwrap();
        if !resumes {
            config.resumption = Resumption::disabled();
        }
        Arc::new(config)
    }
}

fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ],
        kx_groups: vec![kx_group::X25519],
        ..aws_lc_rs::default_provider()
    }
}

fn roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root_der().clone()).unwrap();
    roots
}

impl Server {
    /// One handshake: of which kind it was, and for how long the server worked. The client reads its ticket when all is over.
    fn shake(&self, client: &Arc<ClientConfig>) -> (HandshakeKind, Duration) {
        let mut client = ClientConnection::new(Arc::clone(client), NAME.try_into().unwrap()).unwrap();
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        client.write_tls(&mut to_server).unwrap();
        let begun = Instant::now();
        let mut context = self.judge.clone().map(|judge| HandshakeContext::new(judge));
        let mut server = HandshakeContext::during(&mut context, || self.accept(&to_server));
        write(&mut server, &mut to_client);
        let mut worked = begun.elapsed();
        while server.is_handshaking() || client.is_handshaking() {
            read(&to_client, |rest| client.read_tls(rest));
            client.process_new_packets().unwrap();
            to_server.clear();
            while client.wants_write() {
                client.write_tls(&mut to_server).unwrap();
            }
            let begun = Instant::now();
            read(&to_server, |rest| server.read_tls(rest));
            HandshakeContext::during(&mut context, || server.process_new_packets()).unwrap();
            to_client.clear();
            write(&mut server, &mut to_client);
            worked += begun.elapsed();
        }
        read(&to_client, |rest| client.read_tls(rest));
        client.process_new_packets().unwrap();
        let kind = server.handshake_kind().unwrap();
        let begun = Instant::now();
        drop((server, context));
        (kind, worked + begun.elapsed())
    }

    fn accept(&self, hello: &[u8]) -> ServerConnection {
        let mut acceptor = Acceptor::default();
        read(hello, |rest| acceptor.read_tls(rest));
        let accepted = acceptor.accept().ok().flatten().unwrap();
        accepted.into_connection(Arc::clone(&self.config)).ok().unwrap()
    }
}

fn read(mut bytes: &[u8], mut into: impl FnMut(&mut dyn std::io::Read) -> std::io::Result<usize>) {
    while !bytes.is_empty() {
        into(&mut bytes).unwrap();
    }
}

fn write(server: &mut ServerConnection, to_client: &mut Vec<u8>) {
    while server.wants_write() {
        server.write_tls(to_client).unwrap();
    }
}

impl Judge {
    fn pass(&self, leaf: [u8; 32], chain: PeerChain, now: UnixTime) -> Passage {
        let key = CacheKey { domain: [7; 32], leaf };
        let seconds = i64::try_from(now.as_secs()).unwrap();
        if let Some(known) = self.cache.borrow().get(&key, seconds)
            && known.intermediates == chain.intermediates
        {
            return Passage::Granted { leaf, chain: Rc::clone(known) };
        }
        let path =
            self.anchors.verify_path(&chain.leaf, &chain.intermediates, self.rules.extended_key_usage, now);
        let evidence = Evidence { path: Some(path), ..Evidence::none(seconds) };
        let verdict = decide(&self.rules, Identity::from_der(&chain.leaf), evidence);
        assert!(matches!(verdict, Verdict::Admitted(_)));
        let chain = Rc::new(chain);
        let keep = Keep { outcome: Outcome::Admitted, from: seconds, until: i64::MAX, bytes: chain.bytes() };
        self.cache.borrow_mut().insert(key, Rc::clone(&chain), keep);
        Passage::Granted { leaf, chain }
    }
}

impl ClientJudge for Judge {
    fn key_of<'c>(&self, leaf: &'c CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'c>> {
        Some(TbsCertificate::from_der(leaf).ok()?.subject_public_key_info.into())
    }

    fn judge(&self, chain: PeerChain, now: UnixTime) -> Result<Passage, CertificateError> {
        let leaf = *Thumbprint::of(&chain.leaf).as_bytes();
        Ok(self.pass(leaf, chain, now))
    }

    fn judge_offered(&self, leaf: &[u8; 32], chain: PeerChain, now: UnixTime) -> Passage {
        self.pass(*leaf, chain, now)
    }

    fn ticket(&self, event: TicketEvent) {
        assert!(!matches!(event, TicketEvent::Refused(_)), "{event:?}");
    }
}

impl ClientCertVerifier for SignatureOnly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn handshakes(criterion: &mut Criterion) {
    let parties = Parties::new();
    let servers = [
        ("gate, remembered", parties.gate(1000)),
        ("gate, judged", parties.gate(0)),
        ("rustls, path", parties.rustls(true)),
        ("rustls, no path", parties.rustls(false)),
    ];
    for (kind, resumes) in [(HandshakeKind::Full, false), (HandshakeKind::Resumed, true)] {
        let mut group = criterion.benchmark_group(if resumes { "resumed" } else { "full" });
        for (version_name, version) in VERSIONS {
            for (name, server) in &servers {
                let client = parties.client(version, resumes);
                // The first is full, and brings the session.
                assert_eq!(server.shake(&client).0, HandshakeKind::Full, "{name}");
                let shake = || {
                    let (came_about, worked) = server.shake(&client);
                    assert_eq!(came_about, kind, "{name}, {version_name}");
                    worked
                };
                group.bench_function(BenchmarkId::new(*name, version_name), |bencher| {
                    bencher.iter_custom(|count| (0..count).map(|_| shake()).sum());
                });
            }
        }
        group.finish();
    }
}

fn short() -> Criterion {
    Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500))
}

criterion_group! { name = benches; config = short(); targets = handshakes }
criterion_main!(benches);
