//! Why something is not done (RFC 9457).

use std::fmt::Display;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use portcullis_identity::Thumbprint;
use serde_json::json;

use crate::{admin_tls::VerifiedClient, keys::KeyDeskError};

/// A problem document. The code is stable.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }

    pub(super) fn closed() -> Self {
        let detail = "others can reach this address, and nothing says who may: name a token_file in [admin], or client_anchors in [admin.tls]";
        Self::new(StatusCode::FORBIDDEN, "admin.closed", detail)
    }

    /// The certificate is genuine, and its holder none of those who may.
    pub(super) fn unlisted(client: &VerifiedClient) -> Self {
        let detail = format!("{client} is none of the clients of [admin.tls]");
        Self::new(StatusCode::FORBIDDEN, "admin.unlisted", detail)
    }

    pub(super) fn unauthorised() -> Self {
        let detail = "say the token of [admin] token_file as `Authorization: Bearer …`";
        Self::new(StatusCode::UNAUTHORIZED, "admin.unauthorised", detail)
    }

    pub(super) fn foreign(what: &str) -> Self {
        let detail = format!("{what} is of another place: a web page must not speak for you");
        Self::new(StatusCode::FORBIDDEN, "admin.foreign", detail)
    }

    pub(super) fn starting() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "admin.starting", "the gate has not started yet")
    }

    pub(super) fn no_keys() -> Self {
        Self::new(StatusCode::NOT_FOUND, "keys.none", "clients have no keys: there is no [keys]")
    }

    pub(super) fn unknown_path(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "admin.unknown-path", format!("there is nothing at {path}"))
    }

    pub(super) fn unknown_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "admin.unknown-method", "this cannot be done there")
    }

    pub(super) fn unknown_certificate(thumbprint: Thumbprint) -> Self {
        let detail = format!("no key has the certificate {thumbprint}");
        Self::new(StatusCode::NOT_FOUND, "keys.unknown-certificate", detail)
    }

    pub(super) fn unknown_identity(identity: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "keys.unknown", format!("no key has the identity {identity}"))
    }

    pub(super) fn unknown_listener(name: &str) -> Self {
        let detail = format!("there is no listener {name:?}");
        Self::new(StatusCode::NOT_FOUND, "admin.unknown-listener", detail)
    }

    pub(super) fn unknown_policy(name: &str) -> Self {
        let detail = format!("there is no [policy.{name}]");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "keys.unknown-policy", detail)
    }

    pub(super) fn unknown_domain(name: &str) -> Self {
        let detail = format!("there is no trust domain {name:?}");
        Self::new(StatusCode::NOT_FOUND, "admin.unknown-domain", detail)
    }

    /// Something in the path, the query or the body is not of the form that it must have.
    pub(super) fn malformed(why: &dyn Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "admin.malformed", why.to_string())
    }

    pub(super) fn media_type(expected: &str) -> Self {
        let detail = format!("the body must be of another type, and say so: Content-Type: {expected}");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "admin.media-type", detail)
    }

    /// The code and the sentence, for what is one of many.
    pub(super) fn into_parts(self) -> (&'static str, String) {
        (self.code, self.detail)
    }

    pub(super) fn too_large(bytes_max: usize) -> Self {
        let detail = format!("the body has more than {bytes_max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "admin.too-large", detail)
    }
}

impl From<KeyDeskError> for Problem {
    fn from(error: KeyDeskError) -> Self {
        let (status, code) = match &error {
            KeyDeskError::Unknown(_) => (StatusCode::NOT_FOUND, "keys.unknown"),
            KeyDeskError::Refused(error) => match error.code() {
                code @ "keys.state-conflict" => (StatusCode::CONFLICT, code),
                code => (StatusCode::UNPROCESSABLE_ENTITY, code),
            },
            KeyDeskError::Taken { .. } => (StatusCode::CONFLICT, "keys.taken"),
            KeyDeskError::Full { .. } => (StatusCode::CONFLICT, "keys.full"),
            KeyDeskError::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "keys.store-failed"),
            KeyDeskError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "keys.busy"),
            KeyDeskError::Gone => (StatusCode::SERVICE_UNAVAILABLE, "admin.stopping"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, code, detail } = self;
        let body = json!({
            "type": format!("urn:portcullis:problem:{code}"),
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": detail,
            "code": code,
        });
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, content_type, body.to_string()).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"portcullis\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
