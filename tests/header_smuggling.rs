//! Nobody but the gate says who the client is. A backend believes the fields in which the gate hands the identity on, so a TPP sends
//! them itself: in odd case, with underscores, twice, nominated by `Connection` for removal, in trailers, with tabs, empty, endless,
//! in bytes that are no text, through HTTP/1.1 and h2 alike. The backend records what arrives. Whatever was tried, the client's
//! value is nowhere in it, the gate's own fields are there once and right, and what is none of the gate's business is unchanged.

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_test_harness::{
    Backend, Configuration, Gate, H2Client, H2Refusal, HOST, Received, Refusal, Site, TlsClient, eventually,
};
use portcullis_test_pki::{Credential, Role, Subject, TppCertificate};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

/// What the client would have the backend believe.
const FORGED: &str = "forged-7f3a";

/// Fields that a backend could believe, or that concern one connection only, and one that the configuration names.
const TAKEN_AWAY: &[&str] = &[
    "Client-Cert",
    "Client-Cert-Chain",
    "X-Forwarded-Client-Cert",
    "X-SSL-Client-Cert",
    "X-SSL-Client-Verify",
    "X-SSL-Client-S-DN",
    "X-SSL-Cipher",
    "SSL-Client-Cert",
    "SSL-Client-Verify",
    "SSL-Client-S-DN",
    "X-Client-Cert",
    "X-Client-Cert-DN",
    "X-Client-Certificate",
    "Portcullis-TPP-Authorisation",
    "Portcullis-TPP-Roles",
    "Portcullis-TPP-NCA",
    "Portcullis-TPP-Thumbprint",
    "Portcullis-TPP-Organisation",
    "Portcullis-Whatever-Comes-Next",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Real-IP",
    "X-Internal-User",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "HTTP2-Settings",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
];

const STRIP: &str = "strip = [\"x-internal-*\"]";

/// What the gate sets for a client with a certificate.
const SET: &[&str] = &[
    "client-cert",
    "client-cert-chain",
    "portcullis-tpp-authorisation",
    "portcullis-tpp-roles",
    "portcullis-tpp-nca",
    "portcullis-tpp-thumbprint",
    "portcullis-tpp-organisation",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
];

const ORDINARY: (&str, &str) = ("x-ordinary", "kept 41, \"as it is\"");

/// How an attempt must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The request is well formed, so the backend gets it.
    Passed,
    /// It is not, so the backend gets nothing.
    Refused,
    /// Either is right.
    Any,
}

type Field = (Vec<u8>, Vec<u8>);

struct Attempt {
    fields: Vec<Field>,
    end: End,
}

struct Scene {
    backend: Backend,
    gate: Gate,
    credential: Credential,
    client: TlsClient,
}

impl Scene {
    fn new(lines: &str) -> Self {
        let site = Site::new();
        let credential = site.tpp(&[Role::PspAi, Role::PspPi]);
        let backend = Backend::answering("served");
        let lines = format!("{STRIP}\n{lines}");
        let configuration = Configuration::passing_on(&[backend.address()], &lines);
        let gate = Gate::start(PORTCULLIS, &site, &configuration);
        let client = TlsClient::new(&site.bank).credential(&credential);
        Self { backend, gate, credential, client }
    }

    /// Sends the attempt and sees what the backend got.
    fn try_http1(&self, attempt: &Attempt) {
        let what = text(&attempt.fields);
        let mut request = format!("GET /v1/x HTTP/1.1\r\nHost: {HOST}\r\n").into_bytes();
        for (name, value) in all_fields(attempt) {
            request.extend([&name[..], b": ", &value, b"\r\n"].concat());
        }
        request.extend_from_slice(b"\r\n");
        let mut connection = self.client.connect(self.gate.address("tpp")).expect("a session");
        let status = match connection.request(&request) {
            Ok(response) => response.status,
            Err(Refusal::Closed) => 0,
            Err(refusal) => panic!("{what}: {refusal:?}"),
        };
        self.judge(&format!("http/1.1, {what}"), attempt, status);
    }

