//! What a client may make of tickets: flip each octet, cut them, lengthen them, invent them, take another's, show many at once, show
//! one of TLS 1.2 in TLS 1.3, or a session id in place of a ticket. None of it resumes, none of it is an error, and whoever does it is
//! judged in the full handshake, by the certificate that is there. What a ticket says is who holds its secret, not who read along.

use std::net::SocketAddr;

use portcullis_test_harness::{
    AlertDescription, Backend, Configuration, Gate, KeptSession, Outcome, Refusal, Site, Version, WireClient,
    eventually,
};
use portcullis_test_pki::{Credential, Role};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const ECHO: &str = "[[route]]\npath = \"/\"\nrespond = { status = 200, echo = \"identity\" }";
const FULL: Outcome = Outcome::Full(200);
const RESUMED: Outcome = Outcome::Resumed(200);
/// Version, key id, domain tag and nonce; what follows is sealed.
const HEAD: usize = 1 + 8 + 8 + 12;
/// How many identities are looked at.
const IDENTITIES_MAX: usize = 4;

struct Scene {
    site: Site,
    gate: Gate,
    address: SocketAddr,
    tpp: Credential,
}

impl Scene {
    fn new() -> Self {
        let site = Site::new();
        let gate = Gate::start(PORTCULLIS, &site, &Configuration::default().routes(ECHO));
        let (address, tpp) = (gate.address("tpp"), site.tpp(&[Role::PspAi]));
        Self { site, gate, address, tpp }
    }

    fn client(&self, version: Version) -> WireClient {
        WireClient::new(version).credential(&self.tpp)
    }

    /// A client with a session, which resumes.
    fn visitor(&self, version: Version) -> (WireClient, KeptSession) {
        let client = self.client(version);
        let session = client.session(self.address);
        self.assert_resumes(&client, &session);
        (client, session)
    }

    fn assert_resumes(&self, client: &WireClient, session: &KeptSession) {
        assert_eq!(client.showing(session).outcome(self.address), RESUMED);
    }

    /// No ticket of these is so much as taken up.
    fn assert_none_is_taken_up(
        &self,
        (client, session): &(WireClient, KeptSession),
        tickets: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) {
        for (what, ticket) in tickets {
            let taken = client.offering(&[session.with_ticket(&ticket)]).is_taken_up(self.address);
            assert_eq!(taken, Ok(false), "{:?}, {what}", session.version);
        }
    }

    fn counted(&self, result: &str) -> f64 {
        self.gate.metrics().sum("portcullis_tickets_total", &[("result", result)])
    }

    /// Whether a client is resumed, and by which certificate the gate knows it.
    fn known_as(&self, client: &WireClient) -> (bool, String) {
        let mut connection = client.connect(self.address).expect("a session");
        let answer = connection.get("/").expect("an answer");
        let thumbprint = answer.json()["thumbprint_sha256"].as_str().expect("a certificate").to_owned();
        (connection.was_resumed(), thumbprint)
    }

    fn thumbprint(&self, credential: &Credential) -> String {
        self.known_as(&WireClient::new(Version::Tls13).credential(credential)).1
    }
}

#[test]
fn no_octet_can_be_altered() {
    let scene = Scene::new();
    for version in Version::BOTH {
        let visitor = scene.visitor(version);
        let ticket = &visitor.1.ticket;
        let flipped = |at: usize, bit: usize| {
            let mut ticket = ticket.clone();
            ticket[at] ^= 1 << bit;
            (format!("octet {at}, bit {bit}"), ticket)
        };
        // Every bit of what stands in the clear, and one of every octet behind it, another one each time.
        scene.assert_none_is_taken_up(&visitor, (0..HEAD * 8).map(|bit| flipped(bit / 8, bit % 8)));
        scene.assert_none_is_taken_up(&visitor, (HEAD..ticket.len()).map(|at| flipped(at, at % 8)));
        scene.assert_resumes(&visitor.0, &visitor.1);
        // And the handshake goes on as if nothing had been offered.
        for at in [0, 1, 9, 17, HEAD, ticket.len() / 2, ticket.len() - 1] {
            let forged = visitor.1.with_ticket(&flipped(at, 0).1);
            assert_eq!(visitor.0.showing(&forged).outcome(scene.address), FULL, "{version:?}, {at}");
        }
    }
    assert!(scene.counted("damaged") > 0.0 && scene.counted("key_unknown") > 0.0);
    assert!(scene.counted("other_domain") > 0.0);
    eventually("no handshake is left in flight", || {
        scene.gate.metrics().sum("portcullis_tls_handshakes_in_flight", &[]) == 0.0
    });
}

