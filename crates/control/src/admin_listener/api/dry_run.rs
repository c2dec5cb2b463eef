//! What would become of a client and its request, and why.

use std::net::IpAddr;

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, Uri};
use portcullis_gateway::{Published, Supposed, dry_run};
use rustls_pki_types::{CertificateDer, UnixTime, pem::PemObject as _};
use serde::Deserialize;

use super::{Api, body::read_body, problem::Problem};

/// A client and a request that are thought of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    listener: String,
    server_name: Option<String>,
    #[serde(default)]
    certificate_pem: String,
    address: Option<IpAddr>,
    host: Option<String>,
    method: Option<String>,
    path: String,
}

pub(super) async fn foresee(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked = read_body(&headers, body).await?;
    judge(&api.backend()?.published, asked)
}

/// Judges as the shards do, by what is published to them.
fn judge(published: &Published, asked: Asked) -> Result<Response, Problem> {
    let Published { plan, ledger } = published;
    let listener = asked.listener.clone();
    let foreseen = dry_run(&plan.load(), &ledger.load(), supposed(asked)?, UnixTime::now());
    let foreseen = foreseen.ok_or_else(|| Problem::unknown_listener(&listener))?;
    Ok(Json(foreseen).into_response())
}

fn supposed(asked: Asked) -> Result<Supposed, Problem> {
    let Asked { listener, server_name, certificate_pem, address: peer, host, method, path } = asked;
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(certificate_pem.as_bytes()).collect();
    let certificates =
        certificates.map_err(|error| Problem::malformed(&format!("certificate_pem: {error}")))?;
    if certificates.is_empty() && !certificate_pem.is_empty() {
        return Err(Problem::malformed(&"certificate_pem has no PEM section CERTIFICATE"));
    }
    let host = host.or_else(|| server_name.clone());
    let host = host.ok_or_else(|| Problem::malformed(&"name a server_name or a host"))?;
    let host =
        HeaderValue::from_str(&host).map_err(|_| Problem::malformed(&"host cannot stand in a field"))?;
    let method = method.as_deref().unwrap_or("GET").parse::<Method>();
    let method = method.map_err(|_| Problem::malformed(&"method is none"))?;
    let target = Some(&path).filter(|path| path.starts_with('/')).and_then(|path| path.parse::<Uri>().ok());
    let target =
        target.ok_or_else(|| Problem::malformed(&"path must begin with a slash and fit into a request"))?;
    Ok(Supposed { listener, server_name, certificates, peer, host, method, target })
}
