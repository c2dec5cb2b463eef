//! One listener, several names. A client is served by the certificate and the rules of the name it asked for, however it spells
//! that name and however it cuts up its ClientHello; a name that nobody here bears is refused, and a request for another host
//! than the one connected to is sent back. What follows guards against the defects of 2026, where a fragmented hello, a capital
//! letter or a `Host` field led to rules laxer than those of the name.

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, H2Client, OpenSsl, Refusal, Response, Site, TlsClient, Version,
    available,
};
use portcullis_test_pki::{Credential, Role};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

struct Names {
    site: Site,
    gate: Gate,
    fallback: Credential,
    exact: Credential,
    wildcard: Credential,
    tpp: Credential,
}

impl Names {
    /// A fallback, a wildcard that stands before the exact name it covers, and that name; all ask for a certificate.
    fn new() -> Self {
        let site = Site::new();
        let fallback = site.serve("fallback", &["fallback.bank.example"]);
        let wildcard = site.serve("wildcard", &["*.bank.example"]);
        let exact = site.serve("exact", &["api.bank.example"]);
        let table = |file: &str, more: &str| {
            format!("[[listener.certificate]]\nchain = \"{file}.pem\"\nkey = \"{file}.key\"\n{more}\n")
        };
        let tables = [table("fallback", "default = true"), table("wildcard", ""), table("exact", "")];
        let routes = "[[route]]\npath = \"/\"\nrespond = { status = 200, echo = \"identity\" }";
        let configuration = Configuration::default().certificates(&tables.concat()).routes(routes);
        let gate = Gate::start(PORTCULLIS, &site, &configuration);
        let tpp = site.tpp(&[Role::PspAi]);
        Self { site, gate, fallback, exact, wildcard, tpp }
    }

    fn client(&self, name: &str) -> TlsClient {
        TlsClient::new(&self.site.bank).credential(&self.tpp).server_name(name)
    }

    fn request(&self, name: &str, bytes: &str) -> Response {
        let mut connection = self.client(name).connect(self.gate.address("tpp")).expect("a session");
        connection.request(bytes.as_bytes()).expect("an answer")
    }
}

#[test]
fn the_exact_name_comes_before_the_wildcard_in_any_spelling() {
    let names = Names::new();
    let cases = [
        ("api.bank.example", &names.exact),
        ("API.Bank.EXAMPLE", &names.exact),
        ("payments.bank.example", &names.wildcard),
        ("Payments.Bank.Example", &names.wildcard),
        ("fallback.bank.example", &names.fallback),
    ];
    for (name, expected) in cases {
        for version in Version::BOTH {
            let connection = names.client(name).version(version).connect(names.gate.address("tpp"));
            let presented = connection.expect("a session").server_certificate();
            assert_eq!(&presented, expected.leaf_der(), "{name}, {version:?}");
        }
    }
}

#[test]
fn capitals_on_the_wire_change_nothing() {
    if !available("openssl", "version") {
        return;
    }
    let names = Names::new();
    let ca = names.site.write("ca.pem", &names.site.bank.root_pem());
    // OpenSSL sends the name as it is given; the last of two options counts.
    let got = OpenSsl::get(names.gate.address("tpp"), "/", &ca, &["-servername", "API.BANK.EXAMPLE"]);
    assert!(got.text.contains("CN = api.bank.example"), "{}", got.text);
}

#[test]
fn a_name_that_nobody_bears_is_refused() {
    let names = Names::new();
    for name in ["bank.example", "a.b.bank.example", "bank.example.org", "localhost"] {
        for version in Version::BOTH {
            let refusal = names.client(name).version(version).refused(names.gate.address("tpp"));
            assert_eq!(refusal, Refusal::Alert(AlertDescription::UnrecognisedName), "{name}, {version:?}");
        }
    }
}

#[test]
fn without_a_name_the_default_serves_and_asks_no_less() {
    let names = Names::new();
    let address = names.gate.address("tpp");
    let nameless = names.client("fallback.bank.example").without_sni();
    let mut connection = nameless.connect(address).expect("a session");
    assert_eq!(&connection.server_certificate(), names.fallback.leaf_der());
    let request = b"GET / HTTP/1.1\r\nHost: fallback.bank.example\r\n\r\n";
    assert_eq!(connection.request(request).expect("an answer").status, 200);
    let bare = TlsClient::new(&names.site.bank).server_name("fallback.bank.example").without_sni();
    assert_eq!(bare.refused(address), Refusal::Alert(AlertDescription::CertificateRequired));
}