#[test]
fn no_ticket_can_be_cut_or_lengthened() {
    let scene = Scene::new();
    for version in Version::BOTH {
        let visitor = scene.visitor(version);
        let ticket = &visitor.1.ticket;
        // An identity is an octet at least (RFC 8446 4.2.11); a ticket of TLS 1.2 may be empty.
        let shortest = usize::from(version == Version::Tls13);
        let cut =
            (shortest..ticket.len()).map(|length| (format!("{length} octets"), ticket[..length].to_vec()));
        scene.assert_none_is_taken_up(&visitor, cut);
        let longer = [1, 2, 16, 1000]
            .map(|more| (format!("{more} octets more"), [&ticket[..], &vec![0; more]].concat()));
        scene.assert_none_is_taken_up(&visitor, longer);
        let doubled = [ticket.clone(), ticket.clone()].concat();
        let from_behind = ticket[1..].to_vec();
        let odd = [("twice".to_owned(), doubled), ("without the first octet".to_owned(), from_behind)];
        scene.assert_none_is_taken_up(&visitor, odd);
        scene.assert_resumes(&visitor.0, &visitor.1);
    }
}

#[test]
fn an_empty_identity_ends_the_handshake_and_nothing_else() {
    let scene = Scene::new();
    let visitor = scene.visitor(Version::Tls13);
    let empty = visitor.0.offering(&[visitor.1.with_ticket(b"")]).outcome(scene.address);
    assert!(matches!(empty, Outcome::Refused(_) | Outcome::Full(200)), "{empty:?}");
    scene.assert_resumes(&visitor.0, &visitor.1);
}

#[test]
fn no_ticket_can_be_invented() {
    let scene = Scene::new();
    // The largest that a hello has room for: extensions are 64 KiB together.
    for version in Version::BOTH {
        let visitor = scene.visitor(version);
        let ticket = &visitor.1.ticket;
        for length in [1, HEAD, HEAD + 16, ticket.len(), 4096, 16_384, 65_000] {
            let noise: Vec<u8> = (0..length)
                .map(|at| u8::try_from((at * 167 + at / 256 * 13 + 89) % 251).expect("below 251"))
                .collect();
            // Behind a head that is ours, too.
            let headed = [&ticket[..HEAD.min(length)], &noise[HEAD.min(length)..]].concat();
            for forged in [noise, headed] {
                let offering = visitor.0.offering(&[visitor.1.with_ticket(&forged)]);
                assert_eq!(offering.outcome(scene.address), FULL, "{version:?}, {length} octets");
            }
        }
        scene.assert_resumes(&visitor.0, &visitor.1);
    }
}

#[test]
fn a_ticket_that_was_read_along_is_worth_nothing() {
    let scene = Scene::new();
    let other = scene.site.tpp(&[Role::PspPi]);
    for version in Version::BOTH {
        let (client, session) = scene.visitor(version);
        let thief = client.clone().credential(&other);
        let own = thief.session(scene.address);
        // With a secret of one's own, with none to speak of, and from somebody without a certificate.
        let made_up = KeptSession::new(version, vec![0; session.secret.len()], session.ticket.clone());
        for stolen in [session.with_secret_of(&own), made_up] {
            for client in [thief.showing(&stolen), thief.showing(&stolen).without_credential()] {
                let outcome = client.outcome(scene.address);
                assert!(matches!(outcome, Outcome::Refused(_)), "{version:?}: {outcome:?}");
            }
        }
        scene.assert_resumes(&client, &session);
        scene.assert_resumes(&thief, &own);
    }
}

#[test]
fn without_a_certificate_a_bad_ticket_is_no_certificate() {
    let scene = Scene::new();
    for version in Version::BOTH {
        let (client, session) = scene.visitor(version);
        let nobody = client.clone().without_credential();
        let mut altered = session.clone();
        *altered.ticket.last_mut().expect("an octet") ^= 1;
        let refusal = nobody.showing(&altered).refusal(scene.address);
        assert_eq!(refusal, Refusal::Alert(AlertDescription::CertificateRequired), "{version:?}");
        // The secret is what proves who comes; the holder need not have the certificate at hand.
        scene.assert_resumes(&nobody, &session);
    }
}

