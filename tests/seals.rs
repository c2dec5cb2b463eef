//! Sealed requests on routes: one that its own organisation sealed reaches the backend once, whole and unchanged, however long it is and however
//! it comes; one of which a byte is not what was sealed never does, and the answer says why; what is long waits on disk and not in memory.

use std::{
    cell::Cell,
    fs,
    sync::{Arc, Mutex},
};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use portcullis_seal::{Algorithm, RequestHead, Sealer};
use portcullis_test_harness::{
    Backend, Configuration, Gate, H2Client, H2Response, Next, Received, Response, Site, TlsClient,
    eventually, h2_request,
};
use portcullis_test_pki::qc_statements::qc_type;
use portcullis_test_pki::revocation::OcspAnswer;
use portcullis_test_pki::{Authority, Credential, QcStatements, Role, TppCertificate, oid};
use serde_json::Value;
use time::{Duration, OffsetDateTime, macros::format_description};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const SEAL: &str = "[seal.tpp]\nanchors = [\"seals.pem\"]\nmemory_max = \"64k\"\nbody_max = \"24m\"";
const SEALED_ANSWERS: &str = "answer_key = \"bank-seal.key\"\nanswer_certificate = \"bank-seal.pem\"";
const BODY: &[u8] = br#"{"amount":"1.00","creditor":"DE02100100109307118603"}"#;
const ORGANISATION: &str = "PSDES-BE-1";

fn tpp(identifier: &str) -> TppCertificate {
    TppCertificate::new("Lindenblatt Kontodienst GmbH")
        .roles([Role::PspAi])
        .organization_identifier(identifier)
}

/// A certificate for seals (EN 319 412-3).
fn seal(identifier: &str) -> TppCertificate {
    let statements = QcStatements::qwac().set(oid::QC_TYPE, Some(&qc_type(&[oid::QCT_ESEAL])));
    let policy: &[u64] = &[0, 4, 0, 194_112, 1, 3];
    let seal = TppCertificate::new("Lindenblatt Kontodienst GmbH").qc_statements(statements);
    let seal = seal.roles([Role::PspAi]).organization_identifier(identifier).policies([policy]);
    seal.extended_key_usages([]).names(Vec::<String>::new())
}

/// A site with a gate before a backend.
struct Bank {
    site: Site,
    backend: Backend,
    client: Credential,
    seal: Credential,
}

/// What is asked.
#[derive(Clone)]
struct Message {
    path: &'static str,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Bank {
    fn new() -> Self {
        let site = Site::new();
        site.write("seals.pem", &site.qtsp.issuing_pem());
        fs::create_dir(site.path("spool")).expect("a directory");
        let (client, seal) = (site.issue(tpp(ORGANISATION)), site.issue(seal(ORGANISATION)));
        Self { site, backend: Backend::echoing(), client, seal }
    }

    fn gate(&self, seal: &str) -> Gate {
        self.gate_on("auto", seal)
    }

    fn gate_on(&self, io: &str, seal: &str) -> Gate {
        let route = |path: &str, signature: &str, action: &str| {
            format!("[[route]]\npath = \"{path}\"\nsignature = \"{signature}\"\n{action}\n")
        };
        let routes = [
            route("/payments", "required", "upstream = \"bank\""),
            route("/optional", "optional", "upstream = \"bank\""),
            route("/own", "required", "respond = { body = \"own\" }"),
            "[[route]]\npath = \"/open\"\nupstream = \"bank\"\n".to_owned(),
        ];
        let spool = self.site.path("spool");
        let configuration = Configuration::psd2()
            .runtime(&format!("shards = 1\nio = \"{io}\"\nspool_dir = \"{}\"", spool.display()))
            .client_auth(
                "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\nrevocation = false",
            )
            .routes(&routes.concat())
            .and(&format!("{}\n{seal}", Configuration::upstream("bank", &[self.backend.address()], "")));
        Gate::start(PORTCULLIS, &self.site, &configuration)
    }

    fn tls(&self) -> TlsClient {
        TlsClient::new(&self.site.bank).credential(&self.client)
    }

    /// Sealed so many seconds ago.
    fn sealed(&self, request_id: &str, age_s: i64, body: &[u8]) -> Message {
        sealed_by(&self.seal, ("/payments", request_id), age_s, body)
    }

