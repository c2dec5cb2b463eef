//! What a route answers by itself.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use portcullis_policy::{Anonymous, Grant, Permit};

use crate::{
    http::body::OutgoingBody,
    plan::{Answer, AnswerBody},
};

/// The answer of a route that `grant` opens.
pub(crate) fn answer(grant: &Grant<'_>, answer: &Answer) -> Response<OutgoingBody> {
    let (body, content_type) = match &answer.body {
        AnswerBody::Fixed(bytes) => (bytes.clone(), "text/plain; charset=utf-8"),
        AnswerBody::Identity => (identity(grant.permit()), "application/json"),
    };
    let mut response = Response::new(OutgoingBody::own(body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in &answer.headers {
        headers.insert(name.clone(), value.clone());
    }
    response
}

/// What the gate knows of the client: its assessment, or the same without a certificate, all of it null.
fn identity(permit: &Permit) -> Bytes {
    let body = match permit.assessment() {
        Some(assessment) => serde_json::to_string(assessment),
        None => serde_json::to_string(&Anonymous),
    };
    let mut body = body.unwrap_or_default();
    body.push('\n');
    body.into()
}
