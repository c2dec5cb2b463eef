//! What the data plane runs on: the configuration after it was checked, as plain data.
//!
//! The control plane makes a [`Plan`] and publishes it; nothing in here is checked again. What cannot change while
//! the gate runs stands apart in [`RuntimePlan`].

use std::{borrow::Cow, net::SocketAddr, num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use portcullis_handshake::KeyRing;
use portcullis_identity::{Role, Roles};
use portcullis_keys::{KeyEntry, Policy};
use portcullis_policy::{DomainId, HostName, Snapshot};
pub use portcullis_seal::{Algorithm as SealAlgorithm, Profile as SealProfile, SealRules, Sealer};
pub use portcullis_token::{
    AccessToken, Algorithm, Binding, IssuerRules, KeySet, KeySetError, TokenDemand, TokenError,
};
use portcullis_trust::Anchors;
pub use portcullis_upstream::UpstreamConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

pub use crate::{
    assertion::{AssertionKey, Assertions},
    introspection::{Introspection, Question},
    issuer::IssuerKeys,
};

/// How the shards are laid out. Fixed from start to end.
#[derive(Debug, Clone)]
pub struct RuntimePlan {
    /// Threads of the data plane.
    pub shards: NonZeroUsize,
    /// Cores to pin shards to, round robin; empty leaves them to the scheduler.
    pub cpus: Vec<usize>,
    /// Which I/O interface to use.
    pub io: IoChoice,
    /// How long a drain may take before the connections that are left are cut.
    pub drain_timeout: Duration,
    /// Where bodies wait that are too long for memory.
    pub spool: SpoolPlan,
}

/// Where bodies wait that are too long for memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolPlan {
    /// A directory on a file system that has files without names.
    pub directory: PathBuf,
    /// Bytes that all of them may have together.
    pub bytes_max: u64,
}

/// Which kernel interface carries the I/O.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoChoice {
    /// `io_uring` where the kernel lets us, epoll otherwise.
    Auto,
    /// `io_uring` or nothing.
    IoUring,
    /// epoll.
    Epoll,
}

/// All that may change at a reload. Immutable once published.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What decisions read.
    pub policy: Snapshot,
    /// Where connections come in. Names, addresses and their order are the same in every plan of a process.
    pub listeners: Vec<ListenerPlan>,
    /// What each route does, by the index of the route in `policy`.
    pub actions: Vec<Action>,
    /// What each route asks of a token, by the index of the route; nothing of most.
    pub tokens: Vec<Option<TokenPlan>>,
    /// Whose tokens are taken. Names are unique.
    pub issuers: Vec<IssuerPlan>,
    /// What each route asks of a seal, by the index of the route; nothing of most.
    pub sealed: Vec<Option<SealDemand>>,
    /// How seals are looked at. Names are unique.
    pub seals: Vec<SealPlan>,
    /// By what their certificates are judged: a domain each, and no route.
    pub seal_policy: Snapshot,
    /// Where requests can be sent on. Names are unique.
    pub upstreams: Vec<UpstreamPlan>,
    /// The keys and the age of session tickets.
    pub resumption: ResumptionPlan,
    /// What the holders of keys may do.
    pub policies: Policies,
    /// How assertions about clients are made, if any are.
    pub assertions: Option<Arc<Assertions>>,
    /// How much a shard remembers of certificates.
    pub cache: CachePlan,
    /// Whether an access record is written for each request.
    pub access_log: bool,
    /// Whether an audit record is written for each verdict on a client certificate.
    pub audit_log: bool,
}

impl Plan {
    /// The same under other trusted lists.
    pub fn with_lists(&self, listed: Option<&Arc<Anchors>>) -> Self {
        let seal_policy = self.seal_policy.with_lists(listed);
        Self { policy: self.policy.with_lists(listed), seal_policy, ..self.clone() }
    }

    /// The same with other ticket keys.
    pub fn with_ring(&self, ring: Arc<KeyRing>) -> Self {
        Self { resumption: ResumptionPlan { ring, ..self.resumption }, ..self.clone() }
    }
}

/// Policies, and for whom each is.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// By name.
    pub named: Vec<Arc<Policy>>,
    /// For those who have none of their own: the first that fits. An index into `named` each.
    pub assigned: Vec<(Assignee, usize)>,
    /// For all others, an index into `named`.
    pub default: Option<usize>,
}