    fn try_h2(&self, attempt: &Attempt) {
        let what = text(&attempt.fields);
        let mut fields: Vec<Field> =
            [(":method", "GET"), (":scheme", "https"), (":authority", HOST), (":path", "/v1/x")]
                .map(|(name, value)| (name.into(), value.into()))
                .to_vec();
        fields.extend(all_fields(attempt));
        let fields: Vec<(&[u8], &[u8])> =
            fields.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        let mut connection = H2Client::connect(&self.client, self.gate.address("tpp")).expect("a session");
        let status = match connection.request(&fields) {
            Ok(response) => response.status,
            Err(H2Refusal::Reset(_) | H2Refusal::GoAway(_) | H2Refusal::Tls(Refusal::Closed)) => 0,
            Err(refusal) => panic!("{what}: {refusal:?}"),
        };
        self.judge(&format!("h2, {what}"), attempt, status);
    }

    fn judge(&self, what: &str, attempt: &Attempt, status: u16) {
        match attempt.end {
            End::Passed => assert_eq!(status, 200, "{what}"),
            End::Refused => assert!(matches!(status, 0 | 400..500), "{what}: {status}"),
            End::Any => assert!(matches!(status, 0 | 200 | 400..500), "{what}: {status}"),
        }
        if status == 200 {
            let received = self.backend.take_one();
            self.is_unforged(what, &received);
            let ordinary = received.value(ORDINARY.0);
            assert_eq!(ordinary.as_deref(), Some(ORDINARY.1), "{what}: an ordinary field is changed");
        } else {
            assert_eq!(
                self.backend.count(),
                0,
                "{what}: refused, and passed on: {:?}",
                self.backend.received()
            );
        }
        assert_eq!(self.backend.faults(), [""; 0], "{what}");
    }

    /// The client's value is nowhere, and what the gate sets is there once and right, under no second spelling of its name.
    fn is_unforged(&self, what: &str, received: &Received) {
        let head = String::from_utf8_lossy(&received.head);
        assert!(!received.contains(FORGED.as_bytes()), "{what}:\n{head}");
        let expected = self.expected();
        for name in SET {
            let values = by_canonical_name(received, name);
            let [value] = &values[..] else { panic!("{what}: {name} has {values:?}:\n{head}") };
            if let Some((_, right)) = expected.iter().find(|(known, _)| known == name) {
                assert_eq!(value, right, "{what}: {name}");
            }
        }
        for name in TAKEN_AWAY.iter().map(|name| name.to_lowercase()) {
            let values = by_canonical_name(received, &name);
            assert!(
                SET.contains(&name.as_str()) || values.is_empty(),
                "{what}: {name} is {values:?}:\n{head}"
            );
        }
        let nca = received.value("portcullis-tpp-nca").expect("it is there once");
        assert!(nca.contains("DE-BAFIN") && nca.contains("Bundesanstalt"), "{nca}");
        let forwarded = received.value("forwarded").expect("it is there once");
        for part in ["for=127.0.0.1", "proto=https", "host="] {
            assert!(forwarded.to_lowercase().contains(part), "{forwarded}");
        }
    }

    fn expected(&self) -> Vec<(&'static str, String)> {
        let pem = self.credential.chain_pem();
        let certificates: Vec<String> = pem
            .split("-----END CERTIFICATE-----")
            .filter_map(|part| part.split_once("-----BEGIN CERTIFICATE-----"))
            .map(|(_, base64)| format!(":{}:", base64.split_whitespace().collect::<String>()))
            .collect();
        let thumbprint = digest(&SHA256, self.credential.leaf_der());
        let thumbprint = thumbprint.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        vec![
            ("client-cert", certificates[0].clone()),
            ("client-cert-chain", certificates[1].clone()),
            ("portcullis-tpp-authorisation", "PSDDE-BAFIN-104114".to_owned()),
            ("portcullis-tpp-roles", "PSP_AI, PSP_PI".to_owned()),
            ("portcullis-tpp-thumbprint", thumbprint),
            ("portcullis-tpp-organisation", "\"Lindenblatt Kontodienst GmbH\"".to_owned()),
            ("x-forwarded-for", "127.0.0.1".to_owned()),
            ("x-forwarded-proto", "https".to_owned()),
            ("x-forwarded-host", HOST.to_owned()),
        ]
    }
}