    fn sealed_by_rfc9421(&self, request_id: &str, target: &'static str, body: &[u8]) -> Message {
        let (path, query) = target.split_once('?').expect("a query");
        let fields: [(&str, &[u8]); 1] = [("x-request-id", request_id.as_bytes())];
        let (authority, scheme) = ("localhost", "https");
        let head =
            RequestHead { method: "POST", scheme, authority, path, query: Some(query), fields: &fields };
        let now_s = OffsetDateTime::now_utc().unix_timestamp();
        let seal = sealer(&self.seal).message_signature(&head, body, now_s).expect("a seal");
        let own = [("x-request-id".to_owned(), request_id.to_owned())];
        let seal = seal.into_iter().map(|(name, value)| (name.to_owned(), value));
        Message { path: target, fields: own.into_iter().chain(seal).collect(), body: body.to_vec() }
    }

    /// Bytes that wait on disk.
    fn spooled(&self, gate: &Gate) -> u64 {
        let folder = self.site.path("spool");
        let descriptors =
            fs::read_dir(format!("/proc/{}/fd", gate.process().pid())).expect("the gate is there");
        let paths = descriptors.filter_map(|entry| Some(entry.ok()?.path()));
        let files = paths.filter(|path| fs::read_link(path).is_ok_and(|target| target.starts_with(&folder)));
        files.filter_map(|path| Some(fs::metadata(path).ok()?.len())).sum()
    }

    fn ask(&self, gate: &Gate, message: &Message) -> (u16, String) {
        told(&self.response(gate, message))
    }

