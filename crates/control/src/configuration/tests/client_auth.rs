//! Rules for clients: what must be said, what is inherited, and that no default is laxer than its neighbours.

use portcullis_policy::{Mode, Profile, Refusals, Rule, Severity};
use portcullis_trust::EkuRule;

use super::*;

/// Two certificates; `first` and `second` are lines that are added to each.
fn two(first: &str, second: &str) -> String {
    GOOD.replace(
        "key = \"server.key\"\n",
        &format!(
            "key = \"server.key\"\n{first}\n[[listener.certificate]]\nchain = \"other.pem\"\nkey = \"other.key\"\n{second}\n"
        ),
    )
}

#[test]
fn profile_and_anchors_have_no_default() {
    let bench = Bench::new();
    let auth = |key: &str| format!("listener[0].client_auth.{key}");
    bench.breaks("profile = \"x509\"\n", "", "[listener.client_auth]", &auth("profile"), "is missing");
    bench.breaks("anchors = [\"root.pem\"]\n", "", "[listener.client_auth]", &auth("anchors"), "is missing");
    bench.breaks("[\"root.pem\"]", "[]", "anchors", &auth("anchors"), "at least one");
    bench.breaks("root.pem", "gone.pem", "gone.pem", &auth("anchors[0]"), "\"gone.pem\" cannot be read");
    bench.breaks("root.pem", "server.key", "server.key\"]", &auth("anchors[0]"), "\"server.key\": ");
    bench.breaks("root.pem", "server.pem", "server.pem\"]", &auth("anchors[0]"), "not a CA");
    bench.breaks("\"required\"", "\"mandatory\"", "mode", &auth("mode"), "required, optional, off");
    bench.breaks("\"x509\"", "\"psd3\"", "profile", &auth("profile"), "x509, obie, psd2");
    let table = "[listener.client_auth]\nmode = \"required\"\nprofile = \"x509\"\nanchors = [\"root.pem\"]\n";
    let keys: Vec<_> =
        bench.mistakes(&GOOD.replace(table, "")).into_iter().map(|(line, key, _)| (line, key)).collect();
    assert_eq!(keys, [(6, auth("anchors")), (6, auth("profile"))]);
}

#[test]
fn certificates_are_required_unless_something_else_is_written() {
    let bench = Bench::new();
    let configuration = bench.good(&GOOD.replace("mode = \"required\"\n", ""));
    let (_, domain) = configuration.plan.policy.domains().next().unwrap();
    assert_eq!(domain.client_auth.mode, Mode::Required);
    assert_eq!(domain.client_auth.rules.profile, Profile::X509);
    assert_eq!(domain.client_auth.refusals, Refusals::Handshake);
    assert_eq!(domain.client_auth.rules.extended_key_usage, EkuRule::ClientAuth);
    assert_eq!(domain.client_auth.anchors.len(), 1);
}

#[test]
fn a_certificate_overrides_single_rules_of_its_listener() {
    let bench = Bench::new();
    let second = "[listener.certificate.client_auth]\nprofile = \"psd2\"\nrefusals = \"http\"";
    let text = two("default = false", &format!("default = true\n{second}"));
    let configuration = bench.good(&text);
    let rules: Vec<_> = configuration.plan.policy.domains().map(|(_, domain)| &domain.client_auth).collect();
    assert_eq!((rules[0].rules.profile, rules[0].refusals), (Profile::X509, Refusals::Handshake));
    assert_eq!((rules[1].rules.profile, rules[1].refusals), (Profile::Psd2, Refusals::Http));
    assert!(std::sync::Arc::ptr_eq(&rules[0].anchors, &rules[1].anchors), "one list is read once");
}

#[test]
fn a_list_of_anchors_that_is_inherited_is_complained_of_once() {
    let bench = Bench::new();
    let text = two("default = true", "").replace("root.pem", "gone.pem");
    bench.tells(&text, "gone.pem", "listener[0].client_auth.anchors[0]", "cannot be read");
    let text = two("default = true", "").replace("profile = \"x509\"\n", "");
    bench.tells(&text, "[listener.client_auth]", "listener[0].client_auth.profile", "is missing");
}

