//! HTTP/2: streams share a connection, bodies go both ways, a server that closes in good order is connected to again, and whatever else
//! it does ends as a failure with its cause.

mod http2_server;
mod server;

use http2_server::{Does, Http2Server};
use server::{Behaviour, OK, Outcome, Server};

#[test]
fn streams_share_a_connection() {
    for io in ["auto", "epoll"] {
        let server = Http2Server::start(Does::Answer);
        let options =
            ["--connections", "2", "--streams", "5", "--count", "200", "--warmup", "20", "--io", io];
        let outcome = server.load(&options);
        assert!(outcome.success, "{}", outcome.stderr);
        assert_eq!((outcome.count("completed"), outcome.count("bytes_received")), (200, 600));
        assert_eq!((&outcome.report["http"], outcome.count("streams")), (&"2".into(), 5));
        // One request each when the connections were opened.
        assert_eq!(
            (server.count(|counts| &counts.connections), server.count(|counts| &counts.requests)),
            (2, 222)
        );
        assert_eq!(server.count(|counts| &counts.streams_max), 5);
        assert_eq!((outcome.count("handshakes"), outcome.count("reconnects")), (2, 0));
    }
}

#[test]
fn bodies_go_both_ways() {
    let server = Http2Server::start(Does::Answer);
    let options = ["--count", "6", "--streams", "3", "--path", "/bytes/2000000", "--body-bytes", "3000000"];
    let outcome = server.load(&options);
    assert!(outcome.success, "{}", outcome.stderr);
    assert_eq!(outcome.count("bytes_received"), 6 * 2_000_000);
    assert_eq!(server.count(|counts| &counts.body_bytes), 7 * 3_000_000);
    let early = Http2Server::start(Does::AnswerEarly);
    let outcome = early.load(&["--count", "6", "--body-bytes", "3000000"]);
    assert!(outcome.success, "an answer before the body's end is one: {}", outcome.stderr);
}

#[test]
fn a_server_that_closes_in_good_order_is_connected_to_again() {
    let server = Http2Server::start(Does::AnswerThenGo(10));
    for streams in ["1", "4"] {
        let outcome = server.load(&["--count", "100", "--streams", streams]);
        assert!(outcome.success, "{}", outcome.stderr);
        assert_eq!((outcome.count("completed"), outcome.count("failed")), (100, 0));
        let reconnects = outcome.count("reconnects");
        assert!((5..=30).contains(&reconnects), "{reconnects}");
    }
}

#[test]
fn an_open_loop_has_its_rate_on_streams() {
    let server = Http2Server::start(Does::Answer);
    let options =
        ["--rate", "200", "--duration", "1s", "--streams", "20", "--threads", "2", "--connections", "2"];
    let outcome = server.load(&options);
    assert!(outcome.success, "{}", outcome.stderr);
    assert_eq!((outcome.count("completed"), outcome.count("failed")), (200, 0));
}

#[test]
fn what_goes_wrong_has_its_cause() {
    let cause = |outcome: &Outcome, name: &str| outcome.report["failures"][name].as_u64().unwrap_or_default();
    let outcome = Http2Server::start(Does::Reset).load(&["--count", "8"]);
    assert!(!outcome.success);
    assert_eq!(cause(&outcome, "http2: reset: REFUSED_STREAM"), 1, "{}", outcome.report);
    assert_eq!((outcome.count("failed"), cause(&outcome, "no connection left")), (8, 8));

    let outcome = Http2Server::start(Does::Nothing).load(&["--count", "2", "--timeout-s", "1"]);
    assert_eq!(cause(&outcome, "timeout: answer"), 1, "{}", outcome.report);

    // This one speaks HTTP/1.1 and says nothing of others.
    let server = Server::start(Behaviour::Answer(OK));
    let outcome = server.load("request", &["--http2", "--count", "2"]);
    assert_eq!(cause(&outcome, "http2: the server does not speak it"), 1, "{}", outcome.report);
    assert!(!server.load("handshake", &["--http2", "--count", "2"]).success);

    let server = Http2Server::start(Does::Answer);
    let root = server.directory.join("root.pem");
    let options = ["--ca", root.to_str().unwrap(), "--http2", "--count", "2"];
    let outcome = server::run("request", server.address, &options);
    assert_eq!(cause(&outcome, "alert: certificate_required"), 1, "{}", outcome.report);
}
