//! What a run cost the server is read from its process: here that of the test, which has no other tests whose programs would end in between.

mod server;

use server::{Behaviour, OK, Server};

#[test]
fn the_cost_of_the_server_is_read() {
    let server = Server::start(Behaviour::Answer(OK));
    let pid = std::process::id().to_string();
    let outcome = server.load("handshake", &["--count", "300", "--server-pid", &pid]);
    assert!(outcome.report["server_cpu_us_per_op"].as_f64().unwrap() > 0.0, "{}", outcome.stderr);
    // The thread that accepts waits for each; those of connections take their switches with them.
    assert!(outcome.report["server_voluntary_switches_per_op"].as_f64().unwrap() > 0.0, "{}", outcome.stderr);
    let [before, most, after] =
        ["before", "max", "after"].map(|when| outcome.count(&format!("server_pss_{when}_bytes")));
    assert!(before > 100_000 && most >= before.max(after), "{before}, {most}, {after}");
}