/// For whom a policy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignee {
    /// Keys with a tag.
    Tag(Box<str>),
    /// Holders who may use a role.
    Role(Role),
}

impl Policies {
    /// Whether there is one of that name.
    pub fn has(&self, name: &str) -> bool {
        self.named.iter().any(|policy| *policy.name == *name)
    }

    /// The policy for the holder of `key`, or one whose key is not made yet, with these roles. A key whose policy is not among these has
    /// that which it would have without one.
    pub(crate) fn of(&self, key: Option<&KeyEntry>, roles: Roles) -> Option<&Arc<Policy>> {
        let own = key.and_then(|key| key.policy.as_deref());
        let own = own.and_then(|own| self.named.iter().find(|policy| *policy.name == *own));
        let fits = |assignee: &Assignee| match assignee {
            Assignee::Tag(tag) => key.is_some_and(|key| key.tags.contains(tag)),
            Assignee::Role(role) => roles.contains(*role),
        };
        let assigned = || self.assigned.iter().find(|(assignee, _)| fits(assignee)).map(|(_, index)| *index);
        own.or_else(|| self.named.get(assigned().or(self.default)?))
    }
}

/// What session tickets are made and opened with.
#[derive(Debug, Clone)]
pub struct ResumptionPlan {
    /// The keys.
    pub ring: Arc<KeyRing>,
    /// How long after the full handshake its tickets resume.
    pub max_age: Duration,
}

/// Bounds of a shard's verification cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePlan {
    /// Certificates that are remembered.
    pub capacity: usize,
    /// How long one is remembered.
    pub max_age: Duration,
}

impl Default for CachePlan {
    /// The documented defaults: some two hundred times the providers of the EEA that use certificates, each for the life of a ticket.
    fn default() -> Self {
        Self { capacity: 65_536, max_age: Duration::from_secs(60 * 60) }
    }
}

/// Whether the sessions of a listener are resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumption {
    /// By tickets.
    Tickets,
    /// Not at all.
    Off,
}

/// One listening address.
#[derive(Debug, Clone)]
pub struct ListenerPlan {
    /// The name in metrics and records.
    pub name: String,
    /// Where it listens; port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// Whether another process may listen on the same port.
    pub shared_port: bool,
    /// Its TLS parameters.
    pub tls: TlsPlan,
    /// Whether its sessions are resumed.
    pub resumption: Resumption,
    /// Its bounds and deadlines.
    pub limits: Limits,
    /// At least one; each is a trust domain of its own.
    pub certificates: Vec<CertificatePlan>,
}

impl ListenerPlan {
    /// The certificate for the server name that a client asks for: the exact name before the wildcard, whatever its case; without a
    /// name, the one marked as default; none for a name that is none of ours.
    pub fn certificate(&self, server_name: Option<&str>) -> Option<&CertificatePlan> {
        let Some(name) = server_name.map(str::to_ascii_lowercase) else {
            return self.certificates.iter().find(|certificate| certificate.default);
        };
        let named = |is_meant: &dyn Fn(&HostName) -> bool| {
            self.certificates.iter().find(|certificate| certificate.names.iter().any(is_meant))
        };
        let exact = named(&|host| matches!(host, HostName::Exact(exact) if *exact == name));
        exact.or_else(|| named(&|host| host.matches(&name)))
    }
}

/// TLS parameters of a listener, each in the order of preference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsPlan {
    /// Whether TLS 1.2 is spoken beside 1.3.
    pub tls12: bool,
    /// Key exchange groups.
    pub key_exchange: Vec<KeyExchange>,
    /// Application protocols offered by ALPN.
    pub alpn: Vec<Alpn>,
}

/// A key exchange group (IANA TLS Supported Groups).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyExchange {
    /// Hybrid of ML-KEM-768 and X25519.
    X25519MlKem768,
    /// X25519.
    X25519,
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
}

/// An application protocol (RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    /// `h2`
    H2,
    /// `http/1.1`
    Http1,
}

/// A server certificate and the trust domain behind its names.
#[derive(Debug)]
pub struct CertificatePlan {
    /// Names by which SNI finds it.
    pub names: Vec<HostName>,
    /// Whether it serves clients that send no SNI. True for one certificate of a listener.
    pub default: bool,
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
    /// The trust domain.
    pub domain: DomainId,
}

