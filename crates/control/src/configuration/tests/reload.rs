//! What may change while the gate runs, and what may not.

use super::*;
use crate::{Configuration, Mistakes};

fn reload(bench: &Bench, running: &Configuration, text: &str) -> Result<Configuration, Mistakes> {
    bench.file("portcullis.toml", text);
    Configuration::reload(&bench.folder().join("portcullis.toml"), &running.plan, &running.fixed, None)
}

fn refused(bench: &Bench, old: &str, new: &str, key: &str, words: &str) {
    assert!(GOOD.contains(old), "{old}");
    let running = bench.good(GOOD);
    let text = GOOD.replacen(old, new, 1);
    let mistakes = reload(bench, &running, &text).unwrap_err();
    let told: Vec<_> = mistakes.iter().filter(|mistake| mistake.key() == key).collect();
    let [mistake] = told.as_slice() else { panic!("{mistakes}") };
    assert!(
        mistake.message().contains(words) && mistake.message().contains("needs a restart"),
        "{mistake:?}"
    );
}

#[test]
fn routes_rules_and_certificates_may_change() {
    let bench = Bench::new();
    let running = bench.good(GOOD);
    let text = GOOD.replace("/direct", "/other").replace("server.", "other.").replace("x509", "psd2");
    let new = reload(&bench, &running, &text).unwrap();
    assert!(new.plan.policy.generation() > running.plan.policy.generation());
    assert!(new.plan.policy.domain_named("tpp/other.example").is_some());
    assert!(
        reload(&bench, &running, &GOOD.replace("[runtime]", "[log]\naccess = true\n[runtime]"))
            .unwrap()
            .plan
            .access_log
    );
}

#[test]
fn what_did_not_change_keeps_its_generation() {
    let bench = Bench::new();
    let running = bench.good(GOOD);
    let new = reload(&bench, &running, &GOOD.replace("/direct", "/other")).unwrap();
    let since = |configuration: &Configuration| {
        let policy = &configuration.plan.policy;
        policy.domain(policy.domain_named("tpp/a.example").unwrap()).1
    };
    assert_eq!(since(&running), since(&new));
}

#[test]
fn what_needs_a_restart_is_told() {
    let bench = Bench::new();
    refused(&bench, "shards = 1", "shards = 2", "runtime.shards", "was 1 and is now 2");
    refused(&bench, "shards = 1\n", "", "runtime.shards", "was 1 and is now auto");
    refused(&bench, "cpus = [0]", "cpus = []", "runtime.cpus", "was [0]");
    refused(&bench, "\"auto\"", "\"epoll\"", "runtime.io", "is now epoll");
    refused(
        &bench,
        "[runtime]",
        "[runtime]\ndrain_timeout = \"1m\"",
        "runtime.drain_timeout",
        "was 30s and is now 1m",
    );
    refused(&bench, ":8443", ":8444", "listener[0].address", "is now 127.0.0.1:8444");
    refused(
        &bench,
        "name = \"tpp\"",
        "name = \"tpp\"\nshared_port = true",
        "listener[0].shared_port",
        "is now true",
    );
    refused(&bench, ":9090", ":9091", "admin.address", "is now 127.0.0.1:9091");
    refused(&bench, "[admin]\naddress = \"127.0.0.1:9090\"\n", "", "", "admin.address was 127.0.0.1:9090");
    refused(
        &bench,
        "[runtime]",
        "[log]\nlevel = \"debug\"\n[runtime]",
        "log.level",
        "was info and is now debug",
    );
    refused(
        &bench,
        "[runtime]",
        "[log]\naccess_file = \"a\"\n[runtime]",
        "log.access_file",
        "was standard output",
    );
    refused(
        &bench,
        "[runtime]",
        "[log]\naudit_file = \"a\"\naudit_rotate_bytes = \"1m\"\n[runtime]",
        "log.audit_rotate_bytes",
        "was not there and is now 1m",
    );
    refused(&bench, "\"tpp\"", "\"other\"", "listener[0].address", "was not there");
}

#[test]
fn listeners_keep_the_order_of_the_start() {
    let bench = Bench::new();
    let second = "[[listener]]\nname = \"second\"\naddress = \"127.0.0.1:1\"\nclient_auth = { mode = \"off\" }\n\
                  certificate = [{ chain = \"other.pem\", key = \"other.key\" }]\n";
    let running = bench.good(&format!("{GOOD}{second}"));
    let new =
        reload(&bench, &running, &GOOD.replace("[[listener]]", &format!("{second}[[listener]]"))).unwrap();
    let names: Vec<_> = new.plan.listeners.iter().map(|listener| listener.name.as_str()).collect();
    assert_eq!(names, ["tpp", "second"]);
    for listener in &new.plan.listeners {
        let (domain, _) = new.plan.policy.domain(listener.certificates[0].domain);
        assert!(domain.name.starts_with(&listener.name));
    }
}