/// Values of all fields whose name is this one to a reader that takes underscores for hyphens.
fn by_canonical_name(received: &Received, name: &str) -> Vec<String> {
    let fields = received.fields().into_iter().filter(|(known, _)| known.replace('_', "-") == name);
    fields.map(|(_, value)| String::from_utf8_lossy(&value).into_owned()).collect()
}

/// The attempt's fields between ordinary ones, of which one must come through.
fn all_fields(attempt: &Attempt) -> Vec<Field> {
    let mut fields = vec![(ORDINARY.0.into(), ORDINARY.1.into())];
    fields.extend(attempt.fields.iter().cloned());
    fields.push((b"accept".to_vec(), b"*/*".to_vec()));
    fields
}

fn text(fields: &[Field]) -> String {
    let field = |(name, value): &Field| {
        let value: String = String::from_utf8_lossy(value).chars().take(60).collect();
        format!("{:?}: {value:?}", String::from_utf8_lossy(name))
    };
    fields.iter().map(field).collect::<Vec<_>>().join(", ")
}

fn attempt(end: End, fields: &[(&str, &str)]) -> Attempt {
    let fields = fields.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    Attempt { fields: fields.collect(), end }
}

fn alternating(name: &str) -> String {
    let flip = |(at, char): (usize, char)| {
        if at % 2 == 0 { char.to_ascii_lowercase() } else { char.to_ascii_uppercase() }
    };
    name.chars().enumerate().map(flip).collect()
}

/// Every name in every spelling that HTTP/1.1 takes for it, or that a backend of CGI's descent does.
fn spellings() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for name in TAKEN_AWAY {
        let mut names = vec![(*name).to_owned(), name.to_lowercase(), name.to_uppercase(), alternating(name)];
        if name.contains('-') {
            names.extend([name.replace('-', "_"), name.replacen('-', "_", 1).to_lowercase()]);
            names.push(name.replace('-', "_").to_uppercase());
        }
        attempts.extend(names.iter().map(|name| attempt(End::Passed, &[(name, FORGED)])));
    }
    attempts
}

/// Well-formed requests with more than one spelling to them.
fn combinations() -> Vec<Attempt> {
    let long = FORGED.repeat(1500);
    let many: Vec<_> = (0..60).map(|_| ("Client-Cert", FORGED)).collect();
    let mut attempts = vec![
        attempt(End::Passed, &[("Client-Cert", FORGED), ("Client-Cert", FORGED)]),
        attempt(End::Passed, &[("Client-Cert", FORGED), ("client_cert", FORGED), ("CLIENT-CERT", "")]),
        attempt(End::Passed, &[("Portcullis-TPP-Roles", "PSP_AS"), ("portcullis_tpp_roles", FORGED)]),
        attempt(End::Passed, &[("portcullis-tpp-roles", FORGED), ("Portcullis-TPP-Authorisation", FORGED)]),
        attempt(End::Passed, &many),
        attempt(End::Passed, &[("Client-Cert", &long)]),
        attempt(End::Passed, &[("X-Forwarded-For", &long)]),
        attempt(End::Passed, &[("Client-Cert", "")]),
        attempt(End::Passed, &[("Portcullis-TPP-Roles", "")]),
        attempt(End::Passed, &[("X-Forwarded-For", ""), ("Forwarded", "")]),
        attempt(End::Passed, &[("Client-Cert", &format!("\t{FORGED}"))]),
        attempt(End::Passed, &[("Client-Cert", &format!("a\t{FORGED}"))]),
        attempt(End::Passed, &[("X-Forwarded-For", &format!("10.0.0.1, {FORGED}"))]),
        attempt(End::Passed, &[("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-For", FORGED)]),
        attempt(End::Passed, &[("Forwarded", &format!("for=1.2.3.4;proto=http;by={FORGED}"))]),
        attempt(End::Passed, &[("x-internal-", FORGED), ("X_Internal_Role", FORGED)]),
        attempt(End::Passed, &[("x-other", "a"), ("x-other", "b")]),
        attempt(End::Passed, &[("x-client", "c"), ("client-certs", "d")]),
    ];
    for name in ["Client-Cert", "portcullis-tpp-roles", "Portcullis_TPP_NCA"] {
        let value = [b"\xff\xfe\x80", FORGED.as_bytes()].concat();
        attempts.push(Attempt { fields: vec![(name.into(), value)], end: End::Passed });
    }
    attempts
}

