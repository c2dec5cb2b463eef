//! The form of the file: keys, types, values, sizes; and that nothing in it makes reading panic or talk too much.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::configuration::Configuration;

#[test]
fn the_configuration_of_the_issue_is_right() {
    let bench = Bench::new();
    let configuration = bench.good(GOOD);
    assert_eq!(configuration.runtime.shards.get(), 1);
    assert_eq!(configuration.runtime.cpus, [0]);
    assert_eq!(configuration.runtime.drain_timeout, Duration::from_secs(30));
    assert_eq!(configuration.plan.listeners.len(), 1);
    assert_eq!(configuration.plan.actions.len(), 2);
    assert_eq!(configuration.expiries.len(), 1);
    assert!(configuration.warnings.is_empty(), "{:?}", configuration.warnings);
    let summary = configuration.to_string();
    assert!(summary.contains("a.example, *.b.example (default): client certificate required"), "{summary}");
    assert!(summary.contains("route /v1/payments: PSP_PI"), "{summary}");
}

#[test]
fn unknown_keys_are_told_with_what_was_probably_meant() {
    let bench = Bench::new();
    bench.breaks("shards = 1", "shard = 1", "shard = 1", "runtime.shard", "did you mean \"shards\"?");
    bench.breaks("[admin]", "[statistics]", "[statistics]", "statistics", "the keys here are runtime");
    let adress = "adress = \"127.0.0.1:8443\"\naddress = \"127.0.0.1:8443\"";
    bench.breaks("address = \"127.0.0.1:8443\"", adress, "adress", "listener[0].adress", "\"address\"?");
    bench.breaks("status = 200, body", "state = 200, body", "state", "route[0].respond.state", "\"status\"?");
    let mode = "mode = \"required\"";
    bench.breaks(mode, "mod = \"required\"", "mod =", "listener[0].client_auth.mod", "\"mode\"?");
    bench.breaks(
        "key = \"server.key\"",
        "key = \"server.key\"\nocsp = 1",
        "ocsp",
        "listener[0].certificate[0].ocsp",
        "",
    );
}

#[test]
fn wrong_types_are_told_with_what_is_expected() {
    let bench = Bench::new();
    bench.breaks("shards = 1", "shards = 1.5", "shards", "runtime.shards", "a whole number");
    bench.breaks("cpus = [0]", "cpus = 0", "cpus", "runtime.cpus", "a list of whole numbers");
    bench.breaks("cpus = [0]", "cpus = [\n0,\n\"1\"]", "\"1\"", "runtime.cpus[1]", "a list of whole numbers");
    bench.breaks("\"tpp\"", "7", "name = 7", "listener[0].name", "a string");
    bench.breaks("[runtime]", "log = 1\n[runtime]", "log = 1", "log", "a table");
    bench.breaks(
        "[[listener.certificate]]",
        "[listener.certificate]",
        "[listener.certificate]",
        "listener[0].certificate",
        "[[listener.certificate]]",
    );
    bench.breaks(
        "[admin]",
        "[admin]\nallow_remote = \"no\"",
        "allow_remote",
        "admin.allow_remote",
        "true or false",
    );
}

#[test]
fn bad_values_are_told_with_what_is_possible() {
    let bench = Bench::new();
    bench.breaks("shards = 1", "shards = 0", "shards", "runtime.shards", "from 1 to 1024");
    bench.breaks("shards = 1", "shards = \"many\"", "shards", "runtime.shards", "not one of auto");
    bench.breaks("cpus = [0]", "cpus = [0, 0]", "cpus", "runtime.cpus[1]", "twice");
    bench.breaks("cpus = [0]", "cpus = [4096]", "cpus", "runtime.cpus[0]", "below 1024");
    bench.breaks("io = \"auto\"", "io = \"uring\"", "io", "runtime.io", "auto, io_uring, epoll");
    let drain = "io = \"auto\"\ndrain_timeout = 30";
    bench.breaks("io = \"auto\"", drain, "drain_timeout", "runtime.drain_timeout", "\"10s\"");
    bench.breaks("[admin]", "[log]\nlevel = \"loud\"\n[admin]", "level", "log.level", "error, warn");
}

