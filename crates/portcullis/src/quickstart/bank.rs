//! A bank to stand behind the quickstart's gate: it answers every request with what it was told.

use std::{net::SocketAddr, sync::mpsc, thread};

use anyhow::Context as _;
use axum::{Json, Router, extract::Request};
use serde_json::{Value, json};

/// Starts it on a thread of its own, which lives as long as the process.
///
/// # Errors
///
/// When the address is taken, or the system gives no thread.
pub(crate) fn start(address: SocketAddr) -> anyhow::Result<()> {
    let (report, started) = mpsc::channel();
    let serve = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(report.send(Err(error))),
        };
        runtime.block_on(async {
            let listener = match tokio::net::TcpListener::bind(address).await {
                Ok(listener) => listener,
                Err(error) => return drop(report.send(Err(error))),
            };
            drop(report.send(Ok(())));
            // It ends with the process alone; what fails on one connection concerns no other.
            let _ = axum::serve(listener, Router::new().fallback(answer)).await;
        });
    };
    thread::Builder::new().name("bank".to_owned()).spawn(serve).context("the bank has no thread")?;
    let started = started.recv().context("the bank's thread ended")?;
    started.with_context(|| format!("the bank cannot listen on {address}"))
}

/// What the bank saw of a request: method, path and fields; of a field that came more than once all values.
async fn answer(request: Request) -> Json<Value> {
    let mut fields = serde_json::Map::new();
    for name in request.headers().keys() {
        let values: Vec<_> = request
            .headers()
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        let value = if let [value] = &values[..] { json!(value) } else { json!(values) };
        fields.insert(name.as_str().to_owned(), value);
    }
    let path = request.uri().path_and_query().map_or("/", |target| target.as_str());
    Json(json!({ "bank": "quickstart", "method": request.method().as_str(), "path": path, "fields": fields }))
}
