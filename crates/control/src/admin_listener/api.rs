//! The API of operators: keys, whose certificates are, what would become of a client, and what the gate runs on.

mod body;
mod door;
mod dry_run;
mod keys;
mod problem;
mod status;

use std::sync::{Arc, OnceLock};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::Uri,
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use portcullis_gateway::{LiveConnections, Published};
use portcullis_identity::Thumbprint;
use serde_json::json;

use crate::keys::KeyDesk;
use problem::Problem;

/// Describes the API, in `OpenAPI` 3.1.
const OPENAPI: &str = include_str!("../../../../docs/openapi.json");

/// What answers are made from. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Api {
    backend: Arc<OnceLock<Backend>>,
}

/// What is there once the gate has started.
#[derive(Debug)]
pub(crate) struct Backend {
    /// `None` where clients have no keys.
    pub(crate) desk: Option<KeyDesk>,
    pub(crate) live: Arc<LiveConnections>,
    /// What shards judge by.
    pub(crate) published: Published,
}

impl Api {
    /// The gate has started.
    pub(crate) fn open(&self, backend: Backend) {
        // It starts once.
        drop(self.backend.set(backend));
    }

    pub(super) fn router(self) -> Router {
        let router = Router::new()
            .route("/openapi.json", get(openapi))
            .route("/keys", get(keys::list).post(keys::import))
            .route("/keys/import", post(keys::import_lines))
            .route("/keys/{id}", get(keys::show).patch(keys::change).delete(keys::delete))
            .route("/keys/{id}/approve", post(keys::approve))
            .route("/keys/{id}/suspend", post(keys::suspend))
            .route("/keys/{id}/resume", post(keys::resume))
            .route("/keys/{id}/connections", get(keys::connections))
            .route("/certificates/{thumbprint}", get(certificate))
            .route("/dry-run", post(dry_run::foresee))
            .route("/status", get(status::status))
            .route("/trust", get(status::trust))
            .fallback(unknown_path)
            .method_not_allowed_fallback(unknown_method);
        let router = router.layer(middleware::from_fn(door::check));
        // Backends ask for the key set, who are no operators.
        let open = Router::new().route("/jwks.json", get(status::key_set)).with_state(self.clone());
        open.nest("/v1", router.with_state(self))
    }

    fn backend(&self) -> Result<&Backend, Problem> {
        self.backend.get().ok_or_else(Problem::starting)
    }

    fn desk(&self) -> Result<&KeyDesk, Problem> {
        self.backend()?.desk.as_ref().ok_or_else(Problem::no_keys)
    }
}

async fn openapi() -> impl IntoResponse {
    ([(http::header::CONTENT_TYPE, "application/json")], OPENAPI)
}

/// Whose a certificate is, and how many connections it has.
async fn certificate(State(api): State<Api>, Path(thumbprint): Path<String>) -> Result<Response, Problem> {
    let thumbprint: Thumbprint = thumbprint.parse().map_err(|error| Problem::malformed(&error))?;
    let id = api.desk()?.by_certificate(thumbprint).await?;
    let Some(id) = id else { return Err(Problem::unknown_certificate(thumbprint)) };
    let record = api.desk()?.show(id).await?;
    let member = record.certificates.iter().find(|member| member.thumbprint_sha256 == thumbprint);
    let connections = api.backend()?.live.of(&thumbprint);
    Ok(Json(json!({ "key": id, "certificate": member, "connections": connections })).into_response())
}

async fn unknown_path(uri: Uri) -> Problem {
    Problem::unknown_path(&format!("/v1{}", uri.path()))
}

async fn unknown_method() -> Problem {
    Problem::unknown_method()
}
