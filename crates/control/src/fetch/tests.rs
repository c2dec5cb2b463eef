//! The fetcher against servers on loopback that are good, slow, wrong and worse.

mod redirects;
mod server;

use std::time::Duration;

use portcullis_test_pki::Authority;
use tokio::net::TcpListener;

use self::server::{Act, Server, ok, text};
use super::*;

/// No test waits for as long as this.
const LONG: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(100);

const LIMITS: FetchLimits = FetchLimits {
    bytes_max: 1000,
    total_timeout: LONG,
    connect_timeout: LONG,
    stall_timeout: LONG,
    redirects_max: 3,
};

fn fetcher(server: &Server, limits: FetchLimits) -> Fetcher {
    Fetcher::new(Access::Https, limits, &[server.root()]).unwrap()
}

/// One that believes none of the servers here. It has a root all the same: the system may have none.
fn stranger(limits: FetchLimits) -> Fetcher {
    Fetcher::new(Access::Https, limits, &[Authority::foreign().unwrap().root_der().clone()]).unwrap()
}

async fn get(server: &Server, limits: FetchLimits) -> Result<Fetched, FetchError> {
    fetcher(server, limits).get(&server.url("/tl.xml"), None).await
}

/// Has a server answer so, and tells how the fetch ends.
async fn refusal(acts: Vec<Act>, limits: FetchLimits) -> FetchError {
    let server = Server::start(move |_| acts.clone()).await;
    get(&server, limits).await.unwrap_err()
}

fn bytes(fetched: Result<Fetched, FetchError>) -> Vec<u8> {
    match fetched.unwrap() {
        Fetched::New { bytes, .. } => bytes,
        Fetched::Unchanged => panic!("unchanged"),
    }
}

#[tokio::test]
async fn a_document_is_fetched_and_then_unchanged() {
    let server = Server::start(|head| match head.contains("if-none-match: \"7\"\r\n") {
        true => vec![text("HTTP/1.1 304 Not Modified\r\netag: \"7\"\r\n\r\n")],
        false => vec![text(
            "HTTP/1.1 200 OK\r\netag: \"7\"\r\nlast-modified: Tue, 24 Nov 2026 12:00:00 GMT\r\n\
             content-length: 4\r\n\r\nlist",
        )],
    })
    .await;
    let (fetcher, url) = (fetcher(&server, LIMITS), server.url("/tl.xml?a=b"));
    let Fetched::New { bytes, validators } = fetcher.get(&url, None).await.unwrap() else { panic!() };
    assert_eq!(bytes, b"list");
    let date = "Tue, 24 Nov 2026 12:00:00 GMT".to_owned();
    assert_eq!(validators, Validators { etag: Some("\"7\"".to_owned()), last_modified: Some(date) });
    assert_eq!(fetcher.get(&url, Some(&validators)).await.unwrap(), Fetched::Unchanged);

    let heads = server.heads();
    assert!(heads[0].starts_with("GET /tl.xml?a=b HTTP/1.1\r\n"), "{heads:?}");
    assert!(heads[0].contains("user-agent: portcullis/"), "{heads:?}");
    for absent in ["if-", "accept-encoding", "cookie", "referer"] {
        assert!(!heads[0].to_lowercase().contains(absent), "{absent} in {heads:?}");
    }
    assert!(heads[1].contains("if-modified-since: Tue, 24 Nov 2026 12:00:00 GMT\r\n"), "{heads:?}");
}

#[tokio::test]
async fn a_document_is_fetched_over_http_2() {
    let server = Server::start_h2().await;
    assert_eq!(bytes(get(&server, LIMITS).await), b"over h2");
}

