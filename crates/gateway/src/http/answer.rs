//! What a route answers by itself.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use portcullis_policy::{Grant, Permit};
use serde_json::{Value, json};

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

/// What the gate knows of the client. Every field is always there; all are null for an anonymous client.
fn identity(permit: &Permit) -> Bytes {
    let value = match permit.identity() {
        Some(identity) => serde_json::to_value(identity).unwrap_or(Value::Null),
        None => {
            json!({ "thumbprint_sha256": null, "subject": null, "validity": null, "psd2": null, "findings": [] })
        }
    };
    let mut body = value.to_string();
    body.push('\n');
    body.into()
}
