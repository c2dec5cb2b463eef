//! A granted request on its way to its upstream.

use std::{rc::Rc, time::Duration};

use http::{HeaderMap, Method, Request, header, request::Parts};
use hyper::body::{Body, Incoming};
use portcullis_policy::{Grant, RequestPath};
use portcullis_upstream::{BodyFraming, BodySource, OutgoingRequest, RequestBody, TrailerRule, push_field};

use crate::{
    http::{
        authority::RequestHost,
        hand_off::{HandOff, push_forwarded},
    },
    plan::HandOffField,
    session::Session,
};

/// What a head takes beside the hand-off, in bytes: most requests of an API.
const HEAD_BYTES_USUAL: usize = 1024;

/// Writes the head that the upstream gets: the path as it was matched, the host as it was judged, first the client's
/// fields without those that are not for it to set, then ours. The grant is the proof that the request may pass. The
/// fields that frame the body and the empty line are still to come.
pub(crate) fn head(
    session: &Session,
    grant: &Grant<'_>,
    (host, path): (&RequestHost, &RequestPath<'_>),
    request: &Request<Incoming>,
    hand_off: &HandOff,
) -> Vec<u8> {
    let lines = session.identity_lines(grant, hand_off.fields);
    let mut head = Vec::with_capacity(HEAD_BYTES_USUAL + lines.len());
    head.extend_from_slice(request.method().as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(path.as_str().as_bytes());
    if let Some(query) = request.uri().query() {
        head.push(b'?');
        head.extend_from_slice(query.as_bytes());
    }
    head.extend_from_slice(b" HTTP/1.1\r\n");
    push_field("host", host.authority().as_bytes(), &mut head);
    push_fields(request.headers(), hand_off, &mut head);
    head.extend_from_slice(&lines);
    if let Some(line) = hand_off.assertion.as_ref().and_then(|to| session.assertion_line(grant, to)) {
        head.extend_from_slice(&line);
    }
    if hand_off.fields.contains(HandOffField::Forwarded) {
        push_forwarded(session.peer, host.authority(), &mut head);
    }
    head
}

/// How the body of a request may be.
pub(crate) struct BodyTerms {
    pub(crate) stall_timeout: Duration,
    pub(crate) bytes_max: u64,
    /// Which trailer fields pass; none without a rule.
    pub(crate) trailers: Option<Rc<HandOff>>,
}

/// How the body of a client is framed for an upstream; `None` where there is none. HTTP/1.1 framing is made anew: the client's has
/// been used up.
pub(crate) fn framing_of(body: &Incoming) -> Option<BodyFraming> {
    match body.size_hint().exact() {
        _ if body.is_end_stream() => None,
        // An h2 stream that announced nothing and has not ended may yet send something, which makes it malformed.
        Some(0) | None => Some(BodyFraming::Chunked),
        Some(length) => Some(BodyFraming::Length(length)),
    }
}

/// Ends `head` by how the body is framed.
pub(crate) fn outgoing(
    parts: &Parts,
    body: Option<(BodyFraming, BodySource)>,
    mut head: Vec<u8>,
    terms: BodyTerms,
) -> OutgoingRequest {
    match &body {
        Some((BodyFraming::Length(length), _)) => {
            push_field("content-length", length.to_string().as_bytes(), &mut head);
        }
        Some((BodyFraming::Chunked, _)) => push_field("transfer-encoding", b"chunked", &mut head),
        // Methods for which a body is expected say that there is none (RFC 9110 8.6).
        None if matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) => {
            push_field("content-length", b"0", &mut head);
        }
        None => {}
    }
    head.extend_from_slice(b"\r\n");
    let BodyTerms { stall_timeout, bytes_max, trailers } = terms;
    let trailers = trailers.map(|rules| rules as Rc<dyn TrailerRule>);
    OutgoingRequest {
        head,
        is_head: parts.method == Method::HEAD,
        is_idempotent: parts.method.is_idempotent(),
        body: body.map(|(framing, source)| RequestBody {
            source,
            framing,
            received: Rc::default(),
            bytes_max,
            stall_timeout,
            trailers,
        }),
    }
}

fn push_fields(fields: &HeaderMap, hand_off: &HandOff, head: &mut Vec<u8>) {
    let nominated: Vec<&[u8]> = fields
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii))
        .collect();
    let mut has_cookie = false;
    for (name, value) in fields {
        let is_nominated =
            || nominated.iter().any(|option| option.eq_ignore_ascii_case(name.as_str().as_bytes()));
        if hand_off.strips(name.as_str()) || is_nominated() {
            continue;
        }
        if name == header::COOKIE {
            // h2 lets a client split what HTTP/1.1 has in one field (RFC 9113 8.2.3).
            if !has_cookie {
                let crumbs: Vec<_> =
                    fields.get_all(header::COOKIE).iter().map(|crumb| crumb.as_bytes()).collect();
                push_field("cookie", &crumbs.join(&b"; "[..]), head);
            }
            has_cookie = true;
            continue;
        }
        push_field(name.as_str(), value.as_bytes(), head);
    }
}