#[test]
fn a_hello_in_pieces_meets_the_same_rules() {
    let names = Names::new();
    let address = names.gate.address("tpp");
    let bare = TlsClient::new(&names.site.bank).server_name("api.bank.example");
    let cuts = [
        Cut::Records(8),
        Cut::Records(60),
        Cut::Records(300),
        Cut::Bytes,
        Cut::RecordsAndBytes(100),
        Cut::RecordsTogether(300),
    ];
    for case in cuts {
        let cut = |hello: &[u8]| case.pieces(hello);
        for version in Version::BOTH {
            let client = names.client("api.bank.example").version(version);
            let connection = client.connect_in_pieces(address, cut);
            let mut connection = connection.unwrap_or_else(|refusal| panic!("{case:?}: {refusal:?}"));
            assert_eq!(&connection.server_certificate(), names.exact.leaf_der(), "{case:?}, {version:?}");
            let request = b"GET / HTTP/1.1\r\nHost: api.bank.example\r\n\r\n";
            assert_eq!(connection.request(request).expect("an answer").status, 200, "{case:?}, {version:?}");
        }
        // Nor does it lead past the question for a certificate, or to a name that is not served.
        let refusal = match bare.connect_in_pieces(address, cut) {
            Ok(mut connection) => connection.end(),
            Err(refusal) => refusal,
        };
        assert_eq!(refusal, Refusal::Alert(AlertDescription::CertificateRequired), "{case:?}");
        let unknown = names.client("nobody.example").connect_in_pieces(address, cut);
        let refusal = unknown.err();
        assert_eq!(refusal, Some(Refusal::Alert(AlertDescription::UnrecognisedName)), "{case:?}");
    }
}

#[test]
fn a_request_is_for_the_name_that_was_connected_to() {
    let names = Names::new();
    let status = |name: &str, head: &str| {
        let response = names.request(name, &format!("{head}\r\n\r\n"));
        (response.status, response.json()["code"].as_str().unwrap_or_default().to_owned())
    };
    let api = "api.bank.example";
    for head in [
        "GET / HTTP/1.1\r\nHost: api.bank.example",
        "GET / HTTP/1.1\r\nHost: API.bank.example:8443",
        "GET https://api.bank.example/ HTTP/1.1\r\nHost: api.bank.example",
    ] {
        assert_eq!(status(api, head).0, 200, "{head}");
    }
    for head in [
        "GET / HTTP/1.1\r\nHost: fallback.bank.example",
        "GET / HTTP/1.1\r\nHost: payments.bank.example",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1",
        "GET https://payments.bank.example/ HTTP/1.1\r\nHost: payments.bank.example",
    ] {
        assert_eq!(status(api, head), (421, "host.misdirected".to_owned()), "{head}");
    }
    assert_eq!(status("payments.bank.example", "GET / HTTP/1.1\r\nHost: other.bank.example").0, 200);
}

#[test]
fn a_host_in_doubt_is_no_host() {
    let names = Names::new();
    for head in [
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r\nHost: api.bank.example\r\nHost: api.bank.example",
        "GET / HTTP/1.1\r\nHost: api.bank.example\r\nHost: fallback.bank.example",
        "GET / HTTP/1.1\r\nHost: api.bank.example, fallback.bank.example",
        "GET / HTTP/1.1\r\nHost: user@api.bank.example",
        "GET / HTTP/1.1\r\nHost:",
        "GET https://api.bank.example/ HTTP/1.1\r\nHost: fallback.bank.example",
    ] {
        let response = names.request("api.bank.example", &format!("{head}\r\n\r\n"));
        assert_eq!(response.status, 400, "{head}: {}", response.text());
    }
}

#[test]
fn http2_has_one_authority_too() {
    let names = Names::new();
    let client = names.client("api.bank.example");
    let mut h2 = H2Client::connect(&client, names.gate.address("tpp")).expect("a session");
    assert_eq!(h2.get(b"api.bank.example", b"/").expect("an answer").status, 200);
    assert_eq!(h2.get(b"API.bank.example:443", b"/").expect("an answer").status, 200);
    let other = h2.get(b"payments.bank.example", b"/").expect("an answer");
    assert_eq!((other.status, &other.json()["code"]), (421, &"host.misdirected".into()));
    let two: [(&[u8], &[u8]); 5] = [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", b"api.bank.example"),
        (b":path", b"/"),
        (b"host", b"payments.bank.example"),
    ];
    let doubtful = h2.request(&two).map(|response| response.status);
    assert!(matches!(doubtful, Ok(400) | Err(_)), "{doubtful:?}");
}

/// How a ClientHello is cut up.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Into records with so many bytes of the message each, every record in a segment of its own.
    Records(usize),
    /// A byte in each segment.
    Bytes,
    /// Both.
    RecordsAndBytes(usize),
    /// Into records that arrive together.
    RecordsTogether(usize),
}

impl Cut {
    fn pieces(self, hello: &[u8]) -> Vec<Vec<u8>> {
        let bytes = |bytes: &[u8]| bytes.iter().map(|byte| vec![*byte]).collect();
        match self {
            Self::Records(size) => records(hello, size),
            Self::Bytes => bytes(hello),
            Self::RecordsAndBytes(size) => bytes(&records(hello, size).concat()),
            Self::RecordsTogether(size) => vec![records(hello, size).concat()],
        }
    }
}

/// The one record of a ClientHello as several records with so many bytes of the message each (RFC 8446 5.1).
fn records(hello: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (head, message) = hello.split_at(5);
    assert_eq!(
        usize::from(head[3]) << 8 | usize::from(head[4]),
        message.len(),
        "one record, nothing behind it"
    );
    let record = |part: &[u8]| {
        let length = u16::try_from(part.len()).expect("a record is short").to_be_bytes();
        [&head[..3], &length, part].concat()
    };
    message.chunks(size).map(record).collect()
}
