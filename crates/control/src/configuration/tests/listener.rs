//! Listeners: names, addresses, certificates.

use portcullis_gateway::plan::{Alpn, KeyExchange};
use portcullis_policy::HostName;
use portcullis_test_pki::Validity;

use super::*;

const SECOND: &str = r#"
[[listener]]
name = "second"
address = "127.0.0.1:8444"
client_auth = { mode = "off" }
certificate = [{ chain = "other.pem", key = "other.key" }]
"#;

fn with_second(from: &str, to: &str) -> String {
    format!("{GOOD}{}", SECOND.replace(from, to))
}

#[test]
fn files_that_are_missing_or_wrong_are_told() {
    let bench = Bench::new();
    let (chain, key) = ("listener[0].certificate[0].chain", "listener[0].certificate[0].key");
    bench.breaks("server.pem", "missing.pem", "missing.pem", chain, "\"missing.pem\" cannot be read");
    bench.breaks("server.pem", "server.key", "chain", chain, "holds no certificate");
    bench.breaks("server.key", "missing.key", "missing.key", key, "\"missing.key\" cannot be read");
    bench.breaks("server.key", "server.pem", "key =", key, "holds no private key");
    bench.breaks("server.key", ".", "key =", key, "is not a regular file");
    bench.breaks("server.key", "other.key", "key =", key, "does not serve with this chain");
    bench.breaks("key = \"server.key\"", "", "[[listener.certificate]]", key, "is missing");
    bench.file("nonsense.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    bench.breaks("server.pem", "nonsense.pem", "chain", chain, "not a valid X.509");
    bench.file(
        "encrypted.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    bench.breaks("server.key", "encrypted.key", "key =", key, "decrypt it");
}

#[test]
fn paths_are_relative_to_the_file_or_absolute() {
    let bench = Bench::new();
    let absolute = bench.folder().join("server.key");
    bench.good(&GOOD.replace("server.key", absolute.to_str().unwrap()));
}

#[test]
fn listeners_that_overlap_are_told() {
    let bench = Bench::new();
    bench.good(&with_second("", ""));
    let address = "listener[1].address";
    for other in ["127.0.0.1:8443", "0.0.0.0:8443", "[::]:8443", "127.0.0.1:9090", "[::]:9090"] {
        bench.tells(&with_second("127.0.0.1:8444", other), other_line(other), address, "overlaps with");
    }
    bench.good(&with_second("127.0.0.1:8444", "127.0.0.2:8443"));
    bench.good(&with_second("127.0.0.1:8444", "127.0.0.1:0"));
    let text = GOOD.replace("127.0.0.1:8443", "0.0.0.0:8443") + &SECOND.replace("8444", "8443");
    bench.tells(&text, "address = \"127.0.0.1:8443", address, "overlaps with 0.0.0.0:8443 at line 8");
    bench.tells(
        &with_second("\"second\"", "\"tpp\""),
        "name = \"tpp\"\naddress = \"127.0.0.1:8444",
        "listener[1].name",
        "line 6",
    );
}

/// What stands in the second listener alone.
fn other_line(address: &str) -> &'static str {
    match address {
        "127.0.0.1:8443" => "address = \"127.0.0.1:8443\"\nclient_auth",
        "127.0.0.1:9090" => "address = \"127.0.0.1:9090\"\nclient_auth",
        "0.0.0.0:8443" => "0.0.0.0:8443",
        "[::]:8443" => "[::]:8443",
        _ => "[::]:9090",
    }
}

#[test]
fn names_and_addresses_have_a_form() {
    let bench = Bench::new();
    bench.breaks("\"tpp\"", "\"\"", "name =", "listener[0].name", "is not a name");
    bench.breaks("\"tpp\"", "\"a/b\"", "name =", "listener[0].name", "is not a name");
    bench.breaks("\"tpp\"", "\"admin\"", "name =", "listener[0].name", "the admin listener");
    bench.breaks("127.0.0.1:8443", "localhost:8443", "address =", "listener[0].address", "127.0.0.1:8443");
    bench.breaks("127.0.0.1:8443", "127.0.0.1", "address =", "listener[0].address", "with a port");
    bench.breaks("name = \"tpp\"", "", "[[listener]]", "listener[0].name", "is missing");
}

#[test]
fn tls_parameters_are_in_the_order_of_the_file() {
    let bench = Bench::new();
    let with = |line: &str| GOOD.replace("name = \"tpp\"", &format!("name = \"tpp\"\n{line}"));
    let tls = |line: &str| bench.good(&with(line)).plan.listeners.remove(0).tls;
    let default = tls("");
    assert!(default.tls12);
    assert_eq!(default.alpn, [Alpn::H2, Alpn::Http1]);
    assert_eq!(default.key_exchange[0], KeyExchange::X25519MlKem768);
    assert_eq!(default.key_exchange.len(), 4);
    assert!(!tls("tls_versions = [\"1.3\"]").tls12);
    assert_eq!(tls("alpn = [\"http/1.1\"]").alpn, [Alpn::Http1]);
    let groups = tls("key_exchange = [\"P-384\", \"secp256r1\"]").key_exchange;
    assert_eq!(groups, [KeyExchange::P384, KeyExchange::P256]);
    let tells = |line: &str, key: &str, words| bench.tells(&with(line), line, key, words);
    tells("key_exchange = [\"P-256\", \"secp256r1\"]", "listener[0].key_exchange[1]", "twice");
    tells("key_exchange = []", "listener[0].key_exchange", "at least one");
    tells("tls_versions = [\"1.1\", \"1.3\"]", "listener[0].tls_versions[0]", "not one of 1.2, 1.3");
    tells("tls_versions = [\"1.2\"]", "listener[0].tls_versions", "1.3");
    tells("alpn = [\"h3\"]", "listener[0].alpn[0]", "not one of h2, http/1.1");
}

#[test]
fn names_come_from_the_file_or_else_from_the_certificate() {
    let bench = Bench::new();
    let names = |text: &str| bench.good(text).plan.listeners.remove(0).certificates.remove(0).names;
    let wildcard = HostName::Wildcard(".b.example".to_owned());
    assert_eq!(names(GOOD), [HostName::Exact("a.example".to_owned()), wildcard]);
    let with = |line: &str| GOOD.replace("key = \"server.key\"", &format!("key = \"server.key\"\n{line}"));
    let line = "names = [\"A.example\", \"x.b.example\"]";
    assert_eq!(names(&with(line)), ["a.example", "x.b.example"].map(|name| HostName::Exact(name.to_owned())));
    assert!(bench.warnings(&with(line)).is_empty());
    let warnings = bench.warnings(&with("names = [\"x.y.b.example\"]"));
    assert!(warnings[0].1.contains("not for \"x.y.b.example\""), "{warnings:?}");
    let tells = |line: &str, key: &str, words| bench.tells(&with(line), line, key, words);
    tells("names = []", "listener[0].certificate[0].names", "left out");
    tells("names = [\"a.*.b\"]", "listener[0].certificate[0].names[0]", "is no host name");
    bench.server("nameless", &[]);
    let text = GOOD.replace("server.", "nameless.");
    bench.tells(&text, "chain", "listener[0].certificate[0].chain", "names no host");
    bench.good(&text.replace("key = \"nameless.key\"", "key = \"nameless.key\"\nnames = [\"a.example\"]"));
}

#[test]
fn a_domain_is_named_for_its_listener_and_its_first_name() {
    let bench = Bench::new();
    let configuration = bench.good(&with_second("", ""));
    let names: Vec<_> = configuration.plan.policy.domains().map(|(_, domain)| domain.name.clone()).collect();
    assert_eq!(names, ["tpp/a.example", "second/other.example"]);
    for listener in &configuration.plan.listeners {
        let (domain, _) = configuration.plan.policy.domain(listener.certificates[0].domain);
        assert!(domain.name.starts_with(&listener.name), "{} {}", domain.name, listener.name);
        assert!(listener.certificates[0].default);
    }
}

#[test]
fn an_expired_certificate_is_warned_of() {
    let bench = Bench::new();
    let expired = portcullis_test_pki::ServerCertificate::new(["a.example"]).validity(Validity::expired());
    expired.issue(&bench.bank).unwrap().write(bench.folder(), "server").unwrap();
    let warnings = bench.warnings(GOOD);
    assert!(warnings.iter().any(|(_, sentence)| sentence.contains("has expired")), "{warnings:?}");
}

#[test]
fn a_listener_needs_a_certificate() {
    let bench = Bench::new();
    let certificate = "[[listener.certificate]]\nchain = \"server.pem\"\nkey = \"server.key\"\n";
    bench.breaks(certificate, "", "[[listener]]", "listener[0].certificate", "at least one");
}
