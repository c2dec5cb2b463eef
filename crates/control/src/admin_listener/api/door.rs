//! Who may ask.

use std::net::IpAddr;

use axum::{Extension, extract::Request, middleware::Next, response::Response};
use http::{HeaderMap, HeaderValue, header};

use super::{super::Arrival, problem::Problem};

/// Who asks, for the records.
#[derive(Debug, Clone)]
pub(super) struct Operator(pub(super) String);

/// Lets nobody pass whose certificate, where one was demanded, is not of those that may, nor anybody who does not know the token, where
/// there is one. Without either only this machine can come. No web page that is open in a browser does, which would present its
/// user's certificate for whoever wrote the page.
pub(super) async fn check(
    Extension(Arrival { peer, client, settings }): Extension<Arrival>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if let (Some(tls), Some(client)) = (&settings.tls, &client)
        && !tls.tls.demand().allows(client)
    {
        return Err(Problem::unlisted(client));
    }
    match (&settings.token, &client) {
        (Some(token), _) => match bearer(request.headers()) {
            Some(offered) if token.is(offered) => {}
            _ => return Err(Problem::unauthorised()),
        },
        (None, Some(_)) => refuse_origin(request.headers())?,
        (None, None) if settings.is_local() => refuse_pages(request.headers())?,
        (None, None) => return Err(Problem::closed()),
    }
    let operator = match (&client, &settings.token) {
        (Some(client), _) => format!("{client} from {}", peer.ip()),
        (None, Some(_)) => format!("token from {}", peer.ip()),
        (None, None) => peer.ip().to_string(),
    };
    request.extensions_mut().insert(Operator(operator));
    Ok(next.run(request).await)
}

/// A browser says whose page asks; and a name that somebody made lead to this machine is none of its own.
fn refuse_pages(headers: &HeaderMap) -> Result<(), Problem> {
    refuse_origin(headers)?;
    match headers.get(header::HOST).map(HeaderValue::to_str) {
        Some(Ok(host)) if is_this_machine(host) => Ok(()),
        _ => Err(Problem::foreign("this Host")),
    }
}

fn refuse_origin(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.contains_key(header::ORIGIN) {
        true => Err(Problem::foreign("this Origin")),
        false => Ok(()),
    }
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The credentials of RFC 6750 2.1.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for host in [
            "127.0.0.1:9090",
            "127.1.2.3",
            "localhost:1",
            "LOCALHOST",
            "[::1]:9090",
            "[::1]",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "bank.example:9090",
            "10.0.0.1",
            "localhost.bank.example",
            "127.0.0.1.nip.example",
            "[::2]:1",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
