//! Who is resumed is judged like anybody else, by what holds now. A certificate that was good when its ticket was made, and has been
//! revoked, has expired, or has lost its provider, its authorisation or its rule since, is refused with its ticket as without; and a
//! connection that stands on a ticket is closed for the same reasons as any other. What a resumed client may do, and what servers
//! hear of it, is what stands in its certificate.

use std::sync::{Arc, Mutex};

use portcullis_test_harness::{
    AlertDescription, Backend, Configuration, Gate, H2Client, HOST, KeptSession, Next, Outcome, Received,
    Refusal, Site, TlsClient, Version, WireClient, eventually,
};
use portcullis_test_pki::revocation::{OcspAnswer, RevocationList};
use portcullis_test_pki::trusted_list::{ListSigner, State, TrustedList};
use portcullis_test_pki::{Credential, QcStatements, Role, TppCertificate, Validity, oid};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\n";
const FULL: Outcome = Outcome::Full(200);
const RESUMED: Outcome = Outcome::Resumed(200);

fn tpp() -> TppCertificate {
    TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi])
}

fn client(version: Version, credential: &Credential) -> WireClient {
    WireClient::new(version).credential(credential)
}

/// A client of each version with a session of its own, which resumes.
fn at_home(gate: &Gate, credential: &Credential) -> [WireClient; 2] {
    let address = gate.address("tpp");
    Version::BOTH.map(|version| {
        let client = client(version, credential);
        let offering = client.showing(&client.session(address));
        assert_eq!(offering.outcome(address), RESUMED, "{version:?}");
        offering
    })
}

/// Waits until a client without a session is refused, and sees that its sessions do it no good.
fn refused_since(gate: &Gate, clients: &[WireClient; 2], alert: AlertDescription) {
    let address = gate.address("tpp");
    for client in clients {
        let newcomer = client.offering(&[]);
        eventually("a newcomer is refused", || matches!(newcomer.outcome(address), Outcome::Refused(_)));
        assert_eq!(client.refusal(address), Refusal::Alert(alert), "{client:?}");
    }
}

/// Waits until a client without a session is admitted again, and sees that its sessions of before resume.
fn admitted_again(gate: &Gate, clients: &[WireClient; 2], what: &str) {
    let address = gate.address("tpp");
    for client in clients {
        eventually(what, || client.offering(&[]).outcome(address) == FULL);
        assert_eq!(client.outcome(address), RESUMED, "{client:?}: {what}");
    }
}

