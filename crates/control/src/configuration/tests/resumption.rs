//! Tickets, their keys, and what shards remember.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use portcullis_gateway::{
    KeyRing,
    plan::{CachePlan, Resumption},
};

use super::*;
use crate::TicketKeySource;

const KEY: &str = "resumption.key_file";

fn with(tables: &str) -> String {
    format!("{GOOD}{tables}\n")
}

fn key_file(bench: &Bench, content: &str, mode: u32) {
    bench.file("ticket.keys", content);
    fs::set_permissions(bench.folder().join("ticket.keys"), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn sessions_are_resumed_unless_a_listener_says_otherwise() {
    let bench = Bench::new();
    let resumption = |line: &str| {
        let text = GOOD.replace("name = \"tpp\"", &format!("name = \"tpp\"\n{line}"));
        bench.good(&text).plan.listeners.remove(0).resumption
    };
    assert_eq!(resumption(""), Resumption::Tickets);
    assert_eq!(resumption("resumption = \"tickets\""), Resumption::Tickets);
    assert_eq!(resumption("resumption = \"off\""), Resumption::Off);
    let key = "listener[0].resumption";
    bench.breaks("name = \"tpp\"", "name = \"tpp\"\nresumption = true", "resumption", key, "a string");
    bench.breaks("name = \"tpp\"", "name = \"tpp\"\nresumption = \"on\"", "resumption", key, "tickets, off");
}

#[test]
fn keys_are_random_and_rotated_unless_there_is_a_file() {
    let bench = Bench::new();
    let configuration = bench.good(GOOD);
    let hours = |hours: u64| Duration::from_secs(hours * 60 * 60);
    assert_eq!(configuration.ticket_keys, TicketKeySource::Random { rotate_interval: hours(6) });
    assert_eq!(configuration.plan.resumption.max_age, hours(1));
    let other = bench.good(&with("[resumption]\nmax_age = \"12h\"\nrotate_interval = \"12h\""));
    assert_eq!(other.ticket_keys, TicketKeySource::Random { rotate_interval: hours(12) });
    assert_eq!(other.plan.resumption.max_age, hours(12));
    assert_ne!(configuration.plan.resumption.ring, other.plan.resumption.ring);
    let ring = KeyRing::random().unwrap();
    key_file(&bench, &ring.to_text(), 0o600);
    let shared = bench.good(&with("[resumption]\nkey_file = \"ticket.keys\"\nmax_age = \"24h\""));
    assert_eq!(shared.ticket_keys, TicketKeySource::File(bench.folder().join("ticket.keys")));
    assert_eq!(*shared.plan.resumption.ring, ring);
}

#[test]
fn a_ticket_does_not_outlive_its_key() {
    let bench = Bench::new();
    let tells = |lines: &str, needle: &str, key: &str, words: &str| {
        bench.tells(&with(&format!("[resumption]\n{lines}")), needle, key, words);
    };
    tells("max_age = \"7h\"", "max_age", "resumption.max_age", "rotate_interval 6h");
    tells("rotate_interval = \"30m\"", "rotate_interval", "resumption.rotate_interval", "max_age is 1h");
    let both = "max_age = \"2m\"\nrotate_interval = \"1m\"";
    tells(both, "max_age", "resumption.max_age", "would outlive its key");
    tells("max_age = \"25h\"", "max_age", "resumption.max_age", "from 1s to 1d");
    tells("rotate_interval = \"8d\"", "rotate_interval", "resumption.rotate_interval", "from 1s to 7d");
    tells("max_ages = \"1h\"", "max_ages", "resumption.max_ages", "did you mean \"max_age\"?");
}

#[test]
fn who_rotates_a_file_is_not_the_gate() {
    let bench = Bench::new();
    key_file(&bench, &KeyRing::random().unwrap().to_text(), 0o600);
    let text = with("[resumption]\nkey_file = \"ticket.keys\"\nrotate_interval = \"6h\"");
    let key = "resumption.rotate_interval";
    bench.tells(&text, "rotate_interval", key, "portcullis ticket-keys rotate");
}

#[test]
fn a_file_of_keys_is_a_regular_one_for_its_owner_alone() {
    let bench = Bench::new();
    let text = with("[resumption]\nkey_file = \"ticket.keys\"");
    let tells = |words: &str| bench.tells(&text, "key_file", KEY, words);
    tells("\"ticket.keys\" cannot be read");
    let good = KeyRing::random().unwrap().to_text();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610] {
        key_file(&bench, &good, mode);
        tells(&format!("mode {mode:04o}"));
    }
    for mode in [0o600, 0o400] {
        key_file(&bench, &good, mode);
        bench.good(&text);
    }
    bench.tells(&text.replace("ticket.keys", "."), "key_file", KEY, "is not a regular file");
    key_file(&bench, &"#".repeat((16 << 10) + 1), 0o600);
    tells("is larger than 16384 bytes");
    key_file(&bench, &format!("{}{}", *good, "#".repeat((16 << 10) - good.len())), 0o600);
    bench.good(&text);
}

#[test]
fn what_is_in_a_file_of_keys_is_never_told() {
    let bench = Bench::new();
    let text = with("[resumption]\nkey_file = \"ticket.keys\"");
    let digits = "5a".repeat(32);
    for (content, words) in [
        (String::new(), "there is no `current` key"),
        (format!("next {digits}"), "there is no `current` key"),
        (format!("current {digits}\ncurrent {digits}"), "line 2 gives a second current key"),
        (format!("current {digits}\nnext {digits}"), "two of its keys are the same"),
        (format!("# keys\n{digits}"), "line 2 is not"),
        (format!("current {digits}5"), "line 1 is not"),
    ] {
        key_file(&bench, &content, 0o600);
        bench.tells(&text, "key_file", KEY, words);
        let mistakes = format!("{:?}", bench.load(&text).unwrap_err());
        assert!(!mistakes.contains("5a5a"), "{mistakes}");
    }
    fs::write(bench.folder().join("ticket.keys"), [0xff; 8]).unwrap();
    bench.tells(&text, "key_file", KEY, "is not UTF-8");
}

#[test]
fn the_cache_has_bounds() {
    let bench = Bench::new();
    assert_eq!(bench.good(GOOD).plan.cache, CachePlan::default());
    let cache = bench.good(&with("[cache]\ncapacity = 1000\nmax_age = \"10m\"")).plan.cache;
    assert_eq!(cache, CachePlan { capacity: 1000, max_age: Duration::from_secs(600) });
    let tells = |line: &str, needle: &str, words: &str| {
        bench.tells(&with(&format!("[cache]\n{line}")), needle, &format!("cache.{needle}"), words);
    };
    tells("capacity = 15", "capacity", "from 16 to 16777216");
    tells("capacity = 16777217", "capacity", "from 16 to 16777216");
    tells("max_age = \"0s\"", "max_age", "from 1s to 1d");
    tells("size = 1", "size", "unknown key");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let bench = Bench::new();
    let text = with("[resumption]\nmax_age = \"1\"\nkey_file = \"missing\"\n[cache]\ncapacity = 0");
    let keys: Vec<String> = bench.mistakes(&text).into_iter().map(|(_, key, _)| key).collect();
    assert_eq!(keys, ["resumption.max_age", "resumption.key_file", "cache.capacity"]);
}

#[test]
fn the_summary_tells_of_tickets_and_cache() {
    let bench = Bench::new();
    let summary = |text: &str| bench.good(text).to_string();
    let shown = summary(GOOD);
    assert!(shown.contains("tickets: for 1h, keys random, rotated every 6h\n"), "{shown}");
    assert!(shown.contains("cache: 65536 certificates a shard, for 1h\n"), "{shown}");
    let off = summary(&GOOD.replace("name = \"tpp\"", "name = \"tpp\"\nresumption = \"off\""));
    assert!(off.contains("listener tpp: 127.0.0.1:8443, sessions not resumed\n"), "{off}");
    assert!(!off.contains("tickets:"), "{off}");
    key_file(&bench, &KeyRing::random().unwrap().to_text(), 0o600);
    let shared = summary(&with("[resumption]\nkey_file = \"ticket.keys\""));
    assert!(shared.contains("/ticket.keys\n"), "{shared}");
}
