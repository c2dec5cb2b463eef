//! What the gate serves, and whom it believes.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use portcullis_policy::{Lists, Mode, TrustDomain};
use portcullis_trust::{Anchor, Anchors};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, problem::Problem};

/// Which trust domain is asked about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfDomain {
    domain: String,
}

/// The keys with which assertions are signed (RFC 7517). Public, as they are.
pub(super) async fn key_set(State(api): State<Api>) -> Result<Response, Problem> {
    let plan = api.backend()?.published.plan.load();
    let assertions = plan.assertions.as_ref().ok_or_else(|| Problem::unknown_path("/jwks.json"))?;
    let content_type = [(http::header::CONTENT_TYPE, "application/jwk-set+json")];
    Ok((content_type, assertions.key_set().to_string()).into_response())
}

/// What the gate runs on at present.
pub(super) async fn status(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    let backend = api.backend()?;
    let (plan, ledger) = (backend.published.plan.load(), backend.published.ledger.load());
    let listeners = plan.listeners.iter();
    let listeners: Vec<_> =
        listeners.map(|it| json!({ "name": it.name, "address": it.address.to_string() })).collect();
    let domains: Vec<_> = plan.policy.domains().map(|(_, domain)| domain_facts(domain)).collect();
    let register = ledger.register.as_ref();
    let register =
        register.map(|it| json!({ "providers": it.register.len(), "serves_until_unix_s": it.until }));
    let keys = backend.desk.as_ref();
    let keys = keys.map(|_| json!({ "count": ledger.keys.len(), "is_full": ledger.keys.is_full() }));
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "listeners": listeners,
        "trust_domains": domains,
        "routes": plan.policy.routes().routes().len(),
        "upstreams": plan.upstreams.iter().map(|upstream| &upstream.target.name).collect::<Vec<_>>(),
        "certificates_connected": backend.live.certificates(),
        "keys": keys,
        "register": register,
    })))
}

/// Whom a trust domain believes.
pub(super) async fn trust(
    State(api): State<Api>,
    query: Result<Query<OfDomain>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(OfDomain { domain: name }) = query.map_err(|error| Problem::malformed(&error.body_text()))?;
    let plan = api.backend()?.published.plan.load();
    let id = plan.policy.domain_named(&name).ok_or_else(|| Problem::unknown_domain(&name))?;
    let (domain, _) = plan.policy.domain(id);
    let mut facts = domain_facts(domain);
    facts["anchors"] = anchors(&domain.client_auth.anchors);
    facts["observed_anchors"] = domain.client_auth.observed.as_deref().map_or(Value::Null, anchors);
    Ok(Json(facts))
}

fn domain_facts(domain: &TrustDomain) -> Value {
    let auth = &domain.client_auth;
    let mode = match auth.mode {
        Mode::Off => "off",
        Mode::Optional => "optional",
        Mode::Required => "required",
    };
    let lists = match auth.lists {
        Lists::Ignored => "ignored",
        Lists::Observed => "observed",
        Lists::Enforced => "enforced",
    };
    json!({
        "name": domain.name,
        "mode": mode,
        "profile": auth.rules.profile.as_str(),
        "lists": lists,
        "anchors": auth.anchors.len(),
        "observed_anchors": auth.observed.as_ref().map(|observed| observed.len()),
    })
}

fn anchors(anchors: &Anchors) -> Value {
    let facts = |anchor: &Anchor| {
        let services = anchor.services.iter().map(|listed| {
            json!({
                "territory": listed.territory,
                "provider": listed.service.provider,
                "service": listed.service.name,
                "sequence": listed.sequence,
                "serves_until_unix_s": listed.serves_until,
            })
        });
        json!({
            "subject": anchor.subject,
            "thumbprint_sha256": anchor.thumbprint,
            "is_by_hand": anchor.is_by_hand,
            "services": services.collect::<Vec<_>>(),
        })
    };
    anchors.iter().map(facts).collect()
}
