//! What `deploy/` says is true of the gate: its alerts read metrics that exist and are explained, its unit allows what the gate
//! calls and gives a drain the time that it may take, and the gate takes the configuration with which its profile is made.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use portcullis_test_harness::{Gate, Site, available};
use serde_json::Value;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(path("deploy/prometheus")).output();
    let output = output.expect("the program is there");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    text
}

/// The metrics that a text names.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("portcullis_")).map(str::to_owned).collect()
}

#[test]
fn every_metric_of_the_rules_is_documented() {
    let documented = metrics(&read("docs/metrics.md"));
    for file in ["portcullis.rules.yml", "portcullis.rules.test.yml"] {
        let named = metrics(&read(&format!("deploy/prometheus/{file}")));
        assert!(named.len() > 5, "{file} names {named:?}");
        let unknown: Vec<_> = named.difference(&documented).collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}, which docs/metrics.md does not know");
    }
}

#[test]
fn every_alert_is_explained() {
    let rules = read("deploy/prometheus/portcullis.rules.yml");
    let page = read("docs/operations.md");
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!alerts.is_empty());
    for alert in alerts {
        assert!(
            page.contains(&format!("| `{alert}` |")),
            "docs/operations.md does not say what {alert} asks for"
        );
    }
}

#[test]
fn prometheus_takes_the_rules_and_they_fire_when_they_should() {
    if available("promtool", "--version") {
        run("promtool", &["check", "rules", "portcullis.rules.yml"]);
        run("promtool", &["check", "config", "prometheus.yml"]);
        run("promtool", &["test", "rules", "portcullis.rules.test.yml"]);
    }
}

/// The values of a key of the unit, in order.
fn unit(key: &str) -> Vec<String> {
    let text = read("deploy/systemd/portcullis.service");
    let values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

/// Adds the system calls of a group, or the one that the name stands for.
fn expand(name: &str, into: &mut BTreeSet<String>) {
    if !name.starts_with('@') {
        into.insert(name.to_owned());
        return;
    }
    let text = run("systemd-analyze", &["--no-pager", "syscall-filter", name]);
    let members = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    members.filter(|member| *member != name).for_each(|member| expand(member, into));
}

#[test]
fn the_unit_allows_what_the_gate_calls() {
    if !available("systemd-analyze", "--version") {
        return;
    }
    let mut allowed = BTreeSet::new();
    // systemd allows these whatever the filter says.
    expand("@default", &mut allowed);
    for value in unit("SystemCallFilter") {
        let (refuse, names) = value.strip_prefix('~').map_or((false, value.as_str()), |names| (true, names));
        let mut calls = BTreeSet::new();
        names.split(' ').for_each(|name| expand(name, &mut calls));
        match refuse {
            true => allowed.retain(|call| !calls.contains(call)),
            false => allowed.extend(calls),
        }
    }
    // What tests/system_calls.rs has seen the gate live on.
    let profile: Value = serde_json::from_str(&read("deploy/container/seccomp.json")).expect("JSON");
    let gate = profile["syscalls"][0]["names"].as_array().expect("names");
    let missing: Vec<_> =
        gate.iter().filter_map(Value::as_str).filter(|call| !allowed.contains(*call)).collect();
    assert!(missing.is_empty(), "the unit refuses {missing:?}");
}

#[test]
fn the_unit_gives_a_drain_its_time() {
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u32>().expect("seconds");
    let page = read("docs/configuration.md");
    let row =
        page.lines().find(|line| line.starts_with("| `drain_timeout`")).expect("the row of drain_timeout");
    let default = seconds(row.split('"').nth(1).expect("its default"));
    let stop = seconds(&unit("TimeoutStopSec")[0]);
    assert!(stop > default + 5, "shards have 5 s more than {default} s, systemd waits for {stop} s");
}

#[test]
fn the_configuration_with_which_a_profile_is_made_is_good() {
    let script = read("deploy/build-with-profile");
    let (_, text) = script.split_once("<<'TOML'\n").expect("the file begins");
    let (text, _) = text.split_once("\nTOML\n").expect("it ends");
    let site = Site::new();
    site.write("ca.pem", &site.qtsp.root_pem());
    let output = Gate::output(env!("CARGO_BIN_EXE_portcullis"), &["check"], &site, text);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
}