/// A server of one answer at a time.
struct Answers {
    backend: Backend,
    now: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Answers {
    /// Says nothing to anybody at first.
    fn start() -> Self {
        let now: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
        let answering = Arc::clone(&now);
        let backend = Backend::start(move |exchange| {
            exchange.read_body()?;
            let answer = answering.lock().expect("a lock").clone();
            match answer {
                Some(body) => exchange.answer(200, &body)?,
                None => exchange.answer(503, b"")?,
            }
            Ok(Next::Close)
        });
        Self { backend, now }
    }

    fn turn_to(&self, answer: Vec<u8>) {
        *self.now.lock().expect("a lock") = Some(answer);
    }

    fn turn_silent(&self) {
        *self.now.lock().expect("a lock") = None;
    }

    fn url(&self) -> String {
        format!("http://{}/", self.backend.address())
    }

    /// A gate's configuration that asks this server.
    fn configuration(&self, more: &str) -> Configuration {
        let host = self.backend.address();
        Configuration::psd2().and(&format!(
            "[revocation]\ncache = \"revocation\"\nprivate_hosts = [\"{host}\"]\nrefresh_interval = \"1s\"\n{more}\n"
        ))
    }
}

fn good(tpp: &Credential, site: &Site) -> Vec<u8> {
    OcspAnswer::about(tpp.leaf_der(), &site.qtsp).der().expect("an answer")
}

fn revoked(tpp: &Credential, site: &Site) -> Vec<u8> {
    OcspAnswer::about(tpp.leaf_der(), &site.qtsp).revoked().der().expect("an answer")
}

#[test]
fn revoked_by_ocsp_since() {
    let site = Site::new();
    let responder = Answers::start();
    let tpp = site.issue(tpp().ocsp_responder(&responder.url()));
    responder.turn_to(good(&tpp, &site));
    let gate = Gate::start(PORTCULLIS, &site, &responder.configuration(""));
    eventually("the answer is there", || client(Version::Tls13, &tpp).outcome(gate.address("tpp")) == FULL);
    let clients = at_home(&gate, &tpp);
    // Connections that stand on a ticket live, and are cut off like others.
    let mut living = clients.each_ref().map(|client| {
        let mut connection = client.connect(gate.address("tpp")).expect("a connection");
        assert_eq!(connection.get("/").expect("an answer").status, 200);
        assert!(connection.was_resumed());
        connection
    });
    responder.turn_to(revoked(&tpp, &site));
    for connection in &mut living {
        assert_eq!(connection.end(), Refusal::Closed);
    }
    refused_since(&gate, &clients, AlertDescription::CertificateRevoked);
    let refused = || gate.metrics().sum("portcullis_tickets_total", &[("result", "refused")]);
    eventually("the tickets are counted", || refused() >= 2.0);
}

#[test]
fn revoked_by_a_list_since_and_nobody_else() {
    let site = Site::new();
    let lists = Answers::start();
    let [stolen, kept] = [(); 2].map(|()| site.issue(tpp().crl_distribution_point(&lists.url())));
    let list = |number| RevocationList::of(&site.qtsp).number(number);
    lists.turn_to(list(1).der().expect("a list"));
    let gate = Gate::start(PORTCULLIS, &site, &lists.configuration(""));
    let address = gate.address("tpp");
    for credential in [&stolen, &kept] {
        eventually("the list is there", || client(Version::Tls13, credential).outcome(address) == FULL);
    }
    let (clients, others) = (at_home(&gate, &stolen), at_home(&gate, &kept));
    lists.turn_to(list(2).revoked(stolen.leaf_der(), Some(1)).der().expect("a list"));
    refused_since(&gate, &clients, AlertDescription::CertificateRevoked);
    for client in &others {
        assert_eq!(client.outcome(address), RESUMED, "{client:?}");
    }
}

/// A gate with the same keys that has not yet heard of the certificate holds back what a ticket asks for, as it does with anybody.
#[test]
fn unknown_since_a_restart_and_waited_for() {
    let site = Site::new();
    let responder = Answers::start();
    let tpp = site.issue(tpp().ocsp_responder(&responder.url()));
    responder.turn_to(good(&tpp, &site));
    key_file(&site);
    let waiting = "on_unknown = \"wait\"\nwait_ms_max = 1000\n[resumption]\nkey_file = \"ticket.keys\"";
    let configuration = responder.configuration(waiting);
    let gate = Gate::start(PORTCULLIS, &site, &configuration);
    eventually("the answer is there", || client(Version::Tls13, &tpp).outcome(gate.address("tpp")) == FULL);
    let clients = at_home(&gate, &tpp);
    drop(gate);
    std::fs::remove_dir_all(site.path("revocation")).expect("a folder");
    responder.turn_silent();
    let gate = Gate::start(PORTCULLIS, &site, &configuration);
    let address = gate.address("tpp");
    for client in &clients {
        let mut connection = client.connect(address).expect("a handshake");
        let answer = connection.get("/").expect("an answer");
        assert_eq!(answer.status, 403, "{client:?}");
        assert!(answer.text().contains("revocation.unknown"), "{}", answer.text());
        // If it was given a ticket meanwhile, that one is no better.
        let again = client.offering(connection.sessions()).outcome(address);
        assert!(matches!(again, Outcome::Full(403) | Outcome::Resumed(403)), "{again:?}");
    }
    responder.turn_to(good(&tpp, &site));
    admitted_again(&gate, &clients, "the answer is there");
}

fn key_file(site: &Site) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = site.write("ticket.keys", &format!("current {}\n", "5a".repeat(32)));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("our own file");
}