impl Clone for CertificatePlan {
    fn clone(&self) -> Self {
        Self {
            names: self.names.clone(),
            default: self.default,
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            domain: self.domain,
        }
    }
}

/// Bounds and deadlines of a listener. All counts are per shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From accept to the end of the handshake.
    pub handshake_timeout: Duration,
    /// Handshakes in flight; a connection beyond is closed unread.
    pub handshakes_max: usize,
    /// Handshakes in flight from one source address; 0 for no bound.
    pub handshakes_per_source_max: usize,
    /// Connections, handshakes included; one beyond is closed unread.
    pub connections_max: usize,
    /// From the first byte of a request head to its last.
    pub head_timeout: Duration,
    /// How long a connection may idle between requests.
    pub idle_timeout: Duration,
    /// How long a peer may leave what it is sent unread, or a body that it sends unfinished, without a byte moving.
    pub stall_timeout: Duration,
    /// Bytes of a request head.
    pub head_bytes_max: usize,
    /// Fields of a request head.
    pub head_fields_max: usize,
    /// Concurrent streams of an h2 connection.
    pub streams_max: u32,
}

impl Default for Limits {
    /// The documented defaults: what a busy edge node of a bank needs with room to spare, while a crowd of hostile
    /// peers stays within tens of megabytes a shard.
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            handshakes_max: 4096,
            handshakes_per_source_max: 1024,
            connections_max: 65_536,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            stall_timeout: Duration::from_secs(30),
            head_bytes_max: 32 * 1024,
            head_fields_max: 100,
            streams_max: 100,
        }
    }
}

/// What a route does with a request that it grants.
#[derive(Debug, Clone)]
pub enum Action {
    /// Answers by itself.
    Respond(Answer),
    /// Sends it on to the upstream with this index in [`Plan::upstreams`].
    Forward(usize),
}

/// What a route asks of the token that a request brings.
#[derive(Debug, Clone)]
pub struct TokenPlan {
    /// What it must say.
    pub demand: TokenDemand,
    /// Who may have issued it, by their indices in [`Plan::issuers`].
    pub issuers: Vec<usize>,
}

/// An authorisation server whose tokens are taken.
#[derive(Debug, Clone)]
pub struct IssuerPlan {
    /// What it is called in the configuration, and in metrics.
    pub name: String,
    /// What is taken from it.
    pub rules: Arc<IssuerRules>,
    /// How it vouches for them.
    pub vouching: Vouching,
}

/// How an authorisation server vouches for its tokens.
#[derive(Debug, Clone)]
pub enum Vouching {
    /// It signs them, with these keys.
    Keys(Arc<IssuerKeys>),
    /// It is asked about each.
    Introspection(Arc<Introspection>),
}

/// What a route asks of the seal of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealDemand {
    /// How it is looked at, by its index in [`Plan::seals`].
    pub seal: usize,
    /// Whether there must be one. One that is there must be good in any case.
    pub is_required: bool,
}

/// How seals are looked at.
#[derive(Debug, Clone)]
pub struct SealPlan {
    /// What it is called in the configuration.
    pub name: String,
    /// What a seal must be.
    pub rules: SealRules,
    /// By what its certificate is judged, in [`Plan::seal_policy`].
    pub domain: DomainId,
    /// When the upstream gets the body.
    pub delivery: Delivery,
    /// Bytes of a body that are held in memory; a longer one is spooled.
    pub memory_bytes_max: usize,
    /// Bytes that a body may have.
    pub body_bytes_max: u64,
    /// With what answers to sealed requests are sealed, if they are.
    pub answers: Option<Arc<Sealer>>,
}

impl SealPlan {
    /// Whether whoever is refused reads `tppMessages`.
    pub(crate) fn tells_tpp(&self) -> bool {
        self.rules.profiles.contains(&SealProfile::BerlinGroup)
    }
}

/// When an upstream gets the body of a sealed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Once all of it is there, and is what was sealed.
    Buffered,
    /// As it comes, but for its end, which it gets once all is what was sealed.
    Streaming,
}