#[test]
fn a_default_that_is_laxer_than_its_neighbours_is_told() {
    let bench = Bench::new();
    let lax = |rule: &str| format!("default = true\nclient_auth = {{ {rule} }}");
    let (key, words) =
        ("listener[0].certificate[0].default", "asks less of a client than the certificate at line");
    bench.tells(&two(&lax("mode = \"optional\""), ""), "default", key, words);
    bench.tells(&two(&lax("mode = \"off\""), ""), "default", key, words);
    bench.tells(&two(&lax("extended_key_usage = \"any-tls\""), ""), "default", key, words);
    bench.tells(&two("default = true", "client_auth = { profile = \"psd2\" }"), "default", key, words);
    bench.good(&two("default = true", "client_auth = { mode = \"off\" }"));
    bench.good(&two(&lax("profile = \"psd2\""), ""));
}

#[test]
fn there_is_one_default() {
    let bench = Bench::new();
    let key = |index: usize| format!("listener[0].certificate[{index}].default");
    bench.tells(&two("", ""), "[[listener.certificate]]", &key(0), "must be marked");
    bench.tells(&two("default = true", "default = true # 2"), "default = true # 2", &key(1), "already");
    bench.breaks(
        "key = \"server.key\"",
        "key = \"server.key\"\ndefault = false",
        "default",
        &key(0),
        "the only",
    );
    bench.good(&GOOD.replace("key = \"server.key\"", "key = \"server.key\"\ndefault = true"));
}

#[test]
fn two_certificates_do_not_share_a_name() {
    let bench = Bench::new();
    let text = two("default = true", "names = [\"A.EXAMPLE\"]");
    let key = "listener[0].certificate[1].names[0]";
    bench.tells(&text, "names", key, "\"a.example\" is claimed at line 10 already");
    bench.good(&two("default = true", "names = [\"x.b.example\"]"));
}

#[test]
fn rules_where_no_certificate_is_asked_for_are_told() {
    let bench = Bench::new();
    let text = GOOD.replace("mode = \"required\"", "mode = \"off\"");
    let keys: Vec<_> = bench.mistakes(&text).into_iter().map(|(_, key, _)| key).collect();
    assert_eq!(keys, ["listener[0].client_auth.profile", "listener[0].client_auth.anchors"]);
    bench.good(&text.replace("profile = \"x509\"\nanchors = [\"root.pem\"]\n", ""));
    let second = "client_auth = { mode = \"off\", refusals = \"http\" }";
    let key = "listener[0].certificate[1].client_auth.refusals";
    bench.tells(&two("default = true", second), second, key, "has no effect");
    let inherited = two("default = true\nclient_auth = { mode = \"required\" }", "");
    bench.good(&inherited.replacen(
        "[listener.client_auth]\nmode = \"required\"",
        "[listener.client_auth]\nmode = \"off\"",
        1,
    ));
}

#[test]
fn anchors_of_several_files_are_believed_together() {
    let bench = Bench::new();
    bench.file("more.pem", &bench.bank.root_pem());
    let configuration =
        bench.good(&GOOD.replace("[\"root.pem\"]", "[\"root.pem\", \"more.pem\", \"root.pem\"]"));
    assert_eq!(configuration.plan.policy.domains().next().unwrap().1.client_auth.anchors.len(), 2);
}

#[test]
fn a_rule_may_have_another_severity() {
    let bench = Bench::new();
    let table = |rows: &str| {
        GOOD.replace("profile = \"x509\"\n", &format!("profile = \"psd2\"\nseverities = {{ {rows} }}\n"))
    };
    let good = bench.good(&table("\"psd2.role-name-mismatch\" = \"deny\", \"qc.not-qualified\" = \"warn\""));
    let severities = good.plan.policy.domains().next().unwrap().1.client_auth.rules.severities;
    let of = |code: &str| severities.of(Rule::from_code(code).unwrap());
    assert_eq!((of("psd2.role-name-mismatch"), of("qc.not-qualified")), (Severity::Deny, Severity::Warn));
    assert_eq!((of("psd2.missing"), of("qc.pds-missing")), (Severity::Deny, Severity::Warn));
    let warned: Vec<_> = good.warnings.iter().map(|warning| warning.key()).collect();
    assert!(warned.iter().any(|key| key.ends_with("qc.not-qualified")), "{warned:?}");
    assert!(!warned.iter().any(|key| key.contains("mismatch")), "{warned:?}");
    let summary = good.to_string();
    assert!(
        summary.contains("    qc.not-qualified: warn\n")
            && summary.contains("    psd2.role-name-mismatch: deny\n")
    );
    assert!(!summary.contains("psd2.missing"));
}

