//! The same boundaries at servers of others. A client is let in somewhere, is given a ticket, and brings it to where it would be
//! refused without one: whether it is refused with it is what is asked here. The gate refuses it always. With
//! `PORTCULLIS_TEST_PRODUCTS="nginx haproxy envoy=/path/of/envoy"` the same is asked of these, and answered by a table;
//! `docs/resumption-comparison.md` has one.

use std::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

use portcullis_test_harness::{
    HOST, KeptSession, Outcome, Product, Refusal, RunningProduct, ServedListener, ServedName, Service, Site,
    Version, WireClient, available, eventually, skipped,
};
use portcullis_test_pki::revocation::RevocationList;
use portcullis_test_pki::{Authority, Credential, Role, TppCertificate, Validity};

const OTHER: &str = "other.bank.example";
const ONE: &str = "one";
const TWO: &str = "two";
/// Far longer than a case takes.
const LONG_S: u32 = 3600;
const SHORT_S: u32 = 3;
/// How often a ticket is brought where it should not count: a server that reloads has two minds for a while.
const ATTEMPTS: usize = 5;

/// What became of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// It did not help: its client was refused as without it.
    Refused,
    /// There was none to bring.
    NotGiven,
    /// It was not even good at home.
    NotResumed,
    /// Its client was let in where it would have been refused.
    LetIn,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::NotGiven => "no ticket",
            Self::NotResumed => "not resumed",
            Self::LetIn => "**let in**",
        })
    }
}

/// A boundary, and who tries to cross it.
struct Case {
    what: &'static str,
    before: Service,
    /// Where a reload changes something.
    after: Option<Service>,
    /// Listener and host where the ticket is made, and those where it is brought.
    home: (&'static str, &'static str),
    there: (&'static str, &'static str),
    client: Client,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    /// With a certificate of the first CA.
    Known,
    /// With one of the second.
    Foreign,
    /// With one of the first that ends in some seconds.
    Ending,
    /// With none.
    Nobody,
}

/// A name where certificates of the first CA are required.
const STRICT: ServedName =
    ServedName { host: HOST, certificate: "server", anchors: "qtsp.pem", is_required: true, crl: None };
/// The other name, of whose clients the second CA is asked.
const FOREIGN: ServedName =
    ServedName { host: OTHER, certificate: "other", anchors: "foreign.pem", ..STRICT };

