//! Which way the bytes go. On a kernel that allows it the gate runs on `io_uring`; where it is told to, or has to, on epoll. Its
//! metrics say which, and its descriptors show that it is true.

use std::path::Path;

use portcullis_test_harness::{Configuration, Gate, Site, TlsClient};
use portcullis_test_pki::Role;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

fn start(io: &str) -> (Site, Gate) {
    let site = Site::new();
    let gate = Gate::start(
        PORTCULLIS,
        &site,
        &Configuration::default().runtime(&format!("shards = 2\nio = \"{io}\"")),
    );
    (site, gate)
}

/// How many rings the gate holds, having seen that it serves and that it says the same of itself.
fn rings(site: &Site, gate: &Gate) -> usize {
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    assert_eq!(client.get(gate.address("tpp"), "/").expect("an answer").status, 200);
    let rings = gate.process().descriptors().iter().filter(|target| target.contains("[io_uring]")).count();
    let metrics = gate.metrics();
    let text = metrics
        .text()
        .lines()
        .find(|line| line.starts_with("portcullis_io_backend_info{"))
        .unwrap_or_default();
    let said = if rings > 0 { "\"io_uring\"" } else { "\"epoll\"" };
    assert!(text.contains(said), "{rings} rings, but the metrics say: {text}");
    rings
}

#[test]
fn epoll_is_what_it_says() {
    let (site, gate) = start("epoll");
    assert_eq!(rings(&site, &gate), 0);
    // One for each shard; the control plane has one of its own.
    let polls = gate.process().descriptors().iter().filter(|target| target.contains("[eventpoll]")).count();
    assert!(polls >= 2, "{:?}", gate.process().descriptors());
}

#[test]
fn io_uring_is_used_where_the_kernel_allows_it() {
    let (site, gate) = start("auto");
    let allowed = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    let allowed = allowed.is_ok_and(|value| value.trim() == "0");
    let confined = Path::new("/proc/self/status").exists()
        && std::fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("Seccomp:\t2"));
    match rings(&site, &gate) {
        // A container's seccomp profile can forbid what the kernel allows, and is not asked.
        0 => assert!(
            !allowed || confined,
            "the kernel allows io_uring, but it is not used:\n{}",
            gate.log().text()
        ),
        rings => assert_eq!(rings, 2, "one for each shard"),
    }
}
