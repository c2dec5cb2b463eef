//! What would become of a client and its request: judged and routed as by a shard, with nothing remembered, counted or told.

use std::{net::IpAddr, rc::Rc, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use portcullis_handshake::{HandshakeFailure, PeerChain};
use portcullis_identity::Roles;
use portcullis_keys::{Asked, KeyId, KeyIdentity, Policy};
use portcullis_policy::{Assessment, Ledger, Mode, Permit, TrustDomain, admit_anonymous, authorise};
use portcullis_token::Binding;
use rustls_pki_types::{CertificateDer, UnixTime};
use serde::Serialize;

use crate::{
    http::{Problem, host_of, meet, path_of},
    judge::{Judged, Standing, judge, told_by_alert},
    plan::Plan,
};

/// A client and a request that are thought of.
#[derive(Debug)]
pub struct Supposed {
    /// The name of the listener.
    pub listener: String,
    /// The server name that the client asks for; `None` for none.
    pub server_name: Option<String>,
    /// What the client presents, its own certificate first; empty for nothing.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The address that the client comes from; `None` for one from which it may come.
    pub peer: Option<IpAddr>,
    /// The host that is asked, with a port or without.
    pub host: HeaderValue,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: Uri,
}

/// What would become of them. The JSON is public interface; `docs/openapi.json` describes it.
#[derive(Debug, Serialize)]
pub struct Foreseen {
    outcome: Outcome,
    /// The trust domain by whose rules the client is judged.
    domain: Option<String>,
    /// What was found out about its certificate.
    certificate: Option<Box<Assessment>>,
    /// Its key.
    key: Option<KeyId>,
    /// The policy that says what the holder of its key may do.
    policy: Option<Box<str>>,
    /// The route that the request meets.
    route: Option<RouteFacts>,
    /// What the client is told, or would be if its handshake ended with more than an alert.
    problem: Option<Problem>,
}

/// Where it ends.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// The handshake fails.
    HandshakeRefused,
    /// The request is answered with the problem.
    RequestRefused,
    /// The request is answered as the route says.
    Granted,
}

#[derive(Debug, Serialize)]
struct RouteFacts {
    path: String,
    host: Option<String>,
    roles: Roles,
    /// What it asks of an access token, if it does. Of the token itself nothing is foreseen.
    token: Option<&'static str>,
}

impl Foreseen {
    /// A handshake that ends with an alert: the code is that of metrics.
    fn failed(failure: &HandshakeFailure) -> Self {
        let problem = Problem::new(StatusCode::FORBIDDEN, failure.reason(), failure.to_string());
        Self::refused(Outcome::HandshakeRefused, problem)
    }

    const fn refused(outcome: Outcome, problem: Problem) -> Self {
        let (domain, certificate, key, policy, route) = (None, None, None, None, None);
        Self { outcome, domain, certificate, key, policy, route, problem: Some(problem) }
    }
}

/// Thinks through what `plan` and `ledger` would make of `supposed` at the time `now`. `None` if there is no such listener.
///
/// Whether the client holds its key is taken for granted.
pub fn dry_run(plan: &Plan, ledger: &Ledger, supposed: Supposed, now: UnixTime) -> Option<Foreseen> {
    let listener = plan.listeners.iter().find(|listener| listener.name == supposed.listener)?;
    let Some(certificate) = listener.certificate(supposed.server_name.as_deref()) else {
        let name = supposed.server_name.unwrap_or_default();
        return Some(Foreseen::failed(&HandshakeFailure::UnknownServerName(name)));
    };
    let (domain, _) = plan.policy.domain(certificate.domain);
    let mut foreseen = foresee(plan, domain, ledger, supposed, now);
    foreseen.domain = Some(domain.name.clone());
    Some(foreseen)
}

fn foresee(
    plan: &Plan,
    domain: &TrustDomain,
    ledger: &Ledger,
    mut supposed: Supposed,
    now: UnixTime,
) -> Foreseen {
    let presented = match domain.client_auth.mode {
        Mode::Off => Vec::new(),
        Mode::Optional | Mode::Required => std::mem::take(&mut supposed.certificates),
    };
    let mut certificates = presented.into_iter();
    let Some(leaf) = certificates.next() else {
        let Some(permit) = admit_anonymous(domain) else {
            return Foreseen::failed(&HandshakeFailure::Tls(rustls::Error::NoCertificatesPresented));
        };
        return ask(&permit, None, (domain, plan), &supposed, now);
    };
    let chain = PeerChain { leaf, intermediates: certificates.collect() };
    let Judged { standing, key_identity, .. } = judge(domain, ledger, Rc::new(chain), now);
    let mut policy = None;
    let mut foreseen = match &standing {
        Standing::Admitted(permit) => {
            policy = policy_of(plan, ledger, key_identity.as_ref(), permit);
            ask(permit, policy.as_deref(), (domain, plan), &supposed, now)
        }
        Standing::Refused { denial, assessment } => {
            let is_alert = told_by_alert(denial, domain);
            let outcome = if is_alert { Outcome::HandshakeRefused } else { Outcome::RequestRefused };
            Foreseen::refused(outcome, Problem::refused(denial, assessment.as_deref()))
        }
    };
    foreseen.certificate = standing.assessment().cloned().map(Box::new);
    foreseen.policy = policy.map(|policy| policy.name.clone());
    foreseen.key = foreseen.certificate.as_ref().and_then(|assessment| assessment.key.key_id());
    foreseen
}

/// The policy for the holder of a key, or of one that would be made.
fn policy_of(
    plan: &Plan,
    ledger: &Ledger,
    identity: Option<&KeyIdentity>,
    permit: &Permit,
) -> Option<Arc<Policy>> {
    let key = ledger.keys.get(&identity?.digest());
    plan.policies.of(key.map(|key| &**key), permit.roles()).cloned()
}

/// What becomes of the request of a client that is let in. How often it asks, and how much at a time, is not known.
fn ask(
    permit: &Permit,
    policy: Option<&Policy>,
    (domain, plan): (&TrustDomain, &Plan),
    supposed: &Supposed,
    now: UnixTime,
) -> Foreseen {
    let mut fields = HeaderMap::new();
    fields.insert(header::HOST, supposed.host.clone());
    let met = host_of(&supposed.target, &fields, |host| domain.serves(host)).and_then(|host| {
        let path = path_of(&supposed.method, &supposed.target)?;
        let asked = Asked {
            method: supposed.method.as_str(),
            path: path.as_str(),
            body_bytes: 0,
            peer: supposed.peer,
            unix_now: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            now_ns: 0,
        };
        let allowed = policy.map_or(Ok(()), |policy| policy.allow(&asked));
        allowed.map_err(|overstep| Problem::overstepped(&overstep))?;
        meet(plan.policy.routes(), &host, &path)
    });
    let (index, route) = match met {
        Ok(met) => met,
        Err(problem) => return Foreseen::refused(Outcome::RequestRefused, problem),
    };
    let (outcome, problem) = match authorise(permit, route) {
        Ok(_) => (Outcome::Granted, None),
        Err(denial) => (Outcome::RequestRefused, Some(Problem::denied(&denial))),
    };
    let facts = RouteFacts {
        path: route.path().to_owned(),
        host: route.host().map(str::to_owned),
        roles: route.roles(),
        token: plan.tokens[index].as_ref().map(|asked| match asked.demand.binding {
            Binding::Bound => "bound",
            Binding::Required => "required",
        }),
    };
    let (domain, certificate, key, policy) = (None, None, None, None);
    Foreseen { outcome, domain, certificate, key, policy, route: Some(facts), problem }
}