#[test]
fn expired_since() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    let short = site.issue(tpp().validity(Validity::around_now(-60, 8)));
    let clients = at_home(&gate, &short);
    let mut living = clients[1].connect(gate.address("tpp")).expect("a connection");
    assert_eq!(living.get("/").expect("an answer").status, 200);
    assert_eq!(living.end(), Refusal::Closed);
    refused_since(&gate, &clients, AlertDescription::CertificateExpired);
}

#[test]
fn the_provider_was_withdrawn_from_its_list_since() {
    let site = Site::new();
    let signers = ["Commission", "Spain"].map(|name| ListSigner::new(name, 2020..2030).expect("a signer"));
    let [commission, spain] = &signers;
    let put = |name: &str, text: &str| {
        let temporary = site.write("temporary", text);
        std::fs::rename(temporary, site.path("lists").join(name)).expect("a file in its place");
    };
    let publish = |sequence, status| {
        let long_ago = State::for_web("granted", "2018-01-01T00:00:00Z");
        let states = [State::for_web(status, "2025-01-01T00:00:00Z"), long_ago];
        let list = TrustedList::new("ES", sequence).service(site.qtsp.issuing_der(), states);
        put("es.xml", &list.sign(spain).expect("signed"));
    };
    std::fs::create_dir(site.path("lists")).expect("a folder");
    site.write("journal.pem", &commission.certificate_pem());
    let lotl = TrustedList::new("EU", 1).pointer("ES", "https://lists.test/es.xml", &[spain]);
    put("eu.xml", &lotl.sign(commission).expect("signed"));
    publish(11, "granted");
    let trust = "[trust]\nfolder = \"lists\"\nsigners = [\"journal.pem\"]\nrefresh_interval = \"1s\"\nrequired = [\"ES\"]";
    let rules = "mode = \"required\"\nprofile = \"psd2\"\ntrusted_lists = true\n";
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2().client_auth(rules).and(trust));
    let clients = at_home(&gate, &site.tpp(&[Role::PspAi]));
    publish(12, "withdrawn");
    refused_since(&gate, &clients, AlertDescription::AccessDenied);
    publish(13, "granted");
    // What was refreshed is not in a ticket.
    admitted_again(&gate, &clients, "it is believed again");
}

#[test]
fn the_register_withdrew_its_authorisation_since() {
    let site = Site::new();
    let put = |withdrawn: &str| {
        let header = "authority,number,authorised,withdrawn,roles,countries";
        site.write("providers.csv", &format!("{header}\nDE-BAFIN,1,2018-07-02,{withdrawn},PSP_AI,\n"));
    };
    put("");
    let register = "[register]\ntables = [\"providers.csv\"]\nrefresh_interval = \"1s\"";
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2().and(register));
    let clients = at_home(&gate, &site.issue(tpp().organization_identifier("PSDDE-BAFIN-1")));
    put("2020-01-31");
    refused_since(&gate, &clients, AlertDescription::AccessDenied);
    put("");
    admitted_again(&gate, &clients, "it is authorised again");
}

#[test]
fn a_rule_was_made_stricter_since() {
    let site = Site::new();
    let severities = |row: &str| {
        Configuration::psd2().client_auth(&format!("{RULES}[listener.client_auth.severities]\n{row}"))
    };
    let lax = severities("\"qc.not-qualified\" = \"warn\"");
    let gate = Gate::start(PORTCULLIS, &site, &lax);
    let unqualified = tpp().qc_statements(QcStatements::qwac().without(oid::QC_COMPLIANCE));
    let clients = at_home(&gate, &site.issue(unqualified));
    gate.rewrite(&severities("").to_toml());
    gate.reload();
    refused_since(&gate, &clients, AlertDescription::AccessDenied);
    gate.rewrite(&lax.to_toml());
    gate.reload();
    admitted_again(&gate, &clients, "the rule is lax again");
}