#[test]
fn of_several_identities_the_first_good_one_says_who_comes() {
    let scene = Scene::new();
    let [first, second, third] = [Role::PspAi, Role::PspPi, Role::PspIc].map(|role| scene.site.tpp(&[role]));
    let client = scene.client(Version::Tls13).credential(&third);
    let session = |credential: &Credential| client.clone().credential(credential).session(scene.address);
    let [one, two] = [session(&first), session(&second)];
    let known_as = |sessions: &[KeptSession]| scene.known_as(&client.offering(sessions));
    let [first, second, third] = [&first, &second, &third].map(|credential| scene.thumbprint(credential));
    let mut altered = one.clone();
    altered.ticket[HEAD] ^= 1;
    assert_eq!(known_as(&[one.clone(), two.clone()]), (true, first.clone()));
    assert_eq!(known_as(&[two.clone(), one.clone()]), (true, second.clone()));
    assert_eq!(known_as(&[altered.clone(), two.clone(), one.clone()]), (true, second.clone()));
    assert_eq!(known_as(&[two.clone(), altered.clone()]), (true, second.clone()));
    // Opened, and yet not resumed: it is of the other version.
    let old = WireClient::new(Version::Tls12);
    let old = old.credential(&scene.tpp).session(scene.address);
    assert_eq!(known_as(&[old.clone(), two.clone()]), (true, second));
    assert_eq!(known_as(&[old.clone(), altered]), (false, third.clone()));
    // What was opened on the way has no part in the ticket that follows.
    let behind = client.showing(&old).session(scene.address);
    assert_eq!(known_as(&[behind]), (true, third));
}

#[test]
fn a_ticket_for_another_name_first_stands_in_nobodys_way() {
    let site = Site::new();
    site.serve("other", &["other.bank.example"]);
    let certificate = |file: &str, more: &str| {
        format!("[[listener.certificate]]\nchain = \"{file}.pem\"\nkey = \"{file}.key\"\n{more}\n")
    };
    let tables = [certificate("server", "default = true"), certificate("other", "")].concat();
    let configuration = Configuration::default().certificates(&tables);
    let gate = Gate::start(PORTCULLIS, &site, &configuration);
    let address = gate.address("tpp");
    let here = WireClient::new(Version::Tls13).credential(&site.tpp(&[Role::PspAi]));
    let there = here.clone().server_name("other.bank.example");
    let (at_home, elsewhere) = (here.session(address), there.session(address));
    for sessions in [[elsewhere.clone(), at_home.clone()], [at_home.clone(), elsewhere.clone()]] {
        assert_eq!(here.offering(&sessions).outcome(address), RESUMED);
        assert_eq!(there.offering(&sessions).outcome(address), RESUMED);
    }
    assert_eq!(here.showing(&elsewhere).outcome(address), FULL);
}

#[test]
fn so_many_identities_are_looked_at_and_no_more() {
    let scene = Scene::new();
    let (client, session) = scene.visitor(Version::Tls13);
    let among = |before: usize, behind: usize| {
        let bad = |at: usize| {
            let mut ticket = session.ticket.clone();
            ticket[HEAD + at] ^= 1;
            session.with_ticket(&ticket)
        };
        let sessions: Vec<_> =
            (0..before).map(bad).chain([session.clone()]).chain((0..behind).map(bad)).collect();
        client.offering(&sessions).outcome(scene.address)
    };
    for before in 0..IDENTITIES_MAX {
        assert_eq!(among(before, 0), RESUMED, "behind {before}");
    }
    assert_eq!(scene.counted("too_many"), 0.0);
    assert_eq!(among(0, 12), RESUMED, "what comes behind is not looked at");
    let before = scene.counted("too_many");
    for count in [IDENTITIES_MAX, IDENTITIES_MAX + 1, 12] {
        assert_eq!(among(count, 0), FULL, "behind {count}");
    }
    assert!(scene.counted("too_many") >= before + 3.0);
}