/// `Connection` names fields for removal; it must reach neither the gate's own nor what frames and addresses the request.
fn nominations() -> Vec<Attempt> {
    let forged = ("Client-Cert", FORGED);
    vec![
        attempt(End::Passed, &[("Connection", "client-cert, portcullis-tpp-roles")]),
        attempt(End::Passed, &[("Connection", "Client-Cert"), forged]),
        attempt(End::Passed, &[("Connection", "CLIENT-CERT,CLIENT-CERT-CHAIN"), forged]),
        attempt(End::Passed, &[("Connection", "client_cert"), forged]),
        attempt(End::Passed, &[("Connection", "portcullis_tpp_roles, keep-alive"), ("Keep-Alive", FORGED)]),
        attempt(End::Passed, &[("Connection", "x-forwarded-for"), ("Connection", "forwarded")]),
        attempt(End::Passed, &[("Connection", "\tclient-cert\t,\tportcullis-tpp-nca")]),
        attempt(End::Passed, &[("Connection", ",, ,client-cert,,")]),
        attempt(End::Passed, &[("Connection", "keep-alive, X-Hop"), ("X-Hop", FORGED)]),
        attempt(End::Passed, &[("Connection", "x-hop"), ("X_HOP", "other"), ("x-HOP", FORGED)]),
        attempt(End::Passed, &[("X-Hop", FORGED), ("Connection", "close"), ("Connection", "x-hop")]),
        attempt(End::Any, &[("Content_Length", FORGED)]),
        attempt(End::Any, &[("CONTENT_LENGTH", FORGED), ("Transfer_Encoding", FORGED)]),
        attempt(End::Any, &[("Connection", "host")]),
        attempt(End::Any, &[("Connection", "host, x-forwarded-host")]),
        attempt(End::Any, &[("Connection", "content-length")]),
        attempt(End::Any, &[("Connection", "transfer-encoding")]),
        attempt(
            End::Any,
            &[("Connection", "upgrade, http2-settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", FORGED)],
        ),
        attempt(End::Any, &[("Connection", "upgrade"), ("Upgrade", FORGED)]),
        attempt(End::Any, &[("Connection", "\"client-cert\"")]),
        attempt(End::Any, &[("Expect", FORGED)]),
        attempt(End::Any, &[("Upgrade", FORGED)]),
        attempt(End::Any, &[("Trailer", FORGED)]),
    ]
}

/// Names and values that are none.
fn illegal() -> Vec<Attempt> {
    let names: &[&[u8]] = &[
        b"Client-Cert ",
        b"Client-Cert\t",
        b" Client-Cert",
        b"\tClient-Cert",
        b"Client-Cert\0",
        b"Client\0-Cert",
        b"Client Cert",
        b"Client-Cert\x0b",
        b"Client-Cert\x7f",
        b"Client-Cert\xa0",
        b"Client\xe2\x80\x90Cert",
        "S\u{17f}L-Client-Cert".as_bytes(),
        b"(Client-Cert",
        b"\"Client-Cert\"",
        b"Client/Cert",
        b"X-A\rClient-Cert",
        b"X-A\nClient-Cert",
        b"",
    ];
    let values: &[&str] = &[
        "a\r\n forged-7f3a",
        "a\rClient-Cert: forged-7f3a",
        "a\nClient-Cert: forged-7f3a",
        "a\0forged-7f3a",
        "a\x0bforged-7f3a",
        "a\x1fforged-7f3a",
        "a\x7fforged-7f3a",
    ];
    let names = names.iter().map(|name| (name.to_vec(), FORGED.into()));
    let values = values.iter().map(|value| (b"x-other".to_vec(), value.as_bytes().to_vec()));
    names.chain(values).map(|field| Attempt { fields: vec![field], end: End::Refused }).collect()
}