#[test]
fn limits_take_units_and_have_bounds() {
    let bench = Bench::new();
    let with = |line: &str| {
        GOOD.replace(
            "[[route]]\npath = \"/direct\"",
            &format!("[listener.limits]\n{line}\n[[route]]\npath = \"/direct\""),
        )
    };
    let limits = |line| bench.good(&with(line)).plan.listeners.remove(0).limits;
    assert_eq!(limits("head_bytes_max = \"64k\"").head_bytes_max, 65536);
    assert_eq!(limits("head_bytes_max = 65536").head_bytes_max, 65536);
    assert_eq!(limits("handshake_timeout = \"500ms\"").handshake_timeout, Duration::from_millis(500));
    assert_eq!(limits("handshakes_per_source_max = 0").handshakes_per_source_max, 0);
    let tells = |line: &str, key: &str, words| {
        bench.tells(&with(line), line, &format!("listener[0].limits.{key}"), words);
    };
    tells("head_bytes_max = \"4k\"", "head_bytes_max", "from 8k to 1m");
    tells("head_bytes_max = \"32kB\"", "head_bytes_max", "\"32k\"");
    tells("handshake_timeout = 10", "handshake_timeout", "\"10s\"");
    tells("handshake_timeout = \"0s\"", "handshake_timeout", "from 1ms to 10m");
    tells("connections_max = 0", "connections_max", "from 1 to");
    tells("streams_max = -1", "streams_max", "a whole number");
}