#[test]
fn who_is_told_by_http_is_told_with_a_ticket_too() {
    let site = Site::new();
    let put = |withdrawn: &str| {
        let header = "authority,number,authorised,withdrawn,roles,countries";
        site.write("providers.csv", &format!("{header}\nDE-BAFIN,1,2018-07-02,{withdrawn},PSP_AI,\n"));
    };
    put("");
    let register = "[register]\ntables = [\"providers.csv\"]\nrefresh_interval = \"1s\"";
    let by_http = Configuration::psd2().client_auth(&format!("{RULES}refusals = \"http\"")).and(register);
    let gate = Gate::start(PORTCULLIS, &site, &by_http);
    let address = gate.address("tpp");
    let clients = at_home(&gate, &site.issue(tpp().organization_identifier("PSDDE-BAFIN-1")));
    put("2020-01-31");
    for client in &clients {
        let newcomer = client.offering(&[]);
        eventually("a newcomer is told", || newcomer.outcome(address) == Outcome::Full(403));
        let mut connection = client.connect(address).expect("a handshake");
        let answer = connection.get("/").expect("an answer");
        assert_eq!((answer.status, connection.was_resumed()), (403, false), "{client:?}");
        assert!(answer.text().contains("register.withdrawn"), "{}", answer.text());
        assert!(connection.sessions().is_empty(), "{client:?}");
    }
}

#[test]
fn a_role_opens_its_own_resource_to_a_resumed_client_too() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    let address = gate.address("tpp");
    let held: [&[Role]; 3] = [&[Role::PspAi], &[Role::PspPi], &[Role::PspAi, Role::PspPi]];
    for roles in held {
        for client in at_home(&gate, &site.tpp(roles)) {
            for (path, role) in [("/v1/accounts", Role::PspAi), ("/v1/payments", Role::PspPi)] {
                let status = if roles.contains(&role) { 200 } else { 403 };
                let outcome = client.outcome_of(address, path);
                assert_eq!(outcome, Outcome::Resumed(status), "{roles:?} {path}");
            }
        }
    }
}

/// What a server heard of the client, in order.
fn identity(received: &Received) -> Vec<(String, Vec<u8>)> {
    let is_of_client = |name: &str| name.starts_with("client-cert") || name.starts_with("portcullis-tpp-");
    received.fields().into_iter().filter(|(name, _)| is_of_client(name)).collect()
}

#[test]
fn servers_hear_of_a_resumed_client_what_they_heard_before() {
    let site = Site::new();
    let backend = Backend::answering("ok");
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::passing_on(&[backend.address()], ""));
    let address = gate.address("tpp");
    let (own, other) = (site.tpp(&[Role::PspAi]), site.tpp(&[Role::PspAi, Role::PspPi]));
    for credential in [&own, &other] {
        for version in Version::BOTH {
            let client = client(version, credential);
            let sessions: [KeptSession; 1] = [client.session(address)];
            let full = identity(backend.received().last().expect("a request"));
            // Another certificate at hand, or none, changes nothing: it is not asked for.
            let others =
                [client.clone(), client.clone().credential(&own), client.clone().without_credential()];
            for client in others {
                assert_eq!(client.offering(&sessions).outcome(address), RESUMED, "{version:?}");
                let resumed = identity(backend.received().last().expect("a request"));
                assert_eq!(resumed, full, "{version:?}");
            }
            assert!(full.iter().any(|(name, _)| name == "client-cert"), "{full:?}");
        }
    }
}

#[test]
fn and_by_http2_as_well() {
    let site = Site::new();
    let backend = Backend::answering("ok");
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::passing_on(&[backend.address()], ""));
    let tpp = site.tpp(&[Role::PspAi]);
    for version in Version::BOTH {
        let client = TlsClient::new(&site.bank).credential(&tpp).version(version).alpn(&["h2"]).resuming();
        let identities = [false, true].map(|is_resumed| {
            let mut h2 = H2Client::connect(&client, gate.address("tpp")).expect("a session");
            assert_eq!(h2.get(HOST.as_bytes(), b"/").expect("an answer").status, 200);
            assert_eq!(h2.into_connection().was_resumed(), is_resumed, "{version:?}");
            identity(backend.received().last().expect("a request"))
        });
        assert!(!identities[0].is_empty());
        assert_eq!(identities[0], identities[1], "{version:?}");
    }
}