#[test]
fn no_spelling_of_http1_reaches_the_backend() {
    let scene = Scene::new("");
    let attempts: Vec<_> =
        [spellings(), combinations(), nominations(), illegal()].into_iter().flatten().collect();
    assert!(attempts.len() >= 60, "{}", attempts.len());
    for attempt in &attempts {
        scene.try_http1(attempt);
    }
    nothing_is_left(&scene);
}

#[test]
fn no_spelling_of_h2_reaches_the_backend() {
    let scene = Scene::new("");
    let is_lower = |name: &[u8]| !name.iter().any(u8::is_ascii_uppercase);
    // RFC 9113 8.2.2 forbids these whatever they say.
    let hops = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"];
    let mut attempts: Vec<_> =
        [spellings(), combinations(), nominations(), illegal()].into_iter().flatten().collect();
    for attempt in &mut attempts {
        let malformed = attempt
            .fields
            .iter()
            .any(|(name, _)| !is_lower(name) || hops.iter().any(|hop| name == hop.as_bytes()));
        if malformed {
            attempt.end = End::Refused;
        }
    }
    // The same names as h2 has them.
    for attempt in [spellings(), combinations(), illegal()].into_iter().flatten() {
        let fields: Vec<Field> =
            attempt.fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let is_hop = fields.iter().any(|(name, _)| hops.iter().any(|hop| name == hop.as_bytes()));
        attempts.push(Attempt { fields, end: if is_hop { End::Refused } else { attempt.end } });
    }
    attempts.extend([
        attempt(End::Refused, &[("client-cert:", FORGED)]),
        attempt(End::Refused, &[("x: y\r\nclient-cert", FORGED)]),
        attempt(End::Refused, &[("x-a", "b\r\nclient-cert: forged-7f3a")]),
        attempt(End::Refused, &[(":client-cert", FORGED)]),
        attempt(End::Refused, &[(":path", "/forged-7f3a")]),
        attempt(End::Refused, &[(":authority", FORGED)]),
        attempt(End::Refused, &[("transfer-encoding", "chunked")]),
        attempt(End::Refused, &[("host", FORGED)]),
        attempt(End::Refused, &[("content-length", "11")]),
    ]);
    for attempt in &attempts {
        scene.try_h2(attempt);
    }
    nothing_is_left(&scene);
}

/// Pseudo-fields become a request line in front of the backend: what would end it there must not get that far.
#[test]
fn a_pseudo_field_of_h2_makes_no_second_line() {
    let scene = Scene::new("");
    let line: &[u8] = b" HTTP/1.1\r\nclient-cert: forged-7f3a\r\nx: ";
    let ordinary: [(&[u8], &[u8]); 4] = [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", HOST.as_bytes()),
        (b":path", b"/v1/x"),
    ];
    for at in 0..ordinary.len() {
        let value = [ordinary[at].1, line].concat();
        let mut fields = ordinary;
        fields[at].1 = &value;
        let mut connection = H2Client::connect(&scene.client, scene.gate.address("tpp")).expect("a session");
        let answer = connection.request(&fields);
        assert!(!answer.is_ok_and(|answer| answer.status == 200), "{:?}", fields[at]);
        assert_eq!(scene.backend.count(), 0, "{:?} passed on: {:?}", fields[at], scene.backend.received());
    }
}

