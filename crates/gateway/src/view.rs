//! A plan as one shard runs on it.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use portcullis_handshake::{
    ClientCertificates, ConfigError, ServerIdentity, Tickets, TlsParameters, server_config,
};
use portcullis_policy::{DomainId, HostName, Mode};
use portcullis_telemetry::RouteMetrics;
use portcullis_upstream::Upstream;
use rustls::{ServerConfig, crypto::aws_lc_rs::kx_group};

use crate::{
    http::HandOff,
    plan::{Alpn, KeyExchange, ListenerPlan, Plan, Resumption, TlsPlan},
};

/// The shard's own reading of a plan: its own TLS configurations, whose reference counts no other shard touches.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) plan: Arc<Plan>,
    listeners: Vec<ListenerView>,
    /// By the index of the route.
    pub(crate) routes: Vec<RouteMetrics>,
    /// By the index of the upstream.
    pub(crate) upstreams: Vec<UpstreamView>,
    /// Whether trailer fields may come, because some upstream takes them.
    pub(crate) takes_trailers: bool,
}

/// An upstream, and what it is told.
#[derive(Debug)]
pub(crate) struct UpstreamView {
    pub(crate) upstream: Rc<Upstream>,
    pub(crate) hand_off: Rc<HandOff>,
}

/// The trust domains of one listener, by server name.
#[derive(Debug)]
struct ListenerView {
    domains: Vec<DomainView>,
    exact: HashMap<String, usize>,
    /// By what follows the first label.
    wildcard: HashMap<String, usize>,
    default: Option<usize>,
}

/// One trust domain, ready to do handshakes.
#[derive(Debug)]
pub(crate) struct DomainView {
    pub(crate) id: DomainId,
    pub(crate) tls: Arc<ServerConfig>,
}

impl View {
    /// Reads `plan` for the shard numbered `shard`. Upstreams that are what they were in `before` keep their
    /// connections.
    ///
    /// # Errors
    /// A certificate whose key does not serve it, which a plan that was checked has not.
    pub(crate) fn new(plan: Arc<Plan>, shard: usize, before: Option<&Self>) -> Result<Self, ConfigError> {
        let listeners = plan.listeners.iter().map(|listener| ListenerView::new(listener, &plan));
        let listeners = listeners.collect::<Result<_, _>>()?;
        let routes = plan.policy.routes().routes().iter();
        let routes =
            routes.map(|route| RouteMetrics::register(route.path(), &route.roles_label(), shard)).collect();
        let upstreams = plan.upstreams.iter().map(|wanted| {
            let known = before.iter().flat_map(|before| &before.upstreams);
            let same = known.map(|view| &view.upstream).find(|known| *known.config() == wanted.target);
            UpstreamView {
                upstream: same
                    .map_or_else(|| Rc::new(Upstream::new(wanted.target.clone(), shard)), Rc::clone),
                hand_off: Rc::new(HandOff::new(wanted, plan.assertions.as_ref())),
            }
        });
        let upstreams = upstreams.collect();
        let takes_trailers = plan.upstreams.iter().any(|upstream| upstream.target.trailers);
        Ok(Self { plan, listeners, routes, upstreams, takes_trailers })
    }

    /// The trust domain on `listener` for the server name that a client asked for: the exact name before the
    /// wildcard, whatever its case; without a name, the one marked as default; none for a name that is none of ours.
    pub(crate) fn select(&self, listener: usize, server_name: Option<&str>) -> Option<&DomainView> {
        let listener = &self.listeners[listener];
        let index = match server_name.map(str::to_ascii_lowercase) {
            None => listener.default,
            Some(name) => listener.exact.get(&name).copied().or_else(|| {
                let (label, parent) = name.split_once('.')?;
                listener.wildcard.get(parent).copied().filter(|_| !label.is_empty())
            }),
        };
        index.map(|index| &listener.domains[index])
    }
}

impl ListenerView {
    fn new(listener: &ListenerPlan, plan: &Plan) -> Result<Self, ConfigError> {
        let parameters = parameters(&listener.tls);
        let mut view =
            Self { domains: Vec::new(), exact: HashMap::new(), wildcard: HashMap::new(), default: None };
        for (index, certificate) in listener.certificates.iter().enumerate() {
            let (domain, _) = plan.policy.domain(certificate.domain);
            let asked = match domain.client_auth.mode {
                Mode::Off => ClientCertificates::NotAsked,
                Mode::Optional => ClientCertificates::Asked,
                Mode::Required => ClientCertificates::Required,
            };
            let identity = ServerIdentity::new(&certificate.chain, &certificate.key);
            let tickets = Tickets {
                ring: &plan.resumption.ring,
                domain: *plan.policy.digest(certificate.domain).as_bytes(),
                max_age: plan.resumption.max_age,
            };
            let tickets = (listener.resumption == Resumption::Tickets).then_some(tickets);
            let tls = server_config(&parameters, identity, asked, tickets)?;
            view.domains.push(DomainView { id: certificate.domain, tls });
            for name in &certificate.names {
                match name {
                    HostName::Exact(name) => view.exact.insert(name.clone(), index),
                    HostName::Wildcard(suffix) => {
                        view.wildcard.insert(suffix.trim_start_matches('.').to_owned(), index)
                    }
                };
            }
            if certificate.default {
                view.default = Some(index);
            }
        }
        Ok(view)
    }
}

fn parameters(plan: &TlsPlan) -> TlsParameters {
    let group = |choice: &KeyExchange| match choice {
        KeyExchange::X25519MlKem768 => kx_group::X25519MLKEM768,
        KeyExchange::X25519 => kx_group::X25519,
        KeyExchange::P256 => kx_group::SECP256R1,
        KeyExchange::P384 => kx_group::SECP384R1,
    };
    let protocol = |alpn: &Alpn| match alpn {
        Alpn::H2 => b"h2".to_vec(),
        Alpn::Http1 => b"http/1.1".to_vec(),
    };
    TlsParameters {
        tls12: plan.tls12,
        key_exchange: plan.key_exchange.iter().map(group).collect(),
        alpn: plan.alpn.iter().map(protocol).collect(),
    }
}
