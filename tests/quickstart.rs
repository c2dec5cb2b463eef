//! The first minutes of a newcomer. `portcullis quickstart` in an empty place makes everything it needs, starts, and prints commands;
//! each of them, pasted into a shell in the same place, gives what the line above it says, over HTTP/1.1 and HTTP/2. Stopped and
//! started again it makes no fuss; stopped half-way through its first start, neither.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use portcullis_test_harness::{Curl, Gate, Scratch, available, eventually};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
/// How far the admin listener and the bank are from the port.
const OFFSETS: [u16; 2] = [1000, 2000];

/// A port that is free together with those beside it, as far as one can know.
fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let is_free = |offset: &u16| {
            port.checked_add(*offset).is_some_and(|other| TcpListener::bind(("127.0.0.1", other)).is_ok())
        };
        if OFFSETS.iter().all(is_free) {
            return port;
        }
    }
}

fn quickstart(place: &Path, port: u16) -> Gate {
    let mut command = Command::new(PORTCULLIS);
    command.current_dir(place).args(["quickstart", "--dir", "try it", "--port", &port.to_string()]);
    let gate = Gate::spawn(command, place.join("try it/portcullis.toml"));
    gate.wait_until_ready();
    gate
}

/// The printed commands, each with the line above it.
fn commands(gate: &Gate) -> Vec<(String, String)> {
    // The last line is the admin's; once it is there, all are.
    let complete =
        gate.printed().wait_for(|record| record.line.starts_with("curl") && record.line.contains("/metrics"));
    assert!(complete.is_some(), "no commands were printed:\n{}", gate.printed().text());
    let text = gate.printed().text();
    let lines: Vec<&str> = text.lines().collect();
    let pairs = lines.windows(2).filter(|pair| pair[1].starts_with("curl ") || pair[1].contains(" | curl "));
    pairs.map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
}

/// Runs one in a shell at `place`, as a newcomer would, with `flag` behind it.
fn paste(place: &Path, command: &str, flag: &str) -> Curl {
    let mut shell = Command::new("sh");
    shell.current_dir(place).args(["-c", &format!("{command} {flag} \"$@\""), "sh"]);
    Curl::run(shell)
}

/// Whether curl got what the line above the command says.
fn comes_true(promise: &str, got: &Curl) -> bool {
    if let Some((_, alert)) = promise.rsplit_once(": alert ") {
        return got.status == 0 && got.complaint.contains(&alert.replace('_', " "));
    }
    let status = promise.split(": ").nth(1).and_then(|status| status.parse::<u16>().ok());
    status.is_none_or(|status| status == got.status) && got.exit == 0
}

#[test]
fn every_printed_line_comes_true() {
    if !available("curl", "--version") {
        return;
    }
    let place = Scratch::new();
    let gate = quickstart(place.path(), free_port());
    let commands = commands(&gate);
    assert!(commands.len() >= 20, "{commands:?}");
    for word in ["aisp", "pisp", "all", "noroles", "expired", "foreign", "no certificate"] {
        assert!(commands.iter().any(|(promise, _)| promise.contains(word)), "{word}: {commands:?}");
    }
    for (promise, command) in &commands {
        if !command.contains("https://") {
            let got = paste(place.path(), command, "");
            assert!(comes_true(promise, &got), "{promise}\n{command}\n{got:?}");
            continue;
        }
        for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2"), ("", "2")] {
            let mut got = None;
            // What an operator did just now reaches the shards in a moment.
            eventually(promise, || {
                let tried = got.insert(paste(place.path(), command, flag));
                comes_true(promise, tried)
            });
            let got = got.expect("it was pasted");
            if got.status != 0 {
                assert_eq!(got.version, version, "{command} {flag}");
            }
        }
    }
    let stolen = commands.iter().find(|(promise, _)| promise.contains("stolen")).expect("it was there");
    let got = paste(place.path(), &stolen.1, "");
    assert!(got.body.contains("token.binding"), "{got:?}");
    for (word, expected) in [
        ("sealed: ", "\"portcullis-seal\":"),
        ("amount changed", "seal.digest"),
        ("sent twice", "seal.replayed"),
    ] {
        let sealed = commands.iter().find(|(promise, _)| promise.contains(word)).expect("it was there");
        let got = paste(place.path(), &sealed.1.replace("-o /dev/null", ""), "");
        assert!(got.body.contains(expected), "{got:?}");
    }
    let noroles = commands.iter().find(|(promise, _)| promise.contains("noroles")).expect("it was there");
    let got = paste(place.path(), &noroles.1, "");
    assert!(got.body.contains("psd2.missing"), "{got:?}");
    let aisp =
        commands.iter().find(|(promise, _)| promise.contains("aisp /v1/accounts")).expect("it was there");
    let got = paste(place.path(), &aisp.1, "-H 'Portcullis-TPP-Roles: PSP_PI'");
    assert!(got.body.contains("\"portcullis-tpp-roles\":\"PSP_AI\""), "the bank is told the truth: {got:?}");
}

#[test]
fn it_starts_again_in_the_same_place() {
    let place = Scratch::new();
    let port = free_port();
    let read = |name: &str| std::fs::read(place.path().join("try it").join(name)).expect("it was made");
    let mut first = quickstart(place.path(), port);
    let (ca, key) = (read("ca.pem"), read("tpp/aisp.key"));
    first.terminate();
    assert_eq!(first.wait().code(), Some(0));
    let second = quickstart(place.path(), port);
    assert_eq!((read("ca.pem"), read("tpp/aisp.key")), (ca, key), "what the newcomer copied stays good");
    assert!(!second.log().text().contains("\"level\":\"ERROR\""), "{}", second.log().text());
    drop(second);
    // On another port, the same certificates.
    let other = free_port();
    let third = quickstart(place.path(), other);
    assert_eq!(third.address("tpp").port(), other);
    assert_eq!(third.admin().port(), other + OFFSETS[0]);
}

#[test]
fn a_start_that_was_killed_half_way_does_no_harm() {
    let place = Scratch::new();
    let directory = place.path().join("try it");
    std::fs::create_dir_all(directory.join("tpp")).expect("a directory");
    std::fs::write(directory.join("ca.pem"), "-----BEGIN CERTIFICATE-----\nMIIB").expect("a file");
    std::fs::write(directory.join("tpp/aisp.pem"), "").expect("a file");
    let _gate = quickstart(place.path(), free_port());
}

#[test]
fn a_port_that_is_taken_is_named() {
    let place = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let mut command = Command::new(PORTCULLIS);
    command.current_dir(place.path()).args(["quickstart", "--port", &port.to_string()]);
    let mut gate = Gate::spawn(command, place.path().join("quickstart/portcullis.toml"));
    assert!(!gate.wait().success());
    let said = gate.log().text();
    assert!(said.contains(&port.to_string()), "{said}");
}
