//! A gate that is killed while many operators change keys: what it acknowledged is there when it comes back, and nothing is half there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use portcullis_test_harness::{Configuration, Gate, Site};
use serde_json::{Value, json};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const JSON: &str = "Content-Type: application/json\r\n";
const OPERATORS: u64 = 40;
/// Changes that each makes, unless the gate is gone before: a thousand in all.
const CHANGES: u64 = 25;
/// `PORTCULLIS_TEST_KILLS` asks for more of them.
const KILLS: u32 = 4;

fn configuration() -> Configuration {
    Configuration::psd2().and("[keys]\nstore = \"keys.redb\"\n")
}

fn record(number: u64) -> Value {
    json!({
        "id": format!("{number:016x}"), "identity": format!("psd2:PSDES-BE-{number}"), "display_name": "a TPP",
        "state": "active", "roles": null, "policy": null, "tags": [], "notes": "0",
        "created_unix_s": 0, "changed_unix_s": 0, "certificates": [],
    })
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let site = Site::new();
    let kills =
        std::env::var("PORTCULLIS_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    // What each key's notes were last acknowledged to be, and what was asked for last.
    let acknowledged: Vec<AtomicU64> = (0..OPERATORS).map(|_| AtomicU64::new(0)).collect();
    let asked: Vec<AtomicU64> = (0..OPERATORS).map(|_| AtomicU64::new(0)).collect();
    let mut gate = Gate::start(PORTCULLIS, &site, &configuration());
    for number in 0..OPERATORS {
        assert_eq!(gate.ask("POST /v1/keys", JSON, &record(number).to_string()).status, 201);
    }
    for kill in 0..kills {
        thread::scope(|scope| {
            for number in 0..OPERATORS {
                let (gate, acknowledged, asked) = (&gate, &acknowledged, &asked);
                scope.spawn(move || {
                    let place = usize::try_from(number).expect("a few");
                    for _ in 0..CHANGES {
                        let next = asked[place].fetch_add(1, Ordering::SeqCst) + 1;
                        let body = json!({ "notes": next.to_string() }).to_string();
                        match gate.try_ask(&format!("PATCH /v1/keys/{number:016x}"), JSON, &body) {
                            Some(answer) if answer.status == 200 => {
                                acknowledged[place].store(next, Ordering::SeqCst);
                            }
                            Some(answer) => panic!("{}: {}", answer.status, answer.text()),
                            None => return,
                        }
                    }
                });
            }
            // Somewhere in the midst of them, each time somewhere else.
            thread::sleep(Duration::from_millis(40 + u64::from(kill * 37 % 200)));
            gate.kill();
        });
        drop(gate);
        gate = Gate::start(PORTCULLIS, &site, &configuration());
        for number in 0..OPERATORS {
            let place = usize::try_from(number).expect("a few");
            let answer = gate.ask(&format!("GET /v1/keys/{number:016x}"), "", "");
            assert_eq!(answer.status, 200);
            let kept: Value = serde_json::from_slice(&answer.body).expect("JSON");
            let notes: u64 = kept["notes"].as_str().and_then(|notes| notes.parse().ok()).expect("a number");
            let (least, most) =
                (acknowledged[place].load(Ordering::SeqCst), asked[place].load(Ordering::SeqCst));
            assert!((least..=most).contains(&notes), "key {number}: {notes} is not from {least} to {most}");
        }
    }
    let changed: u64 = acknowledged.iter().map(|it| it.load(Ordering::SeqCst)).sum();
    assert!(changed > 0, "nothing was acknowledged");
}
