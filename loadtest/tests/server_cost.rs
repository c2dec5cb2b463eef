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
    assert!(outcome.report["floor_us"].is_null() && outcome.report["over_floor"].is_null(), "not asked for");

    let outcome = server.load("handshake", &["--count", "300", "--server-pid", &pid, "--floor-core", "0"]);
    let [cost, floor, times] = ["server_cpu_us_per_op", "floor_us", "over_floor"]
        .map(|key| outcome.report[key].as_f64().unwrap_or_else(|| panic!("{key}: {}", outcome.stderr)));
    assert!(floor > 0.0 && (cost / floor - times).abs() < 1e-6, "{cost} / {floor} = {times}");
}
