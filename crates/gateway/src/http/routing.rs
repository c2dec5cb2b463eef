//! Which route a request meets, by its head alone.

use http::{HeaderMap, Method, StatusCode, Uri};
use portcullis_policy::{Lookup, PathRefusal, RequestPath, Route, RouteTable};

use crate::http::{authority::RequestHost, problem::Problem};

/// The host of a request, which must be one that its connection was made for.
///
/// # Errors
/// What the client is told.
pub(crate) fn host_of(
    uri: &Uri,
    headers: &HeaderMap,
    is_served: impl FnOnce(&str) -> bool,
) -> Result<RequestHost, Problem> {
    let host = RequestHost::of(uri, headers)
        .map_err(|refusal| Problem::new(StatusCode::BAD_REQUEST, refusal.code(), refusal.sentence()))?;
    if !is_served(host.as_str()) {
        let detail = "this connection was not made for that host: connect with its name as SNI";
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "host.misdirected", detail));
    }
    Ok(host)
}

/// The path of a request, whose method is one that can be asked.
///
/// # Errors
/// What the client is told.
pub(crate) fn path_of<'u>(method: &Method, uri: &'u Uri) -> Result<RequestPath<'u>, Problem> {
    // Whatever its case: a backend may not tell one from the other.
    let is_method = |name: &str| method.as_str().eq_ignore_ascii_case(name);
    if is_method("CONNECT") {
        let detail = "the gate is no tunnel";
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method.connect", detail));
    }
    if is_method("TRACE") {
        let detail = "what a backend is told is not for the client to see";
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method.trace", detail));
    }
    let path = RequestPath::parse(uri.path()).map_err(refused_path)?;
    if !uri.query().unwrap_or_default().bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = "the query has a character that must be percent-encoded";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "path.illegal-byte", detail));
    }
    Ok(path)
}

/// The route of a path at `host`, with its place in the table.
///
/// # Errors
/// What the client is told.
pub(crate) fn meet<'r>(
    routes: &'r RouteTable,
    host: &RequestHost,
    path: &RequestPath<'_>,
) -> Result<(usize, &'r Route), Problem> {
    match routes.find(host.as_str(), path) {
        Lookup::Route(index, route) => Ok((index, route)),
        Lookup::NotFound => Err(Problem::new(StatusCode::NOT_FOUND, "route.none", "no route has this path")),
        Lookup::Ambiguous(route) => {
            let detail = format!(
                "the path differs from {} only by case, parameters, or trailing dots and spaces",
                route.path()
            );
            Err(Problem::new(StatusCode::BAD_REQUEST, "path.ambiguous", detail))
        }
    }
}

fn refused_path(refusal: PathRefusal) -> Problem {
    let status = match refusal {
        PathRefusal::TooLong => StatusCode::URI_TOO_LONG,
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(status, refusal.code(), refusal.to_string())
}
