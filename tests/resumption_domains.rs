//! A ticket is good where it was made and nowhere else. A client that got one from a name, a listener or a configuration that asks
//! little brings it to one that asks more, and is asked again, as anybody who comes for the first time; what it was let in for
//! elsewhere does not count. Beside each such case the same ticket is shown to resume at home.

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, HOST, KeptSession, Outcome, Refusal, Site, Version, WireClient,
    eventually,
};
use portcullis_test_pki::{Authority, Credential, ExtendedKeyUsagePurpose, Role, TppCertificate};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const OTHER: &str = "other.bank.example";
const RULES: &str = "mode = \"required\"\nprofile = \"x509\"\nanchors = [\"qtsp.pem\"]";
const FULL: Outcome = Outcome::Full(200);
const RESUMED: Outcome = Outcome::Resumed(200);

fn tpp() -> TppCertificate {
    TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi])
}

/// A second name on the listener, under these rules.
fn with_other(site: &Site, rules: &str) -> Configuration {
    site.serve("other", &[OTHER]);
    let certificate = |file: &str, more: &str| {
        format!("[[listener.certificate]]\nchain = \"{file}.pem\"\nkey = \"{file}.key\"\n{more}\n")
    };
    let other = format!("[listener.certificate.client_auth]\n{rules}");
    // The default may not ask less than its neighbour, so that it is the strictest that there is.
    site.serve("strict", &["strict.bank.example"]);
    let strict =
        "default = true\n[listener.certificate.client_auth]\nprofile = \"psd2\"\nanchors = [\"strict.ca\"]";
    site.write("strict.ca", &site.qtsp.root_pem());
    let tables = [certificate("server", ""), certificate("other", &other), certificate("strict", strict)];
    Configuration::default().certificates(&tables.concat())
}

fn client(version: Version, credential: &Credential) -> WireClient {
    WireClient::new(version).credential(credential)
}

fn refused(gate: &Gate, client: &WireClient, alerts: &[AlertDescription]) {
    let refusal = client.refusal(gate.address("tpp"));
    let is_named = matches!(&refusal, Refusal::Alert(alert) if alerts.contains(alert));
    assert!(is_named, "{refusal:?}, not one of {alerts:?}");
}

fn of_another_domain(gate: &Gate) -> f64 {
    gate.metrics().sum("portcullis_tickets_total", &[("result", "other_domain")])
}

/// Puts another configuration in force and waits until a client that comes without a session finds it there.
fn reload(gate: &Gate, configuration: &Configuration, is_there: impl FnMut() -> bool) {
    gate.rewrite(&configuration.to_toml());
    gate.reload();
    eventually("the new configuration serves", is_there);
}

#[test]
fn another_name_asks_again() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &with_other(&site, "profile = \"x509\""));
    let (address, tpp) = (gate.address("tpp"), site.tpp(&[Role::PspAi]));
    for version in Version::BOTH {
        let client = client(version, &tpp);
        let offering = client.showing(&client.session(address));
        let before = of_another_domain(&gate);
        assert_eq!(offering.clone().server_name(OTHER).outcome(address), FULL, "{version:?}");
        assert_eq!(of_another_domain(&gate), before + 1.0, "{version:?}");
        assert_eq!(offering.outcome(address), RESUMED, "{version:?}");
    }
}

#[test]
fn another_name_of_the_same_certificate_asks_again() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let (address, tpp) = (gate.address("tpp"), site.tpp(&[Role::PspAi]));
    for version in Version::BOTH {
        let client = client(version, &tpp);
        let offering = client.showing(&client.session(address));
        assert_eq!(offering.clone().server_name("localhost").outcome(address), FULL, "{version:?}");
        assert_eq!(offering.without_sni().outcome(address), FULL, "{version:?}");
        let nameless = client.clone().without_sni();
        let nameless = nameless.offering(&[nameless.session(address)]);
        assert_eq!(nameless.outcome(address), RESUMED, "{version:?}: without a name at home");
        assert_eq!(nameless.server_name(HOST).outcome(address), FULL, "{version:?}");
    }
}

/// The defect of nginx in 2025 (CVE-2025-23419): a client of one bank resumes at the other.
#[test]
fn a_name_that_believes_others_refuses_who_was_let_in_elsewhere() {
    let site = Site::new();
    let foreign = Authority::foreign().expect("an authority");
    site.write("foreign.pem", &foreign.root_pem());
    let gate = Gate::start(PORTCULLIS, &site, &with_other(&site, "anchors = [\"foreign.pem\"]"));
    let (address, own) = (gate.address("tpp"), site.tpp(&[Role::PspAi]));
    let other = tpp().issue(&foreign).expect("a certificate");
    for version in Version::BOTH {
        let (here, there) = (client(version, &own), client(version, &other).server_name(OTHER));
        let (session, session_there) = (here.session(address), there.session(address));
        let crossing = here.showing(&session).server_name(OTHER);
        refused(&gate, &crossing, &[AlertDescription::UnknownCA]);
        refused(&gate, &crossing.without_credential(), &[AlertDescription::CertificateRequired]);
        let crossing = there.showing(&session_there).server_name(HOST);
        refused(&gate, &crossing, &[AlertDescription::UnknownCA]);
        // With both at once each is resumed at its own name.
        let both = [session, session_there];
        if version == Version::Tls13 {
            assert_eq!(there.offering(&both).outcome(address), RESUMED);
        }
        assert_eq!(here.offering(&both).outcome(address), RESUMED, "{version:?}");
    }
}

