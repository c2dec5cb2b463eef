//! Keys: listed, shown, changed, forgotten.

use std::collections::BTreeSet;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use portcullis_identity::Roles;
use portcullis_keys::{KeyChange, KeyId, KeyIdentity, KeyRecord, KeyState};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Api,
    body::{read_body, read_lines},
    door::Operator,
    problem::Problem,
};
use crate::keys::KeyFilter;

/// Keys of a page.
const PAGE: usize = 100;
const PAGE_MOST: usize = 1000;
/// Records of one import: as many as a page has.
const IMPORTED_MOST: usize = PAGE_MOST;

/// What is asked of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    after: Option<KeyId>,
    limit: Option<usize>,
    state: Option<KeyState>,
    tag: Option<String>,
    text: Option<String>,
}

/// What is changed. A field that is absent stays; roles and policy that are null are taken away.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    display_name: Option<String>,
    notes: Option<String>,
    tags: Option<BTreeSet<String>>,
    #[serde(default, deserialize_with = "present")]
    roles: Option<Option<Roles>>,
    #[serde(default, deserialize_with = "present")]
    policy: Option<Option<String>>,
}

pub(super) async fn list(
    State(api): State<Api>,
    query: Result<Query<Listing>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(Listing { after, limit, state, tag, text }) =
        query.map_err(|error| Problem::malformed(&error.body_text()))?;
    let limit = limit.unwrap_or(PAGE);
    if !(1..=PAGE_MOST).contains(&limit) {
        return Err(Problem::malformed(&format!("limit must be from 1 to {PAGE_MOST}")));
    }
    let (keys, next) = api.desk()?.list(after, KeyFilter { state, tag, text }, limit).await?;
    Ok(Json(json!({ "keys": keys, "next": next })).into_response())
}

pub(super) async fn show(State(api): State<Api>, id: Path<String>) -> Result<Json<KeyRecord>, Problem> {
    Ok(Json(api.desk()?.show(read_id(&api, &id).await?).await?))
}

pub(super) async fn approve(
    api: State<Api>,
    operator: Extension<Operator>,
    id: Path<String>,
) -> Result<Json<KeyRecord>, Problem> {
    change_one(&api, &operator, &id, KeyChange::Approve).await
}

pub(super) async fn suspend(
    api: State<Api>,
    operator: Extension<Operator>,
    id: Path<String>,
) -> Result<Json<KeyRecord>, Problem> {
    change_one(&api, &operator, &id, KeyChange::Suspend).await
}

pub(super) async fn resume(
    api: State<Api>,
    operator: Extension<Operator>,
    id: Path<String>,
) -> Result<Json<KeyRecord>, Problem> {
    change_one(&api, &operator, &id, KeyChange::Resume).await
}

/// Makes all changes of a body, or none.
pub(super) async fn change(
    State(api): State<Api>,
    Extension(Operator(by)): Extension<Operator>,
    id: Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<KeyRecord>, Problem> {
    let id = read_id(&api, &id).await?;
    let Patch { display_name, notes, tags, roles, policy } = read_body(&headers, body).await?;
    if let Some(Some(policy)) = &policy
        && !api.backend()?.published.plan.load().policies.has(policy)
    {
        return Err(Problem::unknown_policy(policy));
    }
    let changes: Vec<KeyChange> = [
        display_name.map(KeyChange::DisplayName),
        notes.map(KeyChange::Notes),
        tags.map(KeyChange::Tags),
        roles.map(KeyChange::Roles),
        policy.map(KeyChange::Policy),
    ]
    .into_iter()
    .flatten()
    .collect();
    if changes.is_empty() {
        return Err(Problem::malformed(&"the body changes nothing"));
    }
    Ok(Json(api.desk()?.change(id, changes, &by).await?))
}

pub(super) async fn delete(
    State(api): State<Api>,
    Extension(Operator(by)): Extension<Operator>,
    id: Path<String>,
) -> Result<Json<KeyRecord>, Problem> {
    Ok(Json(api.desk()?.delete(read_id(&api, &id).await?, &by).await?))
}

/// Keeps a record that was exported here or elsewhere.
pub(super) async fn import(
    State(api): State<Api>,
    Extension(Operator(by)): Extension<Operator>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let record: KeyRecord = read_body(&headers, body).await?;
    let record = api.desk()?.import(record, &by).await?;
    Ok((StatusCode::CREATED, Json(record)).into_response())
}

/// Keeps many records, one on each line. Each is kept or refused for itself; those that are refused are told.
pub(super) async fn import_lines(
    State(api): State<Api>,
    Extension(Operator(by)): Extension<Operator>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = read_lines(&headers, body).await?;
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let lines: Vec<_> = lines.filter(|(_, line)| !line.trim_ascii().is_empty()).collect();
    if lines.len() > IMPORTED_MOST {
        return Err(Problem::malformed(&format!("there are more than {IMPORTED_MOST} lines")));
    }
    let (desk, count) = (api.desk()?, lines.len());
    let mut imports = JoinSet::new();
    for (index, line) in lines {
        let (record, desk, by) = (serde_json::from_slice::<KeyRecord>(line), desk.clone(), by.clone());
        // All wait at the same time, so that they are written as one.
        imports.spawn(async move {
            let outcome = match record {
                Ok(record) => desk.import(record, &by).await.map(drop).map_err(Problem::from),
                Err(error) => Err(Problem::malformed(&error)),
            };
            (index + 1, outcome)
        });
    }
    let mut refused: Vec<_> = imports.join_all().await;
    refused.retain(|(_, outcome)| outcome.is_err());
    refused.sort_by_key(|(line, _)| *line);
    let imported = count - refused.len();
    let refused = refused.into_iter().filter_map(|(line, outcome)| {
        let (code, detail) = outcome.err()?.into_parts();
        Some(json!({ "line": line, "code": code, "detail": detail }))
    });
    Ok(Json(json!({ "imported": imported, "refused": refused.collect::<Vec<_>>() })).into_response())
}

/// How many connections a key has, by certificate.
pub(super) async fn connections(State(api): State<Api>, id: Path<String>) -> Result<Response, Problem> {
    let record = api.desk()?.show(read_id(&api, &id).await?).await?;
    let live = &api.backend()?.live;
    let of = |thumbprint| json!({ "thumbprint_sha256": thumbprint, "connections": live.of(&thumbprint) });
    let thumbprints = || record.certificates.iter().map(|member| member.thumbprint_sha256);
    let total: usize = thumbprints().map(|thumbprint| live.of(&thumbprint)).sum();
    let certificates: Vec<_> = thumbprints().map(of).collect();
    Ok(Json(json!({ "connections": total, "certificates": certificates })).into_response())
}

async fn change_one(
    api: &Api,
    Operator(by): &Operator,
    id: &str,
    change: KeyChange,
) -> Result<Json<KeyRecord>, Problem> {
    Ok(Json(api.desk()?.change(read_id(api, id).await?, vec![change], by).await?))
}

/// A key by its id, or by its identity, which has a colon.
async fn read_id(api: &Api, text: &str) -> Result<KeyId, Problem> {
    if !text.contains(':') {
        return text.parse().map_err(|error| Problem::malformed(&error));
    }
    let found = api.desk()?.by_identity(&KeyIdentity::new(text)).await?;
    found.ok_or_else(|| Problem::unknown_identity(text))
}

/// A field that is there, null or not.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