#[test]
fn a_hello_that_is_asked_for_again_offers_what_it_did() {
    let scene = Scene::new();
    let (client, session) = scene.visitor(Version::Tls13);
    let other = scene.site.tpp(&[Role::PspPi]);
    let second = client.clone().credential(&other).session(scene.address);
    let (first, other) = (scene.thumbprint(&scene.tpp), scene.thumbprint(&other));
    let bad = |at: usize| {
        let mut ticket = session.ticket.clone();
        ticket[HEAD + at] ^= 1;
        session.with_ticket(&ticket)
    };
    let newcomer = client.clone().asked_again();
    assert_eq!(scene.known_as(&newcomer), (false, first.clone()));
    let known_as = |sessions: &[KeptSession]| scene.known_as(&newcomer.offering(sessions));
    assert_eq!(known_as(std::slice::from_ref(&session)), (true, first.clone()));
    assert_eq!(known_as(&[second.clone(), session.clone()]), (true, other.clone()));
    assert_eq!(known_as(&[bad(0), second.clone(), session.clone()]), (true, other.clone()));
    // The first hello takes nothing from what is looked at of the second, and adds nothing to it.
    let behind = |count: usize| (0..count).map(bad).chain([second.clone()]).collect::<Vec<_>>();
    assert_eq!(known_as(&behind(IDENTITIES_MAX - 1)), (true, other.clone()));
    assert_eq!(known_as(&behind(IDENTITIES_MAX)), (false, first));
    // What follows goes back to the session that was resumed.
    let renewed = newcomer.offering(&[bad(0), second]).session(scene.address);
    assert_eq!(known_as(&[renewed]), (true, other));
    // A secret that is not the ticket's binds the second hello no better than a first.
    let stolen = newcomer.showing(&session.with_secret_of(&client.session(scene.address)));
    assert!(matches!(stolen.outcome(scene.address), Outcome::Refused(_)));
}

#[test]
fn a_session_id_is_no_way_to_resume() {
    let scene = Scene::new();
    let (client, session) = scene.visitor(Version::Tls12);
    let silent = client.clone().without_ticket_extension();
    let mut connection = silent.connect(scene.address).expect("a session");
    assert_eq!(connection.get("/").expect("an answer").status, 200);
    assert!(connection.sessions().is_empty(), "no ticket for who did not ask");
    assert!(connection.session_id().is_empty(), "and no session id");
    let mut ticketed = client.connect(scene.address).expect("a session");
    assert_eq!(ticketed.get("/").expect("an answer").status, 200);
    for id in [&[7; 32][..], ticketed.session_id()] {
        let outcome = silent.showing(&session).session_id(id).outcome(scene.address);
        assert_eq!(outcome, FULL, "{id:?}");
    }
    scene.assert_resumes(&client, &session);
}

#[test]
fn a_ticket_of_one_version_is_none_in_the_other() {
    let scene = Scene::new();
    for (made, shown) in [(Version::Tls12, Version::Tls13), (Version::Tls13, Version::Tls12)] {
        let (client, session) = scene.visitor(made);
        let other = scene.client(shown);
        assert_eq!(other.showing(&session).outcome(scene.address), FULL, "{made:?}");
        let nobody = other.without_credential().showing(&session);
        let refusal = nobody.refusal(scene.address);
        assert_eq!(refusal, Refusal::Alert(AlertDescription::CertificateRequired), "{made:?}");
        scene.assert_resumes(&client, &session);
    }
}

#[test]
fn early_data_is_never_read() {
    let site = Site::new();
    let backend = Backend::answering("ok");
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::passing_on(&[backend.address()], ""));
    let address = gate.address("tpp");
    let client = WireClient::new(Version::Tls13).credential(&site.tpp(&[Role::PspAi]));
    let session = client.session(address);
    assert!(!session.allows_early_data);
    let early = client.showing(&session);
    let early = early.early_data(b"GET /early HTTP/1.1\r\nHost: tpp.bank.example\r\n\r\n");
    // Whether the rest of the connection is forgiven is not what matters.
    let _ = early.outcome_of(address, "/behind");
    let nothing = client.showing(&session).early_data(b"");
    assert_eq!(nothing.outcome_of(address, "/asked"), Outcome::Resumed(200), "it may ask");
    assert_eq!(client.showing(&session).outcome_of(address, "/last"), Outcome::Resumed(200));
    let targets: Vec<_> = backend.received().iter().map(|request| request.target()).collect();
    assert!(!targets.contains(&"/early".to_owned()), "{targets:?}");
    assert_eq!(targets.last().map(String::as_str), Some("/last"));
}