#[test]
fn another_listener_asks_again() {
    let site = Site::new();
    let second = format!(
        "[[listener]]\nname = \"second\"\naddress = \"127.0.0.1:0\"\n\
         [[listener.certificate]]\nchain = \"server.pem\"\nkey = \"server.key\"\n[listener.client_auth]\n{RULES}"
    );
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default().and(&second));
    let tpp = site.tpp(&[Role::PspAi]);
    let addresses = ["tpp", "second"].map(|listener| gate.address(listener));
    for version in Version::BOTH {
        let client = client(version, &tpp);
        for (home, elsewhere) in [(0, 1), (1, 0)] {
            let offering = client.offering(&[client.session(addresses[home])]);
            let before = of_another_domain(&gate);
            assert_eq!(offering.outcome(addresses[elsewhere]), FULL, "{version:?}");
            assert_eq!(of_another_domain(&gate), before + 1.0, "{version:?}");
            assert_eq!(offering.outcome(addresses[home]), RESUMED, "{version:?}");
        }
    }
}

#[test]
fn another_profile_judges_the_certificate_anew() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &with_other(&site, "profile = \"psd2\""));
    let address = gate.address("tpp");
    let roleless = site.issue(TppCertificate::new("Hafenkontor Handels GmbH"));
    for version in Version::BOTH {
        let client = client(version, &roleless);
        let offering = client.showing(&client.session(address));
        assert_eq!(offering.outcome(address), RESUMED, "{version:?}");
        refused(&gate, &offering.clone().server_name(OTHER), &[AlertDescription::AccessDenied]);
        assert_eq!(offering.outcome(address), RESUMED, "{version:?}");
    }
}

/// Tickets of one mode under the other, by a reload and back.
fn across_modes(first: &str, second: &str) {
    let site = Site::new();
    let rules = |mode: &str| {
        let rules = RULES.replace("required", mode);
        Configuration::default().client_auth(&rules)
    };
    let gate = Gate::start(PORTCULLIS, &site, &rules(first));
    let (address, tpp) = (gate.address("tpp"), site.tpp(&[Role::PspAi]));
    let passes = |mode: &str, version| {
        let outcome = WireClient::new(version).outcome(address);
        (outcome == FULL) == (mode == "optional")
    };
    for version in Version::BOTH {
        let client = client(version, &tpp);
        let offering = client.showing(&client.session(address));
        assert_eq!(offering.outcome(address), RESUMED, "{version:?}");
        reload(&gate, &rules(second), || passes(second, version));
        assert_eq!(offering.outcome(address), FULL, "{version:?}: {first} to {second}");
        reload(&gate, &rules(first), || passes(first, version));
        assert_eq!(offering.outcome(address), RESUMED, "{version:?}: back home");
    }
}

#[test]
fn a_ticket_of_an_optional_certificate_is_none_where_it_is_required() {
    across_modes("optional", "required");
}

#[test]
fn a_ticket_of_a_required_certificate_is_none_where_it_is_optional() {
    across_modes("required", "optional");
}

#[test]
fn anchors_that_are_removed_end_their_tickets() {
    let site = Site::new();
    let foreign = Authority::foreign().expect("an authority");
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let (address, own) = (gate.address("tpp"), site.tpp(&[Role::PspAi]));
    let other = tpp().issue(&foreign).expect("a certificate");
    for version in Version::BOTH {
        let (client, newcomer) = (client(version, &own), client(version, &other));
        let offering = client.showing(&client.session(address));
        assert_eq!(offering.outcome(address), RESUMED, "{version:?}");
        site.write("qtsp.pem", &foreign.root_pem());
        reload(&gate, &Configuration::default(), || newcomer.outcome(address) == FULL);
        refused(&gate, &offering, &[AlertDescription::UnknownCA]);
        site.write("qtsp.pem", &site.qtsp.root_pem());
        reload(&gate, &Configuration::default(), || client.outcome(address) == FULL);
        assert_eq!(offering.outcome(address), RESUMED, "{version:?}: believed again");
    }
}

#[test]
fn usages_that_are_taken_no_more_end_their_tickets() {
    let site = Site::new();
    let rules = |rule: &str| {
        Configuration::default().client_auth(&format!("{RULES}\nextended_key_usage = \"{rule}\""))
    };
    let gate = Gate::start(PORTCULLIS, &site, &rules("any-tls"));
    let address = gate.address("tpp");
    let server_only = site.issue(tpp().extended_key_usages([ExtendedKeyUsagePurpose::ServerAuth]));
    for version in Version::BOTH {
        let client = client(version, &server_only);
        let offering = client.showing(&client.session(address));
        assert_eq!(offering.outcome(address), RESUMED, "{version:?}");
        reload(&gate, &rules("client-auth"), || client.outcome(address) != FULL);
        let alerts = [AlertDescription::UnsupportedCertificate, AlertDescription::BadCertificate];
        refused(&gate, &offering, &alerts);
        reload(&gate, &rules("any-tls"), || client.outcome(address) == FULL);
        assert_eq!(offering.outcome(address), RESUMED, "{version:?}: taken again");
    }
}

#[test]
fn a_reload_that_changes_no_rule_ends_no_ticket() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let (address, tpp) = (gate.address("tpp"), site.tpp(&[Role::PspAi]));
    let answering = |status: u16| {
        let route = format!("[[route]]\npath = \"/\"\nrespond = {{ status = {status} }}");
        Configuration::default().routes(&route)
    };
    for version in Version::BOTH {
        let client = client(version, &tpp);
        let sessions: [KeptSession; 1] = [client.session(address)];
        reload(&gate, &answering(204), || client.outcome(address) == Outcome::Full(204));
        assert_eq!(client.offering(&sessions).outcome(address), Outcome::Resumed(204), "{version:?}");
        reload(&gate, &Configuration::default(), || client.outcome(address) == FULL);
    }
}