/// An upstream, and what it is told of the client.
#[derive(Debug, Clone)]
pub struct UpstreamPlan {
    /// Its servers, bounds and deadlines.
    pub target: UpstreamConfig,
    /// The fields that it gets.
    pub hand_off: HandOffFields,
    /// Client fields that it never gets, beside those that could speak for the gate.
    pub strip: Vec<FieldPattern>,
    /// To whom the assertions that it gets are addressed.
    pub assertion_audience: Arc<str>,
}

/// A field, or a family of them, that the gate sets for an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandOffField {
    /// `Client-Cert` (RFC 9440 2.2).
    ClientCert,
    /// `Client-Cert-Chain` (RFC 9440 2.3).
    ClientCertChain,
    /// `Portcullis-TPP-Authorisation`: the organizationIdentifier.
    Authorisation,
    /// `Portcullis-TPP-Roles`.
    Roles,
    /// `Portcullis-TPP-NCA`: name and identifier of the competent authority.
    Nca,
    /// `Portcullis-TPP-Thumbprint`: SHA-256 of the leaf.
    Thumbprint,
    /// `Portcullis-TPP-Organisation`: organizationName.
    Organisation,
    /// `Forwarded` and `X-Forwarded-*`.
    Forwarded,
    /// `Portcullis-TPP-Key`: the id of its key.
    Key,
    /// `Portcullis-TPP-QTSP`: who issued the certificate, by the trusted list that says so.
    Qtsp,
    /// `Portcullis-TPP-Codes`: what of the certificate is not as it should be, though it passes.
    Codes,
    /// `Portcullis-Assertion`: the same under the gate's signature.
    Assertion,
    /// `Portcullis-Seal`: who sealed the request.
    Seal,
    /// `X-Forwarded-Client-Cert`, as Envoy writes it.
    ForwardedClientCert,
    /// `SSL-Client-Cert`, as nginx is usually made to write it.
    SslClientCert,
    /// `SSL-Client-Subject-DN` (RFC 4514).
    SslClientSubjectDn,
}

/// Which of the gate's fields an upstream gets. What a client sends under these names is removed whether it does or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandOffFields(u32);

impl HandOffFields {
    /// Every field but `X-Forwarded-Client-Cert` and those behind it, which say once more what others do and are for those who know no other.
    pub const ALL: Self = Self((1 << HandOffField::ForwardedClientCert as u32) - 1);

    /// No field.
    pub const NONE: Self = Self(0);

    pub(crate) const fn contains(self, field: HandOffField) -> bool {
        self.0 & 1 << field as u32 != 0
    }
}

impl FromIterator<HandOffField> for HandOffFields {
    fn from_iter<I: IntoIterator<Item = HandOffField>>(fields: I) -> Self {
        Self(fields.into_iter().fold(0, |set, field| set | 1 << field as u32))
    }
}

/// Field names by their beginning or as a whole; what is neither letter nor digit counts as `-`, and case does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPattern {
    name: String,
    is_prefix: bool,
}

impl FieldPattern {
    /// A name, or a prefix with `*` behind it. `None` for what can be neither.
    pub fn parse(pattern: &str) -> Option<Self> {
        let (name, is_prefix) = pattern.strip_suffix('*').map_or((pattern, false), |prefix| (prefix, true));
        let name = plain_name(HeaderName::try_from(name).ok()?.as_str()).into_owned();
        Some(Self { name, is_prefix })
    }

    /// Whether it covers `name`, which is in lower case and plain.
    pub(crate) fn covers(&self, name: &str) -> bool {
        if self.is_prefix { name.starts_with(&self.name) } else { name == self.name }
    }
}

/// A name as the servers see it that make variables of names (CGI, RFC 3875 4.1.18): `_` is `-` to all of them, and to some so
/// is everything that is neither letter nor digit.
pub(crate) fn plain_name(name: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    if name.chars().all(is_plain) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.chars().map(|letter| if is_plain(letter) { letter } else { '-' }).collect())
}

/// What a route answers by itself.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Configured fields; never framing fields.
    pub headers: HeaderMap,
    /// What the body is.
    pub body: AnswerBody,
}

/// The body of an [`Answer`].
#[derive(Debug, Clone)]
pub enum AnswerBody {
    /// These bytes.
    Fixed(Bytes),
    /// What the gate knows of the client, as JSON.
    Identity,
}
