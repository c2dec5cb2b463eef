//! Who is given a ticket: a client that was let in by its certificate, one for each handshake. Not who has no certificate, not who
//! was refused, in whatever way it was told, and nobody where tickets are off, where none is taken either.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, Outcome, Refusal, Site, TlsClient, Version, WireClient,
    WireConnection, eventually,
};
use portcullis_test_pki::{Authority, Role, TppCertificate, Validity};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const LISTENER: &str = "name = \"tpp\"\naddress = \"127.0.0.1:0\"";
const FULL: Outcome = Outcome::Full(200);
const RESUMED: Outcome = Outcome::Resumed(200);

/// A connection that was answered with this status, behind whatever tickets there are.
fn answered(gate: &Gate, client: &WireClient, status: u16) -> WireConnection {
    let mut connection = client.connect(gate.address("tpp")).expect("a handshake");
    assert_eq!(connection.get("/").expect("an answer").status, status);
    connection
}

/// Neither a ticket nor, in TLS 1.2, a session id; TLS 1.3 gives back the client's own.
fn is_given_nothing(version: Version, connection: &WireConnection) -> bool {
    connection.sessions().is_empty() && (version == Version::Tls13 || connection.session_id().is_empty())
}

fn handshakes(gate: &Gate, kind: &str) -> f64 {
    gate.metrics().sum("portcullis_tls_handshakes_total", &[("kind", kind)])
}

fn tickets(gate: &Gate, result: &str) -> f64 {
    gate.metrics().sum("portcullis_tickets_total", &[("result", result)])
}

#[test]
fn each_handshake_gives_one() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let tpp = site.tpp(&[Role::PspAi]);
    for version in Version::BOTH {
        let client = WireClient::new(version).credential(&tpp);
        let before = ["full", "resumed"].map(|kind| handshakes(&gate, kind));
        let issued = tickets(&gate, "issued");
        let full = answered(&gate, &client, 200);
        let resumed = answered(&gate, &client.offering(full.sessions()), 200);
        assert_eq!([full.was_resumed(), resumed.was_resumed()], [false, true], "{version:?}");
        assert_eq!([full.sessions().len(), resumed.sessions().len()], [1, 1], "{version:?}");
        assert_ne!(full.sessions()[0].ticket, resumed.sessions()[0].ticket, "{version:?}");
        let resumed_again = client.offering(resumed.sessions());
        assert_eq!(resumed_again.outcome(gate.address("tpp")), RESUMED, "{version:?}");
        let after = ["full", "resumed"].map(|kind| handshakes(&gate, kind));
        assert_eq!([after[0] - before[0], after[1] - before[1]], [1.0, 2.0], "{version:?}");
        assert_eq!(tickets(&gate, "issued") - issued, 3.0, "{version:?}");
    }
    assert_eq!(tickets(&gate, "opened"), 4.0);
}

#[test]
fn a_client_of_others_resumes() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let tpp = site.tpp(&[Role::PspAi]);
    for version in Version::BOTH {
        let client = TlsClient::new(&site.bank).credential(&tpp).version(version).resuming();
        let resumed = [(); 3].map(|()| {
            let mut connection = client.connect(gate.address("tpp")).expect("a session");
            assert_eq!(connection.get("/").expect("an answer").status, 200);
            connection.was_resumed()
        });
        assert_eq!(resumed, [false, true, true], "{version:?}");
    }
}

