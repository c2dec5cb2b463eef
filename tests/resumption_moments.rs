//! Between a ticket that is shown and the first answer there is time, in which a client may wait for as long as a handshake may take.
//! What becomes known then holds; and until a client has proved that a ticket is its own, nothing is held against whose it is.

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, KeptSession, Outcome, Refusal, Site, Version, WireClient,
    eventually,
};
use portcullis_test_pki::{Authority, Credential, Role, TppCertificate};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const FULL: Outcome = Outcome::Full(200);
const RESUMED: Outcome = Outcome::Resumed(200);
const REGISTER: &str = "[register]\ntables = [\"providers.csv\"]\nrefresh_interval = \"1s\"";

fn put_register(site: &Site, withdrawn: &str) {
    let header = "authority,number,authorised,withdrawn,roles,countries";
    site.write("providers.csv", &format!("{header}\nDE-BAFIN,1,2018-07-02,{withdrawn},PSP_AI,\n"));
}

fn registered(site: &Site) -> Credential {
    let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
    site.issue(tpp.organization_identifier("PSDDE-BAFIN-1"))
}

fn visitor(gate: &Gate, version: Version, credential: &Credential) -> (WireClient, KeptSession) {
    let client = WireClient::new(version).credential(credential);
    let session = client.session(gate.address("tpp"));
    assert_eq!(client.showing(&session).outcome(gate.address("tpp")), RESUMED, "{version:?}");
    (client, session)
}

/// Shows a session, makes `change` while the handshake is under way, and waits until a newcomer is refused: no answer comes, and no
/// ticket that would be worth anything.
fn refused_though_it_came_before(gate: &Gate, version: Version, credential: &Credential, change: impl Fn()) {
    let address = gate.address("tpp");
    let (client, session) = visitor(gate, version, credential);
    for offering in [client.showing(&session), client.clone()] {
        let connection = offering.connect_around(address, || {
            change();
            eventually("a newcomer is refused", || {
                matches!(client.outcome(address), Outcome::Refused(Refusal::Alert(_) | Refusal::Closed))
            });
        });
        let Ok(mut connection) = connection else { continue };
        let answer = connection.get("/");
        assert!(answer.is_err(), "{version:?}: {answer:?}");
        for session in connection.sessions() {
            let outcome = client.showing(session).outcome(address);
            assert!(matches!(outcome, Outcome::Refused(_)), "{version:?}: {outcome:?}");
        }
    }
}

#[test]
fn anchors_that_go_while_a_ticket_is_shown() {
    for version in Version::BOTH {
        let site = Site::new();
        let foreign = Authority::foreign().expect("an authority");
        let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
        refused_though_it_came_before(&gate, version, &site.tpp(&[Role::PspAi]), || {
            site.write("qtsp.pem", &foreign.root_pem());
            gate.reload();
        });
    }
}

#[test]
fn an_authorisation_that_goes_while_a_ticket_is_shown() {
    for version in Version::BOTH {
        let site = Site::new();
        put_register(&site, "");
        let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2().and(REGISTER));
        let credential = registered(&site);
        refused_though_it_came_before(&gate, version, &credential, || put_register(&site, "2020-01-31"));
    }
}

/// With the secret of a ticket comes the proof. Whoever shows one without it has neither a verdict nor a trace of one.
#[test]
fn nothing_is_counted_for_whose_ticket_was_stolen() {
    let site = Site::new();
    put_register(&site, "");
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2().and(REGISTER));
    let address = gate.address("tpp");
    let verdicts = || gate.metrics().sum("portcullis_client_cert_verifications_total", &[]);
    let owner = registered(&site);
    let visitors = Version::BOTH.map(|version| visitor(&gate, version, &owner));
    let stolen = visitors.each_ref().map(|(client, session)| {
        let made_up =
            KeptSession::new(session.version, vec![0; session.secret.len()], session.ticket.clone());
        client.clone().without_credential().showing(&made_up)
    });
    let before = verdicts();
    for thief in &stolen {
        assert!(matches!(thief.outcome(address), Outcome::Refused(_)), "{thief:?}");
    }
    assert_eq!(verdicts(), before, "its client is let in at present");
    // Shown when its client is refused, the ticket is none, and nobody is asked for a certificate.
    put_register(&site, "2020-01-31");
    for (client, _) in &visitors {
        eventually("it is refused", || matches!(client.outcome(address), Outcome::Refused(_)));
    }
    let in_flight = || gate.metrics().sum("portcullis_tls_handshakes_in_flight", &[]);
    eventually("all is counted", || in_flight() == 0.0);
    let before = verdicts();
    for thief in &stolen {
        let refusal = thief.refusal(address);
        assert_eq!(refusal, Refusal::Alert(AlertDescription::CertificateRequired), "{thief:?}");
    }
    assert_eq!(verdicts(), before, "its client is refused");
}

/// A client that shows a ticket and says no more holds a handshake, as any that says nothing, and no longer.
#[test]
fn who_shows_a_ticket_and_stops_is_closed() {
    let site = Site::new();
    let limits = Configuration::default().limits("handshake_timeout = \"500ms\"");
    let gate = Gate::start(PORTCULLIS, &site, &limits);
    let tpp = site.tpp(&[Role::PspAi]);
    for version in Version::BOTH {
        let (client, session) = visitor(&gate, version, &tpp);
        let timeouts =
            || gate.metrics().sum("portcullis_tls_handshake_failures_total", &[("reason", "timeout")]);
        let before = timeouts();
        let late = client.showing(&session).connect_around(gate.address("tpp"), || {
            eventually("it is closed", || timeouts() > before);
        });
        let answer = late.and_then(|mut connection| connection.get("/"));
        assert!(answer.is_err(), "{version:?}: {answer:?}");
        assert_eq!(client.outcome(gate.address("tpp")), FULL, "{version:?}");
    }
}