/// Fields behind a body, where they are not passed on, and where they are.
#[test]
fn trailers_smuggle_nothing() {
    for lines in ["", "trailers = true"] {
        let scene = Scene::new(lines);
        for name in TAKEN_AWAY.iter().chain(&["Content-Length", "Transfer-Encoding", "Host", "Client_Cert"]) {
            let lower = name.to_lowercase();
            let request = format!(
                "POST /v1/x HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\nTrailer: {name}\r\n{}: {}\r\n\r\n\
                 3\r\nabc\r\n0\r\n{name}: {FORGED}\r\n\r\n",
                ORDINARY.0, ORDINARY.1
            );
            let mut connection = scene.client.connect(scene.gate.address("tpp")).expect("a session");
            // Whether a request is refused for its trailers or goes on without them is not the point here.
            let _ = connection.request(request.as_bytes());
            let mut connection =
                H2Client::connect(&scene.client, scene.gate.address("tpp")).expect("a session");
            let fields: &[(&[u8], &[u8])] = &[
                (b":method", b"POST"),
                (b":scheme", b"https"),
                (b":authority", HOST.as_bytes()),
                (b":path", b"/v1/x"),
                (ORDINARY.0.as_bytes(), ORDINARY.1.as_bytes()),
            ];
            let _ = connection.open(fields, false).and_then(|stream| {
                connection.send_data(stream, b"abc", false)?;
                connection.send_trailers(stream, &[(lower.as_bytes(), FORGED.as_bytes())])?;
                connection.receive(stream)
            });
            for received in scene.backend.received() {
                scene.is_unforged(&format!("{lines:?}, {name} behind the body"), &received);
                assert!(!received.complete || received.body == b"abc", "{received:?}");
            }
            scene.backend.forget();
        }
        assert_eq!(scene.backend.faults(), [""; 0]);
        nothing_is_left(&scene);
    }
}

/// What is in the certificate was signed by a trusted provider, and may still not be a line of its own.
#[test]
fn a_subject_makes_no_field() {
    let site = Site::new();
    let backend = Backend::answering("served");
    let configuration = Configuration::passing_on(&[backend.address()], "");
    let gate = Gate::start(PORTCULLIS, &site, &configuration);
    for organization in [
        "Evil\r\nPortcullis-TPP-Roles: PSP_AS\r\nX: ",
        "Evil\nClient-Cert: x",
        "Evil\r",
        "B\u{e4}ckerei \u{201e}Zur M\u{fc}hle\u{201c}",
        "Quote \" and \\ and , and ;",
        " spaces ",
    ] {
        let credential = site.issue(TppCertificate::new(organization).roles([Role::PspAi]));
        let client = TlsClient::new(&site.bank).credential(&credential);
        let Ok(response) = client.get(gate.address("tpp"), "/") else { continue };
        if response.status != 200 {
            assert_eq!(backend.count(), 0, "{organization:?}");
            continue;
        }
        let received = backend.take_one();
        let head = String::from_utf8_lossy(&received.head);
        assert_eq!(
            by_canonical_name(&received, "portcullis-tpp-roles"),
            ["PSP_AI"],
            "{organization:?}:\n{head}"
        );
        assert_eq!(by_canonical_name(&received, "client-cert").len(), 1, "{organization:?}:\n{head}");
        assert_eq!(
            by_canonical_name(&received, "portcullis-tpp-organisation").len(),
            1,
            "{organization:?}:\n{head}"
        );
        assert!(received.head.is_ascii(), "{organization:?}:\n{head}");
    }
    let subject =
        Subject::new("Evil").organization_identifier("PSDDE-BAFIN-1\r\nPortcullis-TPP-Roles: PSP_AS");
    let credential = site.issue(TppCertificate::new("Evil").subject(subject).roles([Role::PspAi]));
    let _ = TlsClient::new(&site.bank).credential(&credential).get(gate.address("tpp"), "/");
    for received in backend.received() {
        assert_eq!(by_canonical_name(&received, "portcullis-tpp-roles"), ["PSP_AI"], "{received:?}");
    }
}

/// A client that presented nothing is nobody, whatever it says.
#[test]
fn who_has_no_certificate_has_no_identity() {
    let site = Site::new();
    let backend = Backend::answering("served");
    let configuration = Configuration::passing_on(&[backend.address()], STRIP)
        .client_auth("mode = \"optional\"\nprofile = \"x509\"\nanchors = [\"qtsp.pem\"]")
        .routes("[[route]]\npath = \"/\"\nupstream = \"bank\"");
    let gate = Gate::start(PORTCULLIS, &site, &configuration);
    let client = TlsClient::new(&site.bank);
    let forged: String = TAKEN_AWAY.iter().map(|name| format!("{name}: {FORGED}\r\n")).collect();
    let request = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{forged}\r\n");
    let mut connection = client.connect(gate.address("tpp")).expect("a session");
    assert_eq!(connection.request(request.as_bytes()).expect("an answer").status, 200);
    let received = backend.take_one();
    assert!(!received.contains(FORGED.as_bytes()), "{received:?}");
    for name in SET.iter().filter(|name| name.starts_with("portcullis") || name.starts_with("client")) {
        assert_eq!(by_canonical_name(&received, name), [""; 0], "{name}");
    }
}

