//! The access log and the audit log are put aside when they are full: every record is in one of the files, whole and in its order, and
//! the oldest files go when there are too many. Whoever moves a file away and reloads is not in the way of that.

use std::fs;

use portcullis_test_harness::{Configuration, Gate, Site, TlsClient, eventually};
use portcullis_test_pki::Role;
use serde_json::Value;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
/// The least that can be configured, about 280 records.
const ROTATE_BYTES: u64 = 64 << 10;
const REQUESTS: usize = 1000;

fn start(site: &Site, keep: u32) -> Gate {
    let log = format!(
        "[log]\naccess = true\naccess_file = \"access.log\"\naccess_rotate_bytes = \"64k\"\naccess_keep = {keep}\n\
         audit = true\naudit_file = \"audit.log\"\naudit_rotate_bytes = \"64k\""
    );
    Gate::start(PORTCULLIS, site, &Configuration::default().and(&log))
}

/// One request for each number, on one connection.
fn ask(site: &Site, gate: &Gate, numbers: impl IntoIterator<Item = usize>) {
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let mut connection = client.connect(gate.address("tpp")).expect("a connection");
    for number in numbers {
        assert_eq!(connection.get(&format!("/{number}")).expect("an answer").status, 200);
    }
}

/// The records of a file.
fn records(site: &Site, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(site.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert!(text.is_empty() || text.ends_with('\n'), "{file} ends in the middle of a line");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{file}: {line}"))).collect()
}

/// The numbers that were asked for, as these files have them.
fn numbers(site: &Site, files: &[&str]) -> Vec<usize> {
    let number = |record: &Value| record["path"].as_str()?.strip_prefix('/')?.parse().ok();
    files.iter().flat_map(|file| records(site, file)).filter_map(|record| number(&record)).collect()
}

fn end(mut gate: Gate) {
    gate.terminate();
    assert!(gate.wait().success());
}

#[test]
fn every_record_is_in_one_of_the_files() {
    let site = Site::new();
    let gate = start(&site, 9);
    ask(&site, &gate, 0..REQUESTS);
    assert_eq!(gate.metrics().sum("portcullis_access_rotate_errors_total", &[]), 0.0);
    end(gate);
    let aside: Vec<String> = (1..=9)
        .map(|number| format!("access.log.{number}"))
        .filter(|file| site.path(file).exists())
        .collect();
    assert!((2..9).contains(&aside.len()), "{aside:?}");
    let files: Vec<&str> = aside.iter().rev().map(String::as_str).chain(["access.log"]).collect();
    for file in &files {
        assert!(fs::metadata(site.path(file)).expect("a file").len() <= ROTATE_BYTES, "{file}");
    }
    assert_eq!(numbers(&site, &files), (0..REQUESTS).collect::<Vec<_>>());
    // Which has few records, and is not full.
    assert_eq!(records(&site, "audit.log").len(), 1);
    assert!(!site.path("audit.log.1").exists());

    // Fewer are kept from now on. What is the newest stays.
    let gate = start(&site, 1);
    ask(&site, &gate, REQUESTS..2 * REQUESTS);
    end(gate);
    assert!(site.path("access.log.1").exists() && !site.path("access.log.2").exists());
    let kept = numbers(&site, &["access.log.1", "access.log"]);
    assert_eq!(kept, (2 * REQUESTS - kept.len()..2 * REQUESTS).collect::<Vec<_>>());
}

#[test]
fn whoever_moves_the_file_away_and_reloads_takes_it_whole() {
    let site = Site::new();
    let gate = start(&site, 9);
    ask(&site, &gate, 0..10);
    let ten = || fs::read_to_string(site.path("access.log")).unwrap_or_default().lines().count() == 10;
    eventually("ten records", ten);
    fs::rename(site.path("access.log"), site.path("moved.log")).expect("it is ours");
    gate.reload();
    ask(&site, &gate, 10..20);
    end(gate);
    assert_eq!(numbers(&site, &["moved.log"]), (0..10).collect::<Vec<_>>());
    assert_eq!(numbers(&site, &["access.log"]), (10..20).collect::<Vec<_>>());
    assert!(!site.path("access.log.1").exists());
}