#[test]
fn where_they_are_off_none_is_given_and_none_taken() {
    let site = Site::new();
    let path = site.write("ticket.keys", &format!("current {}\n", "5a".repeat(32)));
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).expect("our own file");
    let listener = |resumption: &str| {
        let lines = format!("{LISTENER}\nresumption = \"{resumption}\"");
        Configuration::default().listener(&lines).and("[resumption]\nkey_file = \"ticket.keys\"")
    };
    let on = Gate::start(PORTCULLIS, &site, &listener("tickets"));
    let off = Gate::start(PORTCULLIS, &site, &listener("off"));
    let tpp = site.tpp(&[Role::PspAi]);
    for version in Version::BOTH {
        let client = WireClient::new(version).credential(&tpp);
        let offering = client.offering(&[client.session(on.address("tpp"))]);
        assert_eq!(offering.outcome(on.address("tpp")), RESUMED, "{version:?}");
        let connection = answered(&off, &client, 200);
        assert!(is_given_nothing(version, &connection), "{version:?}");
        assert_eq!(offering.outcome(off.address("tpp")), FULL, "{version:?}");
        // And by a reload.
        on.rewrite(&listener("off").to_toml());
        on.reload();
        eventually("none is given any more", || answered(&on, &client, 200).sessions().is_empty());
        assert_eq!(offering.outcome(on.address("tpp")), FULL, "{version:?}");
        on.rewrite(&listener("tickets").to_toml());
        on.reload();
        eventually("they are given again", || !answered(&on, &client, 200).sessions().is_empty());
        assert_eq!(offering.outcome(on.address("tpp")), RESUMED, "{version:?}");
    }
    assert_eq!((tickets(&off, "issued"), tickets(&off, "opened")), (0.0, 0.0));
}

#[test]
fn who_has_no_certificate_gets_none() {
    let site = Site::new();
    for mode in ["mode = \"optional\"\nprofile = \"x509\"\nanchors = [\"qtsp.pem\"]", "mode = \"off\""] {
        let gate = Gate::start(PORTCULLIS, &site, &Configuration::default().client_auth(mode));
        for version in Version::BOTH {
            let nobody = answered(&gate, &WireClient::new(version), 200);
            assert!(is_given_nothing(version, &nobody), "{version:?}, {mode}");
        }
        assert_eq!(tickets(&gate, "issued"), 0.0, "{mode}");
        if mode.contains("optional") {
            let tpp = site.tpp(&[Role::PspAi]);
            for version in Version::BOTH {
                let client = WireClient::new(version).credential(&tpp);
                assert_eq!(answered(&gate, &client, 200).sessions().len(), 1, "{version:?}");
            }
        }
    }
}

#[test]
fn who_is_refused_by_an_alert_gets_none() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    let tpp = || TppCertificate::new("Hafenkontor Handels GmbH");
    let foreign = tpp().issue(&Authority::foreign().expect("an authority")).expect("a certificate");
    let expired = site.issue(tpp().roles([Role::PspAi]).validity(Validity::expired()));
    let cases = [
        (site.issue(tpp()), AlertDescription::AccessDenied),
        (foreign, AlertDescription::UnknownCA),
        (expired, AlertDescription::CertificateExpired),
    ];
    for (credential, alert) in &cases {
        for version in Version::BOTH {
            let client = WireClient::new(version).credential(credential);
            // Of TLS 1.2 the handshake does not end; of TLS 1.3 the end is all that comes.
            match client.connect(gate.address("tpp")) {
                Ok(mut connection) => {
                    assert_eq!(connection.end(), Refusal::Alert(*alert), "{version:?}");
                    assert!(connection.sessions().is_empty(), "{version:?}");
                }
                Err(refusal) => assert_eq!(refusal, Refusal::Alert(*alert), "{version:?}"),
            }
        }
    }
    assert_eq!(tickets(&gate, "issued"), 0.0);
    let client = WireClient::new(Version::Tls13).credential(&site.tpp(&[Role::PspAi]));
    assert_eq!(answered(&gate, &client, 200).sessions().len(), 1, "who is let in does");
}

#[test]
fn who_is_refused_by_http_gets_none() {
    let site = Site::new();
    let rules = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\nrefusals = \"http\"";
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2().client_auth(rules));
    let roleless = site.issue(TppCertificate::new("Hafenkontor Handels GmbH"));
    for version in Version::BOTH {
        let client = WireClient::new(version).credential(&roleless);
        assert!(answered(&gate, &client, 403).sessions().is_empty(), "{version:?}");
    }
    assert_eq!(tickets(&gate, "issued"), 0.0);
    let client = WireClient::new(Version::Tls13).credential(&site.tpp(&[Role::PspAi]));
    assert_eq!(answered(&gate, &client, 200).sessions().len(), 1, "who is let in does");
}