#[test]
fn a_client_that_sends_no_chain_has_none_handed_on() {
    let scene = Scene::new("");
    // The path is complete without it only if the gate knows the issuer, so this client is refused or passed on without one.
    let client = scene.client.clone().credential(&scene.credential.clone().without_intermediates());
    let _ = client.get(scene.gate.address("tpp"), "/");
    for received in scene.backend.received() {
        assert_eq!(received.values("client-cert-chain"), [""; 0]);
    }
}

/// What is the client's own goes through byte by byte; cookies, which h2 may send one by one, are one field again (RFC 9113 8.2.3).
#[test]
fn what_is_the_clients_own_is_unchanged() {
    let scene = Scene::new("");
    let own: &[(&[u8], &[u8])] = &[
        (b"x-request-id", b"99391c7e-ad88-49ec-a2ad-99ddcb1f7721"),
        (b"authorization", b"Bearer abc.def-ghi_jkl~mno+pqr/=="),
        (b"psu-ip-address", b"192.168.8.78"),
        (b"digest", b"SHA-256=hl1/Eps8BEQW58FJhDApwJXjGY4nr1ArGDHIT25vq6A="),
        (b"x-obs", b"caf\xe9 \xff\x80"),
        (b"x-tab", b"a\tb  c"),
        (b"x-empty", b""),
        (b"x-twice", b"one"),
        (b"x-twice", b"two"),
        (b"x_underscore", b"kept"),
        (b"client-certainty", b"kept"),
        (b"x-ssl", b"kept"),
        (b"accept", b"application/json, */*;q=0.1"),
        (b"user-agent", b"tpp/1.0 (test)"),
    ];
    let mut http1 =
        b"GET /v1/x?a=%2F&b=;c HTTP/1.1\r\nHost: TPP.bank.Example\r\nCookie: a=1; b=2\r\n".to_vec();
    let mut h2: Vec<(&[u8], &[u8])> = vec![
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", b"TPP.bank.Example"),
        (b":path", b"/v1/x?a=%2F&b=;c"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
    ];
    for (name, value) in own {
        http1.extend([name, &b": "[..], value, b"\r\n"].concat());
        h2.push((name, value));
    }
    http1.extend_from_slice(b"\r\n");
    let address = scene.gate.address("tpp");
    let answer = scene.client.connect(address).expect("a session").request(&http1).expect("an answer");
    assert_eq!(answer.status, 200);
    let by_http1 = scene.backend.take_one();
    let answer =
        H2Client::connect(&scene.client, address).expect("a session").request(&h2).expect("an answer");
    assert_eq!(answer.status, 200);
    let by_h2 = scene.backend.take_one();
    for received in [by_http1, by_h2] {
        assert_eq!(received.line(), "GET /v1/x?a=%2F&b=;c HTTP/1.1");
        assert_eq!(received.values("host"), [HOST]);
        assert_eq!(received.values("cookie"), ["a=1; b=2"]);
        let fields = received.fields();
        for (name, value) in own {
            let values: Vec<_> = fields
                .iter()
                .filter(|(known, _)| known.as_bytes() == *name)
                .map(|(_, value)| &value[..])
                .collect();
            let wanted: Vec<_> =
                own.iter().filter(|(known, _)| known == name).map(|(_, value)| *value).collect();
            assert_eq!(values, wanted, "{:?}: {value:?}", String::from_utf8_lossy(name));
        }
    }
}

fn nothing_is_left(scene: &Scene) {
    eventually("no connection is left open", || {
        scene.gate.metrics().sum("portcullis_connections", &[]) == 0.0
    });
}