    fn ask_by_h2(&self, gate: &Gate, message: &Message) -> H2Response {
        let mut h2 = H2Client::connect(&self.tls(), gate.address("tpp")).expect("a connection");
        let mut fields = h2_request("POST", message.path);
        fields.extend(message.fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        let stream = h2.open(&fields, false).expect("a stream");
        h2.send_data(stream, &message.body, true).expect("room");
        h2.receive(stream).expect("an answer")
    }

    fn response(&self, gate: &Gate, message: &Message) -> Response {
        let mut connection = self.tls().connect(gate.address("tpp")).expect("a connection");
        connection.request(&message.http1()).expect("an answer")
    }
}

fn sealer(credential: &Credential) -> Sealer {
    let (key, algorithm) = (credential.key(), Algorithm::EcdsaP256Sha256);
    Sealer::from_pkcs8(key.secret_der(), credential.leaf_der(), algorithm).expect("a key to seal with")
}

fn sealed_by(
    credential: &Credential,
    (path, request_id): (&'static str, &str),
    age_s: i64,
    body: &[u8],
) -> Message {
    let form = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let date = (OffsetDateTime::now_utc() - Duration::seconds(age_s)).format(form).expect("a date");
    let fields: [(&str, &[u8]); 2] = [("x-request-id", request_id.as_bytes()), ("date", date.as_bytes())];
    let head = RequestHead {
        method: "POST",
        scheme: "https",
        authority: "localhost",
        path,
        query: None,
        fields: &fields,
    };
    let seal = sealer(credential).berlin_group(&head, body).expect("a seal");
    let own = [("x-request-id".to_owned(), request_id.to_owned()), ("date".to_owned(), date)];
    let seal = seal.into_iter().map(|(name, value)| (name.to_owned(), value));
    Message { path, fields: own.into_iter().chain(seal).collect(), body: body.to_vec() }
}

impl Message {
    fn head(&self, framing: &str) -> Vec<u8> {
        let fields: String = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("POST {} HTTP/1.1\r\nHost: localhost\r\n{fields}{framing}\r\n\r\n", self.path).into_bytes()
    }

    fn http1(&self) -> Vec<u8> {
        let mut bytes = self.head(&format!("Content-Length: {}", self.body.len()));
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn chunked(&self) -> Vec<u8> {
        let mut bytes = self.head("Transfer-Encoding: chunked");
        for chunk in self.body.chunks(10_000) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    }

    fn with(mut self, name: &str, change: impl Fn(&str) -> String) -> Self {
        let field = self.fields.iter_mut().find(|(known, _)| known == name).expect("it has the field");
        field.1 = change(&field.1);
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self
    }

    fn and(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// The status, and the code of a refusal.
fn told(response: &Response) -> (u16, String) {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    (response.status, json["code"].as_str().unwrap_or_default().to_owned())
}

fn no(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Bytes without a pattern that a shifted or doubled piece would keep.
fn long_body(length: usize) -> Vec<u8> {
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(state.to_be_bytes()[0])
    };
    std::iter::repeat_n((), length).scan(7, |state, ()| next(state)).collect()
}

#[test]
fn what_its_organisation_sealed_reaches_the_backend_once() {
    let bank = Bank::new();
    let gate = bank.gate(SEAL);
    let message = bank.sealed("1", 0, BODY).and("portcullis-seal", "forged");
    assert_eq!(bank.response(&gate, &message).body, BODY);
    let received = bank.backend.take_one();
    assert!(received.complete && received.body == BODY);
    let [line] = &received.values("portcullis-seal")[..] else { panic!("one word of the gate") };
    assert!(line.contains(";profile=berlin-group;sealed-at=") && !line.contains("forged"), "{line}");
    assert_eq!(bank.ask(&gate, &message), no(401, "seal.replayed"));
    assert_eq!(bank.ask(&gate, &Message { path: "/optional", ..message.clone() }), no(401, "seal.replayed"));
    assert_eq!(bank.backend.count(), 0);
    gate.reload();
    assert_eq!(bank.ask(&gate, &message), no(401, "seal.replayed"), "what has come is known across a reload");

    let sent = |message: &Message| bank.ask_by_h2(&gate, message);
    assert_eq!(sent(&bank.sealed("2", 0, BODY)).body, BODY);
    let changed = Message { body: BODY.to_ascii_uppercase(), ..bank.sealed("3", 0, BODY) };
    let refused = sent(&changed);
    assert_eq!((refused.status, &refused.json()["code"]), (401, &"seal.digest".into()));
    assert_eq!(bank.backend.take_one().body, BODY);

    let message = bank.sealed_by_rfc9421("by-rfc-9421", "/payments?of=today", BODY);
    assert_eq!(bank.response(&gate, &message).body, BODY);
    let received = bank.backend.take_one();
    assert!(
        received.value("portcullis-seal").is_some_and(|line| line.contains(";profile=message-signatures;"))
    );
    let elsewhere = bank.sealed_by_rfc9421("elsewhere", "/payments?of=today", BODY);
    let elsewhere = Message { path: "/payments?of=tomorrow", ..elsewhere };
    assert_eq!(bank.ask(&gate, &elsewhere), no(401, "seal.signature"));

    let own = |request_id: &str| sealed_by(&bank.seal, ("/own", request_id), 0, BODY);
    assert_eq!(bank.response(&gate, &own("4")).body, b"own");
    assert_eq!(bank.ask(&gate, &Message { body: b"x".to_vec(), ..own("5") }), no(401, "seal.digest"));
    let metrics = gate.metrics();
    assert_eq!(metrics.sum("portcullis_seals_total", &[("result", "verified")]), 4.0);
    assert_eq!(metrics.sum("portcullis_seals_total", &[("result", "seal.digest")]), 2.0);
    eventually("those that came are counted", || {
        gate.metrics().sum("portcullis_sealed_requests_remembered", &[]) == 6.0
    });
}

#[test]
fn a_seal_that_is_asked_for_must_be_there_and_one_that_is_there_must_be_good() {
    let bank = Bank::new();
    let gate = bank.gate(SEAL);
    let bare = |path: &'static str| Message { path, fields: Vec::new(), body: BODY.to_vec() };
    assert_eq!(bank.ask(&gate, &bare("/payments")), no(401, "seal.missing"));
    assert_eq!(bank.ask(&gate, &bare("/optional")).0, 200);
    assert_eq!(bank.backend.take_one().values("portcullis-seal"), Vec::<String>::new());
    let broken = bare("/optional").and("signature", "nonsense");
    assert_eq!(bank.ask(&gate, &broken).1.split('.').next(), Some("seal"));
    let certificate = bank.sealed("1", 0, BODY).fields.remove(3);
    assert_eq!(certificate.0, "tpp-signature-certificate");
    let no_signature = bare("/optional").and(&certificate.0, &certificate.1);
    assert_eq!(bank.ask(&gate, &no_signature), no(401, "seal.missing"));
    let json: Value = bank.response(&gate, &bare("/payments")).json();
    let message = &json["tppMessages"][0];
    assert_eq!((&message["category"], &message["code"]), (&"ERROR".into(), &"SIGNATURE_MISSING".into()));
}

#[test]
fn what_is_not_as_it_was_sealed_reaches_nobody() {
    let bank = Bank::new();
    let gate = bank.gate(SEAL);
    let numbers = Cell::new(0);
    let fresh = || {
        numbers.set(numbers.get() + 1);
        bank.sealed(&format!("request-{}", numbers.get()), 0, BODY)
    };
    let mut changed = fresh();
    changed.body[0] ^= 1;
    let date = fresh().fields[1].1.clone();
    let elsewhere = Authority::foreign().expect("an authority");
    let foreign = site_seal(&elsewhere, ORGANISATION);
    let other = bank.site.issue(seal("PSDES-BE-2"));
    let by = |credential: &Credential| sealed_by(credential, ("/payments", "by-another"), 0, BODY);
    for (message, expected) in [
        (changed, no(401, "seal.digest")),
        (Message { body: Vec::new(), ..fresh() }, no(401, "seal.digest")),
        (fresh().without("digest"), no(401, "seal.digest-missing")),
        (fresh().without("date"), no(401, "seal.component")),
        (fresh().without("x-request-id"), no(401, "seal.component")),
        (fresh().without("tpp-signature-certificate"), no(401, "seal.missing")),
        (fresh().and("date", &date), no(400, "seal.duplicate-field")),
        (fresh().and("x-request-id", "2"), no(400, "seal.duplicate-field")),
        (fresh().and("psu-id", "somebody"), no(401, "seal.coverage")),
        (fresh().with("x-request-id", |id| format!("{id}0")), no(401, "seal.signature")),
        (bank.sealed("old", 400, BODY), no(400, "seal.stale")),
        (bank.sealed("early", -400, BODY), no(400, "seal.future")),
        (by(&other), no(403, "seal.organisation")),
        (by(&foreign), no(401, "seal.certificate")),
        (by(&bank.client), no(401, "seal.certificate")),
    ] {
        assert_eq!(bank.ask(&gate, &message), expected, "{}", String::from_utf8_lossy(&message.http1()));
        let told_again = bank.ask(&gate, &message);
        assert!(told_again == expected || told_again.1 == "seal.replayed", "{told_again:?}");
    }
    assert_eq!(bank.backend.count(), 0);
    let json: Value = bank.response(&gate, &by(&foreign)).json();
    assert_eq!(json["certificate_code"], "path.unknown-issuer");
    assert_eq!(json["tppMessages"][0]["code"], "CERTIFICATE_INVALID");
    assert_eq!(bank.ask(&gate, &fresh()).0, 200, "the client itself may go on");
}

fn site_seal(authority: &Authority, identifier: &str) -> Credential {
    seal(identifier).issue(authority).expect("a certificate")
}

#[test]
fn a_seal_holds_until_it_is_revoked() {
    let bank = Bank::new();
    let answer = Arc::new(Mutex::new(Vec::new()));
    let answering = Arc::clone(&answer);
    let responder = Backend::start(move |exchange| {
        exchange.read_body()?;
        let answer = answering.lock().expect("a lock").clone();
        exchange.answer(200, &answer)?;
        Ok(Next::Close)
    });
    let address = responder.address();
    let seal = bank.site.issue(seal(ORGANISATION).ocsp_responder(&format!("http://{address}/")));
    let says = |about: OcspAnswer<'_>| *answer.lock().expect("a lock") = about.der().expect("an answer");
    let revocation = format!(
        "[revocation]\ncache = \"revocation\"\nprivate_hosts = [\"{address}\"]\nrefresh_interval = \"1s\""
    );
    let gate = bank.gate(&format!("{SEAL}\n{revocation}"));
    let numbers = Cell::new(0);
    let told = || {
        numbers.set(numbers.get() + 1);
        let message = sealed_by(&seal, ("/own", &format!("{}", numbers.get())), 0, BODY);
        let json: Value = serde_json::from_slice(&bank.response(&gate, &message).body).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&json["certificate_code"]), text(&json["tppMessages"][0]["code"]))
    };
    let is = |code: &str, tpp_code: &str| told() == (code.to_owned(), tpp_code.to_owned());
    says(OcspAnswer::about(seal.leaf_der(), &bank.site.qtsp));
    // Nobody is asked before a seal was made with its key, and who made it is not held until there is an answer.
    assert!(is("revocation.unknown", "CERTIFICATE_INVALID"));
    eventually("it is known to be good", || is("", ""));
    says(OcspAnswer::about(seal.leaf_der(), &bank.site.qtsp).revoked());
    eventually("it is known to be revoked", || is("revocation.revoked", "CERTIFICATE_REVOKED"));
}

#[test]
fn a_request_waits_for_the_status_of_its_seal_where_that_is_configured() {
    let bank = Bank::new();
    let answer = Arc::new(Mutex::new(Vec::new()));
    let answering = Arc::clone(&answer);
    let responder = Backend::start(move |exchange| {
        exchange.read_body()?;
        let answer = answering.lock().expect("a lock").clone();
        exchange.answer(200, &answer)?;
        Ok(Next::Close)
    });
    let address = responder.address();
    let new = || bank.site.issue(seal(ORGANISATION).ocsp_responder(&format!("http://{address}/")));
    let ask = |gate: &Gate, seal: &Credential, request_id: &str| {
        let response = bank.response(gate, &sealed_by(seal, ("/payments", request_id), 0, BODY));
        let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        (response.status, json["certificate_code"].as_str().unwrap_or_default().to_owned())
    };
    let gate = |wait_ms: u32| {
        bank.gate(&format!(
            "{SEAL}\n[revocation]\ncache = \"revocation\"\nprivate_hosts = [\"{address}\"]\non_unknown = \"wait\"\nwait_ms_max = {wait_ms}"
        ))
    };
    let patient = gate(10_000);
    for (number, is_revoked) in [("1", false), ("2", true)] {
        let seal = new();
        let about = OcspAnswer::about(seal.leaf_der(), &bank.site.qtsp);
        let about = if is_revoked { about.revoked() } else { about };
        *answer.lock().expect("a lock") = about.der().expect("an answer");
        let expected = if is_revoked { no(401, "revocation.revoked") } else { (200, String::new()) };
        assert_eq!(ask(&patient, &seal, number), expected, "the first request with it is told");
    }
    drop(patient);
    answer.lock().expect("a lock").clear();
    assert_eq!(ask(&gate(200), &new(), "3"), no(401, "revocation.unknown"), "nobody has said anything");
}

#[test]
fn long_bodies_wait_on_disk_and_not_in_memory() {
    long_bodies_wait_on_disk("auto");
}

#[test]
fn long_bodies_wait_on_disk_on_epoll_too() {
    long_bodies_wait_on_disk("epoll");
}

fn long_bodies_wait_on_disk(io: &str) {
    let bank = Bank::new();
    let gate = bank.gate_on(io, SEAL);
    assert_eq!(bank.ask(&gate, &bank.sealed("0", 0, BODY)).0, 200);
    let process = gate.process();
    let (rss_kib, descriptors) = (process.rss_kib(), process.descriptor_count());
    let mut connection = bank.tls().connect(gate.address("tpp")).expect("a connection");
    for (request_id, megabytes) in [("1", 1), ("2", 20)] {
        bank.backend.forget();
        let message = bank.sealed(request_id, 0, &long_body(megabytes << 20));
        let bytes = message.chunked();
        let (most, rest) = bytes.split_at(bytes.len() - 10);
        connection.send(most).expect("it is taken");
        // All but what is held in memory is there.
        eventually("the body waits on disk", || {
            bank.spooled(&gate) + (256 << 10) > message.body.len() as u64
        });
        eventually("they are counted", || {
            gate.metrics().sum("portcullis_spool_bytes", &[]) + f64::from(256 << 10)
                > message.body.len() as f64
        });
        // What is in flight at once of TLS, HTTP and the spool is below a megabyte; allocators keep some of what they had.
        let grown_kib = gate.process().rss_kib().saturating_sub(rss_kib);
        assert!(grown_kib < 6 << 10, "{grown_kib} KiB for a body of {megabytes} MiB");
        assert_eq!(bank.backend.count(), 0, "nothing is sent on before all is there");
        let response = connection.request(rest).expect("an answer");
        assert!(response.status == 200 && response.body == message.body, "{}", response.status);
        assert!(bank.backend.take_one().body == message.body);
    }
    let mut changed = bank.sealed("3", 0, &long_body(20 << 20));
    *changed.body.last_mut().expect("it is long") ^= 1;
    bank.backend.forget();
    assert_eq!(told(&connection.request(&changed.chunked()).expect("an answer")), no(401, "seal.digest"));
    assert_eq!(bank.backend.count(), 0, "nothing of it was sent on");
    drop(connection);
    let long = bank.sealed("4", 0, &long_body(25 << 20));
    let mut connection = bank.tls().connect(gate.address("tpp")).expect("a connection");
    let head = [&long.head(&format!("Content-Length: {}", long.body.len()))[..], &long.body[..1000]].concat();
    let response = connection.request(&head).expect("an answer");
    assert_eq!(told(&response), no(413, "seal.body"));
    drop(connection);
    assert!(fs::read_dir(bank.site.path("spool")).expect("a directory").next().is_none());
    eventually("all files are closed", || gate.process().descriptor_count() <= descriptors);
}

#[test]
fn a_hundred_megabytes_take_no_more_memory_than_one() {
    let mut body = long_body(1 << 20).repeat(100);
    (0..100).for_each(|megabyte| body[usize::from(megabyte) << 20] = megabyte);
    for verify in ["buffered", "streaming"] {
        let bank = Bank::new();
        let seal = SEAL.replace("24m", "100m");
        let gate = bank.gate(&format!("{seal}\nverify = \"{verify}\""));
        assert_eq!(bank.ask(&gate, &bank.sealed("0", 0, &body[..1 << 20])).0, 200);
        let peak_kib = gate.process().peak_rss_kib();
        for framing in ["length", "chunked", "h2"] {
            bank.backend.forget();
            let message = bank.sealed(framing, 0, &body);
            let mut connection = bank.tls().connect(gate.address("tpp")).expect("a connection");
            let mut http1 = |bytes: &[u8]| connection.request(bytes).expect("an answer").body;
            let answer = match framing {
                "length" => http1(&message.http1()),
                "chunked" => http1(&message.chunked()),
                _ => bank.ask_by_h2(&gate, &message).body,
            };
            assert!(answer == body, "{verify} {framing}: {} bytes", answer.len());
            assert!(bank.backend.take_one().body == body, "{verify} {framing}");
            // The kernel counts by threads, so that even a peak may be a little less later.
            let grown_kib = gate.process().peak_rss_kib().saturating_sub(peak_kib);
            assert!(grown_kib < 12 << 10, "{verify} {framing}: {grown_kib} KiB");
        }
    }
}

#[test]
fn without_a_place_to_wait_long_bodies_are_refused_and_short_ones_are_not() {
    let bank = Bank::new();
    let gate = bank.gate(SEAL);
    fs::remove_dir(bank.site.path("spool")).expect("it is empty");
    let response = bank.response(&gate, &bank.sealed("1", 0, &long_body(1 << 20)));
    assert_eq!(told(&response), no(503, "seal.spool"));
    assert!(response.text().contains("No such file or directory"), "{}", response.text());
    assert_eq!(bank.backend.count(), 0);
    assert_eq!(bank.ask(&gate, &bank.sealed("2", 0, &long_body(60 << 10))).0, 200);
}

#[test]
fn a_streamed_body_that_is_not_the_sealed_one_never_ends_at_the_backend() {
    let bank = Bank::new();
    let gate = bank.gate(&format!("{SEAL}\nverify = \"streaming\""));
    for (index, length) in [1, 100, 1 << 20].into_iter().enumerate() {
        for is_chunked in [true, false] {
            let request_id = format!("{index}-{is_chunked}");
            let bytes = |message: &Message| if is_chunked { message.chunked() } else { message.http1() };
            let ask = |message: &Message| {
                let mut connection = bank.tls().connect(gate.address("tpp")).expect("a connection");
                connection.request(&bytes(message)).expect("an answer")
            };
            let message = bank.sealed(&request_id, 0, &long_body(length));
            assert!(ask(&message).body == message.body);
            assert!(bank.backend.take_one().complete);
            let mut changed = bank.sealed(&format!("{request_id}-changed"), 0, &message.body);
            changed.body[0] ^= 1;
            let response = ask(&changed);
            assert_eq!(told(&response), no(401, "seal.digest"), "{length} {is_chunked}");
            eventually("the backend has its part", || bank.backend.open() == 0 || bank.backend.count() > 0);
            let is_whole = |received: &Received| received.complete;
            assert!(!bank.backend.received().iter().any(is_whole), "{length} {is_chunked}");
            bank.backend.forget();
        }
    }
    let own = sealed_by(&bank.seal, ("/own", "own"), 0, BODY);
    assert_eq!(bank.ask(&gate, &Message { body: b"x".to_vec(), ..own }), no(401, "seal.digest"));
    let none = Message { body: Vec::new(), ..bank.sealed("none", 0, BODY) };
    assert_eq!(bank.ask(&gate, &none), no(401, "seal.digest"));
    assert_eq!(bank.backend.count(), 0);
}

/// Whether an answer is sealed by a key on P-256, as RFC 9421 section 3.2 says.
fn is_sealed_by(response: &Response, credential: &Credential) -> bool {
    let covered = ["@status", "content-digest", "content-type", "x-request-id"];
    let field =
        |name: &str| response.header(name).unwrap_or_else(|| panic!("{name}: {:?}", response.headers));
    let parameters = field("signature-input").strip_prefix("seal=").expect("our label");
    let lines = covered.iter().map(|name| match *name {
        "@status" => format!("\"@status\": {}\n", response.status),
        name => format!("\"{name}\": {}\n", field(name)),
    });
    let base = format!("{}\"@signature-params\": {parameters}", lines.collect::<String>());
    let names: Vec<_> = covered.iter().map(|name| format!("\"{name}\"")).collect();
    assert!(parameters.starts_with(&format!("({});created=", names.join(" "))), "{parameters}");
    let digest = STANDARD.encode(digest(&SHA256, &response.body));
    assert_eq!(field("content-digest"), format!("sha-256=:{digest}:"));
    let signature = field("signature").strip_prefix("seal=:").and_then(|text| text.strip_suffix(':'));
    let signature = STANDARD.decode(signature.expect("bytes")).expect("base64");
    let key = credential.key();
    let key = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_der());
    let key = key.expect("a key on P-256");
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref());
    key.verify(base.as_bytes(), &signature).is_ok()
}

#[test]
fn answers_are_sealed_with_the_keys_of_the_bank() {
    let mut bank = Bank::new();
    let own = bank.site.issue(seal("NTRDE-HRB40211"));
    bank.site.put("bank-seal", &own);
    for verify in ["buffered", "streaming"] {
        let gate = bank.gate(&format!("{SEAL}\nverify = \"{verify}\"\n{SEALED_ANSWERS}"));
        for (index, length) in [10, 1 << 20].into_iter().enumerate() {
            let request_id = format!("{verify}-{index}");
            let message = bank.sealed(&request_id, 0, &long_body(length));
            let response = bank.response(&gate, &message);
            assert!(response.status == 200 && response.body == message.body, "{verify} {length}");
            assert_eq!(
                response.header("x-request-id"),
                Some(&*request_id),
                "it is the answer to that request"
            );
            assert!(is_sealed_by(&response, &own));
            bank.backend.forget();
        }
        assert_eq!(bank.spooled(&gate), 0);
        let by_h2 = bank.ask_by_h2(&gate, &bank.sealed(&format!("{verify}-h2"), 0, BODY));
        assert_eq!(by_h2.body, BODY);
        let made_here = sealed_by(&bank.seal, ("/own", &format!("{verify}-own")), 0, BODY);
        let response = bank.response(&gate, &made_here);
        assert_eq!(response.body, b"own");
        assert!(is_sealed_by(&response, &own), "{:?}", response.headers);
        let unsealed = Message { path: "/optional", fields: Vec::new(), body: Vec::new() };
        assert!(bank.response(&gate, &unsealed).header("signature").is_none(), "whose request is sealed");
        assert!(bank.response(&gate, &made_here).header("signature").is_none(), "a refusal is not");
    }
    let long = vec![b'x'; 2 << 20];
    bank.backend = Backend::start(move |exchange| {
        exchange.read_body()?;
        exchange.answer(200, &long)?;
        Ok(Next::Close)
    });
    let gate = bank.gate(&format!("{}\n{SEALED_ANSWERS}", SEAL.replace("24m", "1m")));
    let response = bank.response(&gate, &bank.sealed("long", 0, BODY));
    assert_eq!(told(&response), no(502, "seal.answer"));
}

/// A gate that seals the answers of a backend, and the key that it seals with.
fn sealing_bank(verify: &str, backend: Backend) -> (Bank, Gate, Credential) {
    let bank = Bank { backend, ..Bank::new() };
    let own = bank.site.issue(seal("NTRDE-HRB40211"));
    bank.site.put("bank-seal", &own);
    let gate = bank.gate(&format!("{SEAL}\nverify = \"{verify}\"\n{SEALED_ANSWERS}"));
    (bank, gate, own)
}

/// It says `says` of a request that it has read.
fn saying(says: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Backend {
    Backend::start(move |exchange| {
        exchange.read_body()?;
        let request_id = exchange.received().value("x-request-id").unwrap_or_default();
        exchange.send(&says(&request_id))?;
        Ok(Next::Close)
    })
}

/// It says `says` before it reads anything of a body.
fn hasty(says: &'static [u8]) -> Backend {
    Backend::start(move |exchange| {
        exchange.send(says)?;
        exchange.wait_for_close();
        Ok(Next::Close)
    })
}

#[test]
fn a_sealed_answer_is_to_its_request_whatever_the_upstream_says() {
    let (bank, gate, own) = sealing_bank(
        "buffered",
        saying(|_| {
            let other = "X-Request-ID: of-another\r\nX-Request-ID: of-a-third\r\nTrailer: x-sum";
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{other}\r\n");
            format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n").into_bytes()
        }),
    );
    let response = bank.response(&gate, &bank.sealed("mine", 0, BODY));
    assert_eq!((response.status, &response.body[..]), (200, &b"ab"[..]));
    let named: Vec<_> = response.headers.iter().filter(|(name, _)| name == "x-request-id").collect();
    assert_eq!(named.len(), 1, "{named:?}");
    assert_eq!(response.header("x-request-id"), Some("mine"));
    assert!(is_sealed_by(&response, &own), "{:?}", response.headers);
}

#[test]
fn answers_without_a_body_are_sealed_and_the_connection_goes_on() {
    let (bank, gate, _) = sealing_bank(
        "buffered",
        saying(|request_id| match request_id {
            "304" => b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n".to_vec(),
            "204" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab".to_vec(),
        }),
    );
    let mut connection = bank.tls().connect(gate.address("tpp")).expect("a connection");
    let empty = format!("sha-256=:{}:", STANDARD.encode(digest(&SHA256, b"")));
    for (request_id, status) in [("304", 304), ("204", 204)] {
        connection.send(&bank.sealed(request_id, 0, BODY).http1()).expect("it is there");
        let response = connection.receive_head().expect("an answer");
        assert_eq!((response.status, response.header("content-digest")), (status, Some(&*empty)));
        assert_eq!(response.header("x-request-id"), Some(request_id));
    }
    let post = bank.sealed("head", 0, b"").http1();
    let head = [b"HEAD", post.strip_prefix(b"POST").expect("a POST")].concat();
    connection.send(&head).expect("it is there");
    let response = connection.receive_head().expect("an answer");
    assert_eq!((response.status, response.header("signature")), (200, None));
    let response = connection.request(&bank.sealed("200", 0, BODY).http1()).expect("an answer");
    assert!(response.body == b"ab" && response.header("signature").is_some());
}

#[test]
fn an_answer_that_cannot_be_sealed_is_no_fault_of_the_client() {
    let (bank, gate, _) = sealing_bank(
        "buffered",
        saying(|request_id| match request_id {
            "latin" => {
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; x=\xe4\r\nContent-Length: 2\r\n\r\nab".to_vec()
            }
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".to_vec(),
        }),
    );
    for (request_id, code) in [("latin", "seal.answer"), ("broken", "upstream.truncated")] {
        let response = bank.response(&gate, &bank.sealed(request_id, 0, BODY));
        assert_eq!(told(&response), no(502, code));
        assert!(
            !response.text().contains("_INVALID") && !response.text().contains("FORMAT_ERROR"),
            "{}",
            response.text()
        );
    }
}

#[test]
fn no_answer_to_what_was_not_sealed_is_sealed_however_early_it_begins() {
    let (bank, gate, _) = sealing_bank("streaming", hasty(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok"));
    let changed = |request_id: &str, length| {
        let mut message = bank.sealed(request_id, 0, &long_body(length));
        message.body[0] ^= 1;
        message
    };
    for (request_id, length) in [("short", 100), ("long", 1 << 20)] {
        assert_eq!(bank.ask(&gate, &changed(request_id, length)), no(401, "seal.digest"), "{request_id}");
    }
    let by_h2 = bank.ask_by_h2(&gate, &changed("by-h2", 100));
    assert_eq!((by_h2.status, by_h2.json()["code"].as_str()), (401, Some("seal.digest")));
    eventually("the backend is left", || bank.backend.open() == 0);
}

#[test]
fn an_answer_that_does_not_wait_for_the_body_is_sealed_and_reaches_the_client() {
    let (bank, gate, own) = sealing_bank(
        "streaming",
        hasty(b"HTTP/1.1 413 Too Large\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno"),
    );
    let message = |request_id: &str| bank.sealed(request_id, 0, &long_body(4 << 20));
    let mut http1 = bank.tls().connect(gate.address("tpp")).expect("a connection");
    for request_id in ["1", "2"] {
        let response = http1.request(&message(request_id).http1()).expect("an answer");
        assert!(response.status == 413 && response.body == b"no" && is_sealed_by(&response, &own));
    }
    let mut h2 = H2Client::connect(&bank.tls(), gate.address("tpp")).expect("a connection");
    let mut fields = h2_request("POST", "/payments");
    let message = message("3");
    fields.extend(message.fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let stream = h2.open(&fields, false).expect("a stream");
    h2.send_data(stream, &message.body[..1 << 20], false).expect("room");
    let response = h2.receive(stream).expect("an answer");
    assert_eq!((response.status, &response.body[..]), (413, &b"no"[..]));
}