#[test]
fn unknown_rules_and_severities_are_mistakes() {
    let bench = Bench::new();
    let table = |rows: &str| {
        GOOD.replace("profile = \"x509\"\n", &format!("profile = \"x509\"\nseverities = {{ {rows} }}\n"))
    };
    let key = |code: &str| format!("listener[0].client_auth.severities.{code}");
    let (slip, odd) = ("qc.not-qualifed", "qc.unheard-of-and-far-from-any");
    bench.tells(
        &table(&format!("\"{slip}\" = \"deny\"")),
        "severities",
        &key(slip),
        "did you mean \"qc.not-qualified\"?",
    );
    bench.tells(&table(&format!("\"{odd}\" = \"deny\"")), "severities", &key(odd), "no rule has this code");
    bench.tells(
        &table("\"qc.missing\" = \"off\""),
        "severities",
        &key("qc.missing"),
        "none of deny, warn, note",
    );
    bench.tells(&table("\"qc.missing\" = 1"), "severities", &key("qc.missing"), "a string");
}

#[test]
fn a_code_without_quotes_is_told_as_such() {
    let bench = Bench::new();
    let table = "[listener.client_auth.severities]\npsd2.role-name-mismatch = \"deny\"\n[[route]]";
    let text = GOOD.replacen("[[route]]", table, 1);
    bench.tells(&text, "psd2.role", "listener[0].client_auth.severities.psd2", "write it in quotes");
    bench.good(&text.replace("psd2.role-name-mismatch", "\"psd2.role-name-mismatch\""));
}

#[test]
fn a_severity_that_changes_nothing_is_warned_of_as_such() {
    let bench = Bench::new();
    let warning = |code: &str, severity: &str| {
        let rows = format!("profile = \"x509\"\nseverities = {{ \"{code}\" = \"{severity}\" }}\n");
        bench.warnings(&GOOD.replace("profile = \"x509\"\n", &rows))
    };
    let told = |code: &str, severity: &str, words: &str| {
        let warnings = warning(code, severity);
        let [(key, sentence)] = warnings.as_slice() else { panic!("{code}: {warnings:?}") };
        assert!(key.ends_with(code) && sentence.contains(words), "{key}: {sentence}");
    };
    told("validity.expired", "warn", "admits nobody more");
    told("extension.critical-unprocessed", "note", "admits nobody more");
    told("key.weak", "warn", "under profile x509 it denies by default");
    assert_eq!(warning("key.weak", "deny"), [], "as it is by default");
    assert_eq!(warning("eku.missing", "deny"), [], "stricter than by default");
}

#[test]
fn a_certificate_has_severities_of_its_own_or_those_of_its_listener() {
    let bench = Bench::new();
    let listener = "severities = { \"key.weak\" = \"warn\", \"eku.missing\" = \"warn\" }\n[[route]]";
    let own = "[listener.certificate.client_auth]\nseverities = { \"eku.missing\" = \"deny\" }";
    let text = two("default = false", &format!("default = true\n{own}"));
    let text = text.replacen("\n[[route]]", listener, 1);
    let configuration = bench.good(&text);
    let of = |code: &str| {
        let rule = Rule::from_code(code).unwrap();
        let domains = configuration.plan.policy.domains();
        domains.map(|(_, domain)| domain.client_auth.rules.severities.of(rule)).collect::<Vec<_>>()
    };
    assert_eq!(of("eku.missing"), [Severity::Warn, Severity::Deny]);
    assert_eq!(of("key.weak"), [Severity::Warn, Severity::Deny], "a table replaces the other as a whole");
    // What two certificates inherit is warned of once.
    let inherited = two("default = true", "").replacen("\n[[route]]", listener, 1);
    assert_eq!(bench.warnings(&inherited).len(), 1);
}

#[test]
fn severities_where_no_certificate_is_asked_for_are_told() {
    let bench = Bench::new();
    let rules = "mode = \"required\"\nprofile = \"x509\"\nanchors = [\"root.pem\"]\n";
    let text = GOOD.replace(rules, "mode = \"off\"\nseverities = { \"key.weak\" = \"warn\" }\n");
    bench.tells(&text, "severities", "listener[0].client_auth.severities", "has no effect");
}

#[test]
fn a_default_is_laxer_too_where_its_rules_deny_less() {
    let bench = Bench::new();
    let lax = "default = true\nclient_auth = { severities = { \"key.weak\" = \"warn\" } }";
    let key = "listener[0].certificate[0].default";
    bench.tells(&two(lax, ""), "default", key, "asks less of a client than the certificate at line");
}