fn service(listeners: &[(&'static str, &[ServedName])]) -> Service {
    let listener =
        |(name, names): &(&'static str, &[ServedName])| ServedListener { name, names: names.to_vec() };
    Service { listeners: listeners.iter().map(listener).collect(), max_age_s: LONG_S }
}

fn cases() -> Vec<Case> {
    let strict = service(&[(ONE, &[STRICT])]);
    let lax = service(&[(ONE, &[ServedName { is_required: false, ..STRICT }])]);
    let names = service(&[(ONE, &[STRICT, FOREIGN])]);
    let with_crl = |file| service(&[(ONE, &[ServedName { crl: Some(file), ..STRICT }])]);
    let home = (ONE, HOST);
    let case = |what, before: &Service, there, client| {
        let before = before.clone();
        Case { what, before, after: None, home, there, client }
    };
    let reload = |what, before: &Service, after: &Service, client| Case {
        after: Some(after.clone()),
        ..case(what, before, home, client)
    };
    let lax_other = ServedName { is_required: false, anchors: "qtsp.pem", ..FOREIGN };
    vec![
        case("a name that believes another CA", &names, (ONE, OTHER), Client::Known),
        Case {
            home: (ONE, OTHER),
            ..case("from there to the listener's first name", &names, home, Client::Foreign)
        },
        case(
            "a listener that believes another CA",
            &service(&[
                (ONE, &[STRICT]),
                (TWO, &[ServedName { host: HOST, certificate: "server", ..FOREIGN }]),
            ]),
            (TWO, HOST),
            Client::Known,
        ),
        Case {
            home: (ONE, OTHER),
            ..case(
                "nobody, from a name where certificates are optional to one where they are required",
                &service(&[(ONE, &[STRICT, lax_other])]),
                home,
                Client::Nobody,
            )
        },
        reload("nobody, when they became required by a reload", &lax, &strict, Client::Nobody),
        reload(
            "its CA removed by a reload",
            &strict,
            &service(&[(ONE, &[ServedName { anchors: "foreign.pem", ..STRICT }])]),
            Client::Known,
        ),
        reload(
            "its certificate revoked since (CRL)",
            &with_crl("empty"),
            &with_crl("revoking"),
            Client::Known,
        ),
        case("its certificate expired since", &strict, home, Client::Ending),
    ]
}

/// What cases need of a directory.
struct Scene {
    site: Site,
    known: Credential,
    foreign: Credential,
}

impl Scene {
    fn new() -> Self {
        let site = Site::new();
        let authority = Authority::foreign().expect("an authority");
        site.write("foreign.pem", &authority.root_pem());
        site.write("issuing.pem", &site.qtsp.issuing_pem());
        site.serve("other", &[OTHER]);
        let tpp = || TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
        let (known, foreign) = (site.issue(tpp()), tpp().issue(&authority).expect("a certificate"));
        let list = |number| RevocationList::of(&site.qtsp).number(number);
        let root = RevocationList::of_root(&site.qtsp).der().expect("a list");
        for (name, list) in [("empty", list(1)), ("revoking", list(2).revoked(known.leaf_der(), Some(1)))] {
            let list = list.der().expect("a list");
            let pem = pem(&site, &list) + &pem(&site, &root);
            site.write(&format!("{name}.pem"), &pem);
            std::fs::write(site.path(&format!("{name}.der")), list).expect("a file");
        }
        Self { site, known, foreign }
    }

    fn client(&self, client: Client, version: Version) -> WireClient {
        let wire = WireClient::new(version);
        match client {
            Client::Known => wire.credential(&self.known),
            Client::Foreign => wire.credential(&self.foreign),
            Client::Ending => {
                let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
                wire.credential(&self.site.issue(tpp.validity(Validity::around_now(-60, 6))))
            }
            Client::Nobody => wire,
        }
    }
}

/// A CRL as PEM.
fn pem(site: &Site, der: &[u8]) -> String {
    let file = site.path("list.der");
    std::fs::write(&file, der).expect("a file");
    let output = Command::new("openssl").args(["crl", "-inform", "DER", "-in"]).arg(file).output();
    let output = output.expect("openssl is there");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("PEM is ASCII")
}

/// Connects and asks; the answer's status, whether it was resumed, and the newest session.
fn visit(client: &WireClient, running: &RunningProduct, listener: &str) -> (Outcome, Option<KeptSession>) {
    let visited = client.connect(running.address(listener)).and_then(|mut connection| {
        let status = connection.get("/")?.status;
        let outcome = if connection.was_resumed() { Outcome::Resumed(status) } else { Outcome::Full(status) };
        Ok((outcome, connection.sessions().last().cloned()))
    });
    visited.unwrap_or_else(|refusal| (Outcome::Refused(refusal), None))
}

fn is_let_in(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Full(200) | Outcome::Resumed(200))
}

/// Refused by the server, and not since it was not there: an alert can be lost where a request is already on its way.
fn is_refused(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Full(status) | Outcome::Resumed(status) => *status >= 400,
        Outcome::Refused(refusal) => matches!(refusal, Refusal::Alert(_) | Refusal::Closed),
    }
}

fn run(product: &Product, case: &Case, version: Version) -> Found {
    let scene = Scene::new();
    let running = product.start(&scene.site, &case.before);
    let client = scene.client(case.client, version);
    let (home, there) = (client.clone().server_name(case.home.1), client.server_name(case.there.1));
    let mut kept = None;
    eventually(&format!("{product}, {version:?}, {}: the client is let in at home", case.what), || {
        let (outcome, session) = visit(&home, &running, case.home.0);
        kept = session;
        outcome == Outcome::Full(200)
    });
    let Some(session) = kept else { return Found::NotGiven };
    if visit(&home.showing(&session), &running, case.home.0).0 != Outcome::Resumed(200) {
        return Found::NotResumed;
    }
    if let Some(after) = &case.after {
        running.reload(after);
    }
    let mut refusals = 0;
    eventually(&format!("{product}, {version:?}, {}: a newcomer is refused", case.what), || {
        // More than once: a server that reloads may have two minds.
        refusals = if is_refused(&visit(&there, &running, case.there.0).0) { refusals + 1 } else { 0 };
        refusals == ATTEMPTS
    });
    let attempts = (0..ATTEMPTS).map(|_| visit(&there.showing(&session), &running, case.there.0).0);
    if attempts.into_iter().any(|outcome| is_let_in(&outcome)) { Found::LetIn } else { Found::Refused }
}

/// Whether tickets that are renewed again and again lead past the age that is set.
fn renewed(product: &Product, version: Version) -> Found {
    let scene = Scene::new();
    let service = Service { max_age_s: SHORT_S, ..service(&[(ONE, &[STRICT])]) };
    let running = product.start(&scene.site, &service);
    let client = scene.client(Client::Known, version);
    let mut kept = None;
    eventually("the client is let in", || {
        let (outcome, session) = visit(&client, &running, ONE);
        kept = session;
        outcome == Outcome::Full(200)
    });
    let Some(mut session) = kept else { return Found::NotGiven };
    let (begin, mut is_first) = (Instant::now(), true);
    // Twice the age, in case one server counts a second more than another.
    while begin.elapsed() < Duration::from_secs(u64::from(2 * SHORT_S)) {
        let (outcome, next) = visit(&client.showing(&session), &running, ONE);
        if outcome != Outcome::Resumed(200) {
            return if is_first { Found::NotResumed } else { Found::Refused };
        }
        (session, is_first) = (next.unwrap_or(session), false);
        std::thread::sleep(Duration::from_millis(200));
    }
    Found::LetIn
}

/// All cases, each with what was found in TLS 1.2 and 1.3.
fn run_all(product: &Product) -> Vec<(&'static str, [Found; 2])> {
    let mut rows: Vec<_> =
        cases().iter().map(|case| (case.what, in_both(|version| run(product, case, version)))).collect();
    let renewed = in_both(|version| renewed(product, version));
    rows.push(("older than its age, renewed again and again", renewed));
    rows
}

/// Both versions at once: some cases wait for seconds to pass.
fn in_both(run: impl Fn(Version) -> Found + Sync) -> [Found; 2] {
    let run = &run;
    std::thread::scope(|scope| {
        let threads = Version::BOTH.map(|version| scope.spawn(move || run(version)));
        threads.map(|thread| thread.join().expect("its panic is told already"))
    })
}

#[test]
fn the_gate_refuses_at_each_boundary() {
    if !available("openssl", "version") {
        return;
    }
    let gate = Product::Portcullis(env!("CARGO_BIN_EXE_portcullis").into());
    for (what, found) in run_all(&gate) {
        // Nobody is given no ticket, which is as good.
        let expected = if what.starts_with("nobody") { Found::NotGiven } else { Found::Refused };
        assert_eq!(found, [expected; 2], "{what}");
    }
}

#[test]
fn others_are_as_they_are() {
    let Ok(wanted) = std::env::var("PORTCULLIS_TEST_PRODUCTS") else {
        skipped("PORTCULLIS_TEST_PRODUCTS names no server");
        return;
    };
    let gate = Product::Portcullis(env!("CARGO_BIN_EXE_portcullis").into());
    let mut products = vec![gate];
    for word in wanted.split_whitespace() {
        products
            .push(Product::parse(word).unwrap_or_else(|| panic!("{word} is none of nginx, haproxy, envoy")));
    }
    let versions: Vec<_> = products
        .iter()
        .map(|product| product.version().unwrap_or_else(|| panic!("{product} is not there")))
        .collect();
    let columns: Vec<_> = products.iter().map(run_all).collect();
    let mut table = format!("| | {} |\n|---|{}\n", versions.join(" | "), "---|".repeat(versions.len()));
    for (row, (what, _)) in columns[0].iter().enumerate() {
        let cell = |column: &Vec<(&str, [Found; 2])>| match column[row].1 {
            [one, two] if one == two => one.to_string(),
            [one, two] => format!("1.2: {one}; 1.3: {two}"),
        };
        let cells: Vec<_> = columns.iter().map(cell).collect();
        table += &format!("| {what} | {} |\n", cells.join(" | "));
    }
    eprintln!("{table}");
}