#[test]
fn all_mistakes_are_told_at_once_and_in_order() {
    let bench = Bench::new();
    let text = GOOD
        .replace("shards = 1", "shards = 0")
        .replace("root.pem", "missing.pem")
        .replace("PSP_PI", "PSP_XX")
        .replace("server.key", "missing.key");
    let keys: Vec<_> = bench.mistakes(&text).into_iter().map(|(_, key, _)| key).collect();
    let expected = [
        "runtime.shards",
        "listener[0].certificate[0].key",
        "listener[0].client_auth.anchors[0]",
        "route[1].roles[0]",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn broken_toml_is_told_with_its_lines() {
    let bench = Bench::new();
    let text = GOOD.replace("shards = 1", "shards = = 1").replace("name = \"tpp\"", "name = \"tpp");
    let lines: Vec<_> = bench.mistakes(&text).into_iter().map(|(line, _, _)| line).collect();
    assert!(lines.contains(&2) && lines.contains(&7), "{lines:?}");
    bench.breaks("shards = 1", "shards = 1\nshards = 2", "shards = 2", "", "duplicate key");
    let mistakes = bench.mistakes(&format!("a = {}{}", "[".repeat(10_000), "]".repeat(10_000)));
    assert!(!mistakes.is_empty());
}

#[test]
fn a_configuration_that_cannot_be_read_is_told() {
    let bench = Bench::new();
    let load =
        |name: &str| Configuration::load(&bench.folder().join(name), None, None).unwrap_err().to_string();
    assert!(load("missing.toml").contains("missing.toml: cannot be read"));
    assert!(load(".").contains("is not a regular file"));
    fs::write(bench.folder().join("latin1.toml"), b"# \xe9").unwrap();
    assert!(load("latin1.toml").contains("is not UTF-8"));
    fs::write(bench.folder().join("large.toml"), vec![b' '; 5 << 20]).unwrap();
    assert!(load("large.toml").contains("is larger than"));
    bench.tells("", "", "listener", "at least one is needed");
}

#[test]
fn a_key_that_others_can_read_is_warned_of() {
    let bench = Bench::new();
    let mode = |mode| {
        fs::set_permissions(bench.folder().join("server.key"), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o600);
    assert!(bench.warnings(GOOD).is_empty());
    mode(0o644);
    let warnings = bench.warnings(GOOD);
    let [(key, sentence)] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert_eq!(key, "listener[0].certificate[0].key");
    assert!(sentence.contains("every user"), "{sentence}");
}

#[test]
fn the_admin_listener_is_not_opened_to_others_by_accident() {
    let bench = Bench::new();
    let admin = "address = \"127.0.0.1:9090\"";
    bench.breaks(
        admin,
        "address = \"0.0.0.0:9090\"",
        "address = \"0.0",
        "admin.address",
        "allow_remote = true",
    );
    bench.breaks(admin, "address = \"[::]:9090\"", "address = \"[::", "admin.address", "allow_remote = true");
    bench.breaks(admin, "", "[admin]", "admin.address", "is missing");
    bench.good(&GOOD.replace(admin, "address = \"0.0.0.0:9090\"\nallow_remote = true"));
    bench.good(&GOOD.replace(admin, "address = \"[::1]:9090\""));
    assert!(bench.good(&GOOD.replace(&format!("[admin]\n{admin}\n"), "")).admin.is_none());
}

/// Every way in which something secret could get into a message.
#[test]
fn secrets_are_never_told() {
    const SECRET: &str = "c2VjcmV0";
    let bench = Bench::new();
    bench.file("broken.key", &format!("-----BEGIN PRIVATE KEY-----\n{SECRET}\n"));
    bench.file("unended.key", &format!("-----BEGIN PRIVATE KEY {SECRET}\n"));
    bench.file("nonsense.key", SECRET);
    bench.file("der.key", &format!("-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n"));
    bench.file(
        "encrypted.key",
        &format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{SECRET}\n-----END ENCRYPTED PRIVATE KEY-----\n"),
    );
    let pasted = format!("\"\"\"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\"\"\"");
    let header =
        |value: &str| GOOD.replace("body = \"ok\\n\"", &format!("headers = {{ authorization = {value} }}"));
    for text in [
        GOOD.replace("server.key", "broken.key"),
        GOOD.replace("server.key", "unended.key"),
        GOOD.replace("server.key", "nonsense.key"),
        GOOD.replace("server.key", "der.key"),
        GOOD.replace("server.key", "encrypted.key"),
        GOOD.replace("server.pem", "broken.key"),
        GOOD.replace("root.pem", "broken.key"),
        GOOD.replace("root.pem", "unended.key"),
        GOOD.replace("\"server.key\"", &pasted),
        GOOD.replace("\"required\"", &pasted),
        GOOD.replace("\"root.pem\"", &pasted),
        header(&format!("\"{SECRET}\\u0000\"")),
        header(&format!("[\"{SECRET}\"]")),
        header(&format!("\"{SECRET}\" x")),
    ] {
        let mistakes = bench.load(&text).unwrap_err();
        assert!(!format!("{mistakes} {mistakes:?}").contains(SECRET), "{mistakes}");
    }
    let loaded = bench.good(GOOD);
    let key = fs::read_to_string(bench.folder().join("server.key")).unwrap();
    let line = key.lines().nth(1).unwrap();
    assert!(!format!("{loaded:?} {loaded}").contains(line));
}

#[test]
fn documentation_names_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let text = fs::read_to_string(path).unwrap();
    use crate::configuration::{
        admin, admin_tls, assertion, cache, certificate, client_auth, issuer, keys as key_store, limits,
        listener, log, metrics, policy, register, resumption, revocation, route, runtime, seal, trust,
        upstream,
    };
    let keys = [
        admin::KEYS,
        admin_tls::KEYS,
        assertion::KEYS,
        issuer::KEYS,
        key_store::KEYS,
        metrics::KEYS,
        policy::KEYS,
        register::KEYS,
        cache::KEYS,
        certificate::KEYS,
        client_auth::KEYS,
        limits::KEYS,
        listener::KEYS,
        log::KEYS,
        resumption::KEYS,
        revocation::KEYS,
        revocation::CRL_KEYS,
        trust::KEYS,
        route::KEYS,
        route::RESPOND_KEYS,
        runtime::KEYS,
        seal::KEYS,
        upstream::KEYS,
    ];
    for key in keys.concat() {
        let named = [
            format!("`{key}`"),
            format!("[admin.{key}]"),
            format!("[listener.{key}]"),
            format!("[[listener.{key}]]"),
            format!("[[revocation.{key}]]"),
        ];
        assert!(named.iter().any(|name| text.contains(name)), "{key} is not documented");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = Configuration::parse(&text, Path::new("/nonexistent/a.toml"), None, None);
    }

    #[test]
    fn no_broken_configuration_makes_reading_panic(
        cuts in proptest::collection::vec((0..GOOD.len(), 0..20_usize, "[\\[\\]{}=\"'#,.a-z0-9\\n-]{0,6}"), 1..6)
    ) {
        let mut text = GOOD.to_owned();
        for (at, length, new) in cuts {
            let (start, end) = (at.min(text.len()), (at + length).min(text.len()));
            if text.is_char_boundary(start) && text.is_char_boundary(end) {
                text.replace_range(start..end, &new);
            }
        }
        let _ = Configuration::parse(&text, Path::new("/nonexistent/a.toml"), None, None);
    }
}
