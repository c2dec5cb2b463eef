//! Floods: they come as they were asked for, end by themselves, and say what the server did.

mod server;
mod tpp_server;

use tpp_server::{Refusals, TppServer};

#[test]
fn a_crowd_of_certificates_has_no_two_the_same() {
    for tls in ["1.2", "1.3"] {
        let server = TppServer::start(Refusals::Alerts);
        let root = server.file("root.pem");
        let options =
            ["certificates", "--ca", &root, "--count", "60", "--connections", "4", "--threads", "2"];
        let outcome = server.run("flood", &[&options[..], &["--tls", tls]].concat());
        assert!(outcome.success, "{}", outcome.stderr);
        assert_eq!((outcome.count("refused"), outcome.count("client_certificates")), (60, 60));
        assert_eq!((server.presented(), server.seen().len()), (60, 0), "each was another, and none got in");
        // Whoever lets them in fails the run.
        let outcome = server.run("flood", &[&options[..], &["--expect", "foreign=pass"]].concat());
        assert!(!outcome.success && outcome.report["clients"]["foreign"]["unexpected"] == 60);
    }
}

#[test]
fn a_crowd_has_no_other_certificates() {
    let server = TppServer::start(Refusals::Alerts);
    let [root, cert, key] = ["root.pem", "client.pem", "client.key"].map(|name| server.file(name));
    let options = ["certificates", "--ca", &root, "--count", "1", "--cert", &cert, "--key", &key];
    let outcome = server.run("flood", &options);
    assert!(!outcome.success && outcome.stderr.contains("a crowd makes its own"), "{}", outcome.stderr);
}
