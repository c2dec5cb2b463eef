//! The admin listener over a real socket.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

fn beating() -> Heartbeats {
    Heartbeats::new(2, Instant::now())
}

async fn start(phase: Phase) -> (SocketAddr, watch::Sender<Phase>) {
    let (sender, phases) = watch::channel(phase);
    let listener = AdminListener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.address();
    let settings = AdminSettings { address, token: None, token_file: None, tls: None };
    let lists_missing = watch::channel(None).1;
    let sources = Sources { recorder: Recorder::detached(), phase: phases, lists_missing };
    tokio::spawn(listener.serve(sources, Api::default(), watch::channel(Arc::new(settings)).1));
    (address, sender)
}

async fn ask(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("{head} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn tells_whether_the_gate_is_ready() {
    let (address, phase) = start(Phase::Starting).await;
    assert!(ask(address, "GET /health").await.starts_with("HTTP/1.1 200"));
    assert!(ask(address, "GET /ready").await.starts_with("HTTP/1.1 503"));
    phase.send_replace(Phase::Serving(beating()));
    assert!(ask(address, "GET /ready").await.starts_with("HTTP/1.1 200"));
    phase.send_replace(Phase::Draining(beating()));
    assert!(ask(address, "GET /ready").await.starts_with("HTTP/1.1 503"));
    assert!(ask(address, "GET /health").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_stuck_shard_is_neither_health_nor_readiness() {
    let long_ago = Instant::now().checked_sub(Duration::from_secs(9)).unwrap();
    let silent = Heartbeats::new(2, long_ago);
    let (address, phase) = start(Phase::Serving(silent.clone())).await;
    for path in ["/health", "/ready"] {
        let answer = ask(address, &format!("GET {path}")).await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("stuck for 9 s"), "{answer}");
    }
    phase.send_replace(Phase::Draining(silent));
    assert!(ask(address, "GET /health").await.starts_with("HTTP/1.1 503"), "nor is one that cannot drain");
}

#[tokio::test]
async fn answers_nothing_else() {
    let (address, _phase) = start(Phase::Serving(beating())).await;
    assert!(ask(address, "GET /").await.starts_with("HTTP/1.1 404"));
    assert!(ask(address, "GET /metrics/x").await.starts_with("HTTP/1.1 404"));
    assert!(ask(address, "POST /metrics").await.starts_with("HTTP/1.1 405"));
    let metrics = ask(address, "GET /metrics").await;
    assert!(
        metrics.starts_with("HTTP/1.1 200") && metrics.contains("text/plain; version=0.0.4"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_crowd_waits_and_is_served_when_others_leave() {
    let (address, _phase) = start(Phase::Serving(beating())).await;
    let mut crowd = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        crowd.push(TcpStream::connect(address).await.unwrap());
    }
    let waiting = tokio::spawn(async move { ask(address, "GET /health").await });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    drop(crowd);
    assert!(waiting.await.unwrap().starts_with("HTTP/1.1 200"));
}
