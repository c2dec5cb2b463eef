//! An open loop shows what a server that stands still does to its users; a closed loop waits with it, and hides it.

mod server;

use std::time::{Duration, Instant};

use serde_json::Value;
use server::{Behaviour, OK, Server, Stalls};

/// A tenth of the time the server stands still.
const PERIOD: Duration = Duration::from_secs(2);
const STALL: Duration = Duration::from_millis(200);

fn stalling() -> Server {
    Server::start(Behaviour::Stall(OK, Stalls { since: Instant::now(), period: PERIOD, stall: STALL }))
}

/// The share of latencies above `limit_us`, by the percentiles of a result.
fn share_above(report: &Value, limit_us: f64) -> f64 {
    let percentiles = report["percentiles"].as_array().expect("percentiles");
    let above = percentiles.iter().find(|point| point[1].as_f64().expect("a latency") > limit_us);
    above.map_or(0.0, |point| 1.0 - point[0].as_f64().expect("a percentile") / 100.0)
}

#[test]
fn a_server_that_stands_still_shows_in_an_open_loop_only() {
    let server = stalling();
    let rate = ["--rate", "500", "--duration", "6s", "--connections", "8", "--timeout-s", "5"];
    let open = server.load("request", &rate);
    assert!(open.success, "{}", open.stderr);
    // All that was meant to begin did, though nobody answered for a tenth of the time.
    assert_eq!((open.count("completed"), open.count("failed")), (3000, 0));
    // Of the operations a tenth begins while the server stands still, and waits for half of the rest of that on average:
    // a quarter of them is late by three quarters of the stall, half by a half.
    let stall_us = STALL.as_secs_f64() * 1e6;
    assert!(
        (0.05..0.2).contains(&share_above(&open.report, stall_us / 4.0)),
        "{}",
        open.report["percentiles"]
    );
    assert!(open.report["p99_us"].as_f64().unwrap() > stall_us * 0.8, "{}", open.report["p99_us"]);

    let server = stalling();
    let closed = server.load("request", &["--duration", "6s", "--connections", "8", "--timeout-s", "5"]);
    assert!(closed.success, "{}", closed.stderr);
    // Eight operations wait in each stall; all others were not begun.
    let stalled = share_above(&closed.report, stall_us / 4.0) * closed.count("completed") as f64;
    assert!(stalled < 200.0, "{stalled} of {}", closed.count("completed"));
    assert!(closed.report["p99_us"].as_f64().unwrap() < stall_us / 4.0, "{}", closed.report["p99_us"]);
}

#[test]
fn what_cannot_begin_in_time_has_failed_and_nothing_is_lost() {
    let server = Server::start(Behaviour::NoAnswer);
    let options = ["--rate", "100", "--count", "50", "--connections", "2", "--timeout-s", "0.3"];
    for command in ["handshake", "request"] {
        let outcome = server.load(command, &options);
        assert!(!outcome.success);
        assert_eq!((outcome.count("completed"), outcome.count("failed")), (0, 50), "{}", outcome.report);
    }
    let outcome = server.load("handshake", &options);
    assert!(
        outcome.report["failures"]["not started"].as_u64().unwrap() > 0,
        "{}",
        outcome.report["failures"]
    );
}

#[test]
fn times_at_random_come_again_with_their_seed() {
    let server = Server::start(Behaviour::Answer(OK));
    for (threads, seed) in [("1", "7"), ("3", "8")] {
        let options = [
            "--rate",
            "400",
            "--arrivals",
            "poisson",
            "--seed",
            seed,
            "--duration",
            "1s",
            "--threads",
            threads,
        ];
        let run = || server.load("request", &[&options[..], &["--connections", "6"]].concat());
        let (one, other) = (run(), run());
        assert!(one.success, "{}", one.stderr);
        assert_eq!(one.count("completed"), other.count("completed"), "seed {seed}");
        assert!((250..550).contains(&one.count("completed")), "{}", one.count("completed"));
        assert_eq!(one.report["arrivals"], "poisson");
    }
}

#[test]
fn threads_do_the_whole_together() {
    let server = Server::start(Behaviour::Answer(OK));
    for command in ["handshake", "request"] {
        let options = ["--count", "100", "--connections", "7", "--warmup", "5", "--threads", "3"];
        let outcome = server.load(command, &options);
        assert!(outcome.success, "{}", outcome.stderr);
        assert_eq!((outcome.count("completed"), outcome.count("threads")), (100, 3));
        let series = outcome.report["series"].as_array().unwrap();
        let sum: u64 = series.iter().map(|second| second["completed"].as_u64().unwrap()).sum();
        assert_eq!(sum, 100, "{series:?}");
    }
    assert!(!server.load("handshake", &["--count", "9", "--connections", "2", "--threads", "3"]).success);
}

#[test]
fn results_are_left_in_files() {
    let server = Server::start(Behaviour::Answer(OK));
    let directory = std::env::temp_dir().join(format!("loadtest-files-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (json, hlog) = (directory.join("run.json"), directory.join("run.hlog"));
    let (json_name, hlog_name) = (json.to_str().unwrap(), hlog.to_str().unwrap());
    let options = ["--count", "40", "--title", "forty", "--out", json_name, "--hlog", hlog_name];
    let outcome = server.load("request", &options);
    assert!(outcome.success, "{}", outcome.stderr);
    let kept: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!((&kept, &kept["title"]), (&outcome.report, &"forty".into()));
    let log = std::fs::read_to_string(&hlog).unwrap();
    assert!(log.starts_with("#latencies in nanoseconds"), "{log}");
    assert!(log.lines().any(|line| line.starts_with("0.000,1.000,")), "{log}");
    std::fs::remove_dir_all(&directory).unwrap();
}