#[tokio::test]
async fn a_stored_document_is_asked_for_by_its_validators() {
    let server = Server::start(|head| match head.contains("if-none-match: \"7\"\r\n") {
        true => vec![text("HTTP/1.1 304 Not Modified\r\n\r\n")],
        false => vec![text("HTTP/1.1 200 OK\r\netag: \"7\"\r\ncontent-length: 4\r\n\r\nlist")],
    })
    .await;
    let (fetcher, url) = (fetcher(&server, LIMITS), server.url("/"));
    let folder = std::env::temp_dir().join(format!("portcullis-fetch-{}", std::process::id()));
    let store = Store::open(&folder).unwrap();
    let Fetched::New { bytes, validators } = fetcher.get(&url, None).await.unwrap() else { panic!() };
    store.write("DE.xml", &bytes).unwrap();
    store.write_validators("DE.xml", &bytes, &validators).unwrap();

    let store = Store::open(&folder).unwrap();
    let copy = store.read("DE.xml", LIMITS.bytes_max).unwrap().unwrap();
    let known = store.validators("DE.xml", &copy).unwrap();
    assert_eq!(fetcher.get(&url, known.as_ref()).await.unwrap(), Fetched::Unchanged);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn unchanged_is_no_answer_to_who_knows_nothing() {
    let server = Server::start(|_| vec![text("HTTP/1.1 304 Not Modified\r\n\r\n")]).await;
    let fetcher = fetcher(&server, LIMITS);
    for known in [None, Some(&Validators::default())] {
        let error = fetcher.get(&server.url("/"), known).await.unwrap_err();
        assert!(matches!(error, FetchError::Status { status: 304, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_document_may_be_as_long_as_the_limit() {
    let server = Server::start(|_| ok(&"a".repeat(1000))).await;
    assert_eq!(bytes(get(&server, LIMITS).await).len(), 1000);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3e8\r\n";
    let chunked = format!("{chunked}{}\r\n0\r\n\r\n", "a".repeat(1000));
    let server = Server::start(move |_| vec![text(&chunked)]).await;
    assert_eq!(bytes(get(&server, LIMITS).await).len(), 1000);
}

#[tokio::test]
async fn a_document_that_is_announced_too_long_is_not_waited_for() {
    for length in ["1001", "18446744073709551613"] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        let error = refusal(vec![text(head), Act::Wait], LIMITS).await;
        assert!(matches!(error, FetchError::TooLarge { bytes_max: 1000, .. }), "{error:?}");
        assert!(error.to_string().contains(length), "{error}");
    }
}

#[tokio::test]
async fn a_document_without_end_is_cut_at_the_limit() {
    let endless =
        |field: &str, piece| vec![text(format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n")), Act::Repeat(piece)];
    for acts in
        [endless("connection: close", b"aaaa"), endless("transfer-encoding: chunked", b"4\r\naaaa\r\n")]
    {
        let error = refusal(acts, LIMITS).await;
        assert!(matches!(error, FetchError::TooLarge { bytes: 1001.., .. }), "{error:?}");
        assert_eq!(error.code(), "fetch.too-large");
    }
}

#[tokio::test]
async fn silence_has_an_end() {
    let stall = FetchLimits { stall_timeout: SHORT, ..LIMITS };
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nlist";
    let error = refusal(vec![text(head), Act::Wait], stall).await;
    assert!(matches!(error, FetchError::Timeout { wait: Wait::Body { received: 4 }, .. }), "{error:?}");
    assert_eq!(error.code(), "fetch.timeout");
    let answer = FetchLimits { connect_timeout: 10 * SHORT, ..stall };
    for acts in [vec![Act::Wait], vec![text("HTTP/1.1 200 OK\r\nx: "), Act::Drip]] {
        let error = refusal(acts, answer).await;
        assert!(matches!(error, FetchError::Timeout { wait: Wait::Answer, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_never_falls_silent_has_an_end_too() {
    let total = FetchLimits { bytes_max: 1 << 30, total_timeout: 5 * SHORT, ..LIMITS };
    let error = refusal(vec![text("HTTP/1.1 200 OK\r\n\r\n"), Act::Drip], total).await;
    assert!(matches!(error, FetchError::Timeout { wait: Wait::Whole, .. }), "{error:?}");
}

#[tokio::test]
async fn a_handshake_that_nobody_answers_has_an_end() {
    // The kernel connects; nobody accepts.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let fetcher = stranger(FetchLimits { connect_timeout: SHORT, ..LIMITS });
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let error = fetcher.get(&url, None).await.unwrap_err();
    assert!(matches!(error, FetchError::Timeout { wait: Wait::Connection, .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_not_http_is_told_so() {
    for garbage in ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "\0\0\0\0\0\0\0\0", "HTTP/1.1 9999999 OK\r\n\r\n"] {
        let error = refusal(vec![text(garbage), Act::Wait], LIMITS).await;
        assert_eq!(error.code(), "fetch.protocol", "{error:?}");
    }
    let doubt = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nlist";
    assert_eq!(refusal(vec![text(doubt)], LIMITS).await.code(), "fetch.protocol");
    let mut fields = "HTTP/1.1 200 OK\r\n".to_owned();
    fields.push_str(&"a: b\r\n".repeat(5000));
    assert_eq!(refusal(vec![text(fields), Act::Wait], LIMITS).await.code(), "fetch.protocol");
}

#[tokio::test]
async fn half_a_document_is_none() {
    let sized = || text("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nlist");
    let chunked = || text("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nlist\r\n");
    let to_the_end = || text("HTTP/1.1 200 OK\r\n\r\nlist");
    for acts in [
        vec![sized(), Act::End],
        vec![sized(), Act::Cut],
        vec![chunked(), Act::End],
        vec![chunked(), Act::Cut],
        vec![chunked(), text("no length\r\n")],
        // Nothing but TLS tells this from the whole document.
        vec![to_the_end(), Act::Cut],
    ] {
        let error = refusal(acts.clone(), LIMITS).await;
        assert!(matches!(error, FetchError::Truncated { received: 4, .. }), "{acts:?}: {error:?}");
    }
    let server = Server::start(move |_| vec![to_the_end(), Act::End]).await;
    assert_eq!(bytes(get(&server, LIMITS).await), b"list");
}

#[tokio::test]
async fn half_a_head_is_no_answer() {
    for acts in [vec![Act::Cut], vec![Act::End], vec![text("HTTP/1.1 200 OK\r\ncont"), Act::Cut]] {
        let error = refusal(acts.clone(), LIMITS).await;
        assert!(matches!(error, FetchError::Truncated { received: 0, .. }), "{acts:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_server_with_another_certificate_is_not_asked() {
    let server = Server::start(|_| ok("list")).await;
    let error = stranger(LIMITS).get(&server.url("/"), None).await.unwrap_err();
    let FetchError::Tls { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*source, rustls::CertificateError::UnknownIssuer.into());
    let named = Server::start_as(&["tl.example"], |_| ok("list")).await;
    assert_eq!(get(&named, LIMITS).await.unwrap_err().code(), "fetch.tls");
    assert!(server.heads().is_empty() && named.heads().is_empty());
}

#[tokio::test]
async fn a_server_without_tls_is_not_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let plain = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut tcp, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        tcp
    });
    let fetcher = stranger(LIMITS);
    assert_eq!(fetcher.get(&url, None).await.unwrap_err().code(), "fetch.tls");
    drop(plain.await.unwrap());
    // Nobody is there now.
    assert_eq!(fetcher.get(&url, None).await.unwrap_err().code(), "fetch.connect");
}

#[tokio::test]
async fn other_answers_are_no_document() {
    for status in [204, 206, 300, 404, 500, 503] {
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
        let error = refusal(vec![text(head)], LIMITS).await;
        assert!(matches!(error, FetchError::Status { status: told, .. } if told == status), "{error:?}");
    }
    let gzip = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nlist";
    assert_eq!(refusal(vec![text(gzip)], LIMITS).await.code(), "fetch.encoding");
}

#[tokio::test]
async fn what_certificates_name_is_fetched_from_public_addresses_only() {
    let server = Server::start(|_| ok("list")).await;
    let fetcher = |private_hosts: &[String]| {
        let access = Access::Public { private_hosts: private_hosts.to_vec() };
        Fetcher::new(access, LIMITS, &[server.root()]).unwrap()
    };
    // By address, by a name that is resolved, and behind a redirect.
    for url in [server.url("/"), server.url("/").replace("127.0.0.1", "localhost")] {
        let error = fetcher(&[]).get(&url, None).await.unwrap_err();
        assert_eq!(error.code(), "fetch.not-public", "{url}: {error:?}");
        let error = fetcher(&[]).post(&url, "text/plain", Vec::new()).await.unwrap_err();
        assert_eq!(error.code(), "fetch.not-public", "{url}: {error:?}");
    }
    let hidden = format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", server.url("/"));
    let public = Server::start(move |_| vec![text(&hidden)]).await;
    let allowed = format!("127.0.0.1:{}", public.port());
    let access = Access::Public { private_hosts: vec![allowed] };
    let redirected = Fetcher::new(access, LIMITS, &[server.root(), public.root()]).unwrap();
    assert_eq!(redirected.get(&public.url("/"), None).await.unwrap_err().code(), "fetch.not-public");
    assert!(server.heads().is_empty());
    let allowed = format!("127.0.0.1:{}", server.port());
    assert_eq!(bytes(fetcher(&[allowed]).get(&server.url("/"), None).await), b"list");
}

#[test]
fn a_root_that_is_no_certificate_is_refused() {
    let error = Fetcher::new(Access::Https, LIMITS, &[b"no certificate".as_slice().into()]).unwrap_err();
    assert_eq!(error.code(), "fetch.client");
}
