//! The gate under a service manager. It says when it is ready, when it rereads its configuration and what came of it, when it
//! ends, and that it lives: but only as long as every shard does, since a shard that hangs keeps its share of the connections
//! waiting and nothing but a new start would help them.

use std::{io::Write as _, time::Duration};

use nix::{
    errno::Errno,
    sys::{ptrace, wait},
    unistd::Pid,
};
use portcullis_test_harness::{
    Configuration, Gate, HOST, Metrics, ServiceManager, Site, TlsClient, eventually,
};
use portcullis_test_pki::Role;
use rustix::time::{ClockId, clock_gettime};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const AGE: &str = "portcullis_shard_heartbeat_age_seconds";

fn client(site: &Site) -> TlsClient {
    TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]))
}

fn monotonic_us() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

fn health(gate: &Gate) -> u16 {
    Metrics::get(gate.admin(), "/health").status
}

/// A thread that a tracer holds, wherever it is: a signal would stop the whole process. Dropped, it goes on.
struct Held(Pid);

impl Held {
    /// None where this is not allowed.
    fn new(thread: Pid) -> Option<Self> {
        match ptrace::seize(thread, ptrace::Options::empty()) {
            Err(Errno::EPERM | Errno::ENOSYS) => return None,
            seized => seized.expect("the thread is there"),
        }
        ptrace::interrupt(thread).expect("the thread is ours to hold");
        wait::waitpid(thread, Some(wait::WaitPidFlag::__WALL)).expect("the thread stops");
        Some(Self(thread))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        ptrace::detach(self.0, None).expect("the thread is held");
    }
}

#[test]
fn a_manager_hears_of_the_start_of_reloads_and_of_the_end() {
    let site = Site::new();
    let manager = ServiceManager::new(&site);
    let mut gate = Gate::start_by(manager.command(PORTCULLIS, None), &site, &Configuration::default());
    let ready = manager.next();
    assert!(ready.says("READY=1") && ready.value("STATUS").starts_with("serving on "), "{ready:?}");
    assert_eq!(client(&site).get(gate.address("tpp"), "/").expect("an answer").status, 200);

    let routes = "[[route]]\npath = \"/\"\nrespond = { status = 204 }";
    let good = Configuration::default().routes(routes).to_toml();
    let bad = good.replace("qtsp.pem", "nowhere.pem");
    for (text, outcome) in [
        (&good, "serving the new configuration (listeners: 1, routes: 1)"),
        (&bad, "reload failed, the old configuration serves: see the log (mistakes: 1)"),
        (&good, "serving the new configuration (listeners: 1, routes: 1)"),
    ] {
        gate.rewrite(text);
        let asked_us = monotonic_us();
        gate.reload();
        let reloading = manager.next();
        assert!(reloading.says("RELOADING=1"), "{reloading:?}");
        let told_us = reloading.value("MONOTONIC_USEC").parse().expect("a number");
        assert!((asked_us..=monotonic_us()).contains(&told_us), "{reloading:?}");
        let ready = manager.next();
        assert!(ready.says("READY=1"), "{ready:?}");
        assert_eq!(ready.value("STATUS"), outcome);
    }

    gate.terminate();
    let stopping = manager.next();
    assert!(stopping.says("STOPPING=1") && stopping.value("STATUS").starts_with("draining"), "{stopping:?}");
    assert_eq!(gate.wait().code(), Some(0));
    assert_eq!(manager.queued(), [], "an end is the last that is heard");
}

#[test]
fn signs_of_life_come_until_the_end() {
    let site = Site::new();
    let manager = ServiceManager::new(&site);
    let command = manager.command(PORTCULLIS, Some(Duration::from_millis(200)));
    let mut gate = Gate::start_by(command, &site, &Configuration::default());
    assert!(manager.next().says("READY=1"), "nothing is heard before");
    for _ in 0..5 {
        assert!(manager.next().says("WATCHDOG=1"));
    }
    // Half a request keeps the drain going.
    let mut slow = client(&site).connect(gate.address("tpp")).expect("a session");
    slow.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n").as_bytes()).expect("half a request");
    gate.terminate();
    assert!(manager.next_news().says("STOPPING=1"));
    for _ in 0..5 {
        assert!(manager.next().says("WATCHDOG=1"), "a drain is alive too");
    }
    slow.request(b"\r\n").expect("the answer to what was begun");
    assert_eq!(gate.wait().code(), Some(0));
}

#[test]
fn a_manager_that_reads_nothing_does_not_hold_the_gate() {
    let site = Site::new();
    let manager = ServiceManager::new(&site);
    let command = manager.command(PORTCULLIS, Some(Duration::from_millis(2)));
    let mut gate = Gate::start_by(command, &site, &Configuration::default());
    let full =
        gate.log().wait_for(|record| record.field("message") == Some("the service manager was not told"));
    assert!(full.is_some(), "its queue is full");
    gate.reload();
    assert_eq!(client(&site).get(gate.address("tpp"), "/").expect("an answer").status, 200);
    gate.terminate();
    assert_eq!(gate.wait().code(), Some(0));
}

#[test]
fn a_shard_that_hangs_is_told_by_silence() {
    let site = Site::new();
    let manager = ServiceManager::new(&site);
    let watchdog = Duration::from_millis(200);
    let configuration = Configuration::default().runtime("shards = 2");
    let gate = Gate::start_by(manager.command(PORTCULLIS, Some(watchdog)), &site, &configuration);
    let shard = gate.process().thread("shard-1").expect("a thread for each shard");
    let shard = Pid::from_raw(shard.try_into().expect("thread numbers are small"));
    assert_eq!(health(&gate), 200);

    let Some(held) = Held::new(shard) else {
        // The descriptor itself: the test runner hides what a passing test prints.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED a_shard_that_hangs_is_told_by_silence: nobody may trace here"
        );
        return;
    };
    eventually("the shard is missed", || health(&gate) == 503);
    assert_eq!(Metrics::get(gate.admin(), "/ready").status, 503);
    let metrics = gate.metrics();
    assert!(metrics.sum(AGE, &[("shard", "1")]) > 5.0, "{}", metrics.text());
    assert!(metrics.sum(AGE, &[("shard", "0")]) < 5.0, "{}", metrics.text());
    loop {
        let message = manager.next_news();
        if message.value("STATUS").starts_with("shard 1 has been stuck") {
            break;
        }
    }
    std::thread::sleep(5 * watchdog);
    let heard = manager.queued();
    assert!(!heard.iter().any(|message| message.says("WATCHDOG=1")), "{heard:?}");

    drop(held);
    eventually("the shard is back", || health(&gate) == 200);
    assert_eq!(Metrics::get(gate.admin(), "/ready").status, 200);
    while !manager.next().says("WATCHDOG=1") {}
}
