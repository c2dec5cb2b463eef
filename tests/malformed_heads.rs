//! A head that needs repair is not repaired. Two readers on one path that mend a request differently disagree on where it ends, and
//! what one takes for a body is the next request to the other. So everything doubtful is refused before it can reach the backend:
//! each of these heads, chunked bodies and pipelined pairs is answered with a problem or closed, the backend records none of it
//! beyond the requests that were whole and legal, and the gate goes on serving.

use portcullis_test_harness::{
    Backend, Configuration, Gate, H2Client, HOST, Received, Refusal, Site, TlsClient, eventually,
};
use portcullis_test_pki::Role;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

/// The path of what must never arrive.
const HIDDEN: &str = "/hidden";

/// Written between the request line and the end of the head, `Host` included.
const FRAMINGS: &[&str] = &[
    "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 5",
    "content-length: 5\r\ntransfer-encoding: CHUNKED",
    "Content-Length: 0\r\nTransfer-Encoding: chunked",
    "Content-Length: 5\r\nTransfer-Encoding: identity",
    "Content-Length: 5\r\nTransfer-Encoding:",
    "Content-Length:\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding: gzip",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunkedx",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: 'chunked'",
    "Transfer-Encoding: ,chunked",
    "Transfer-Encoding: chunked,",
    "Transfer-Encoding: chu nked",
    "Transfer-Encoding: chunked\x0b",
    "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding: chunked\x00",
    "Transfer-Encoding: chunked\x0c",
    "Transfer-Encoding: chun\u{17f}ed",
    "Transfer-Encoding:",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding\t: chunked",
    " Transfer-Encoding: chunked",
    "Transfer-Encoding:\r\n chunked",
    "X-A: b\r\n Transfer-Encoding: chunked",
    "X-A: b\rTransfer-Encoding: chunked",
    "X-A: b\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\n",
    "Transfer-Encoding: chunked\r",
    "Transfer\0Encoding: chunked",
    "Content-Length: 5\r\nContent-Length: 5",
    "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length: 0\r\nContent-Length: 5",
    "content-length: 5\r\nCONTENT-LENGTH: 5",
    "Content-Length: 5, 5",
    "Content-Length: 5, 6",
    "Content-Length: 5,",
    "Content-Length: ,5",
    "Content-Length: 5;x",
    "Content-Length: +5",
    "Content-Length: -5",
    "Content-Length: -0",
    "Content-Length: 0x5",
    "Content-Length: 5.0",
    "Content-Length: 5e0",
    "Content-Length: 5 5",
    "Content-Length: 5\t5",
    "Content-Length: 5_0",
    "Content-Length: five",
    "Content-Length: \"5\"",
    "Content-Length:",
    "Content-Length: \u{665}",
    "Content-Length: 18446744073709551621",
    "Content-Length: 99999999999999999999999999999999",
    "Content-Length: 9223372036854775808",
    "Content-Length : 5",
    "Content-Length\t: 5",
    " Content-Length: 5",
    "Content-Length:\r\n 5",
    "Content-Length: 5\n",
    "Content-Length: 5\0",
    "Content-Length: \x0b5",
];

/// Lines that are no field.
const FIELDS: &[&[u8]] = &[
    b"X-A : b",
    b"X-A\t: b",
    b" X-A: b",
    b"\tX-A: b",
    b"X-A: b\r\n c",
    b"X-A: b\r\n\tc",
    b"X A: b",
    b"X-A",
    b": b",
    b"X-A\0: b",
    b"X-A: b\0",
    b"X-A: b\x01c",
    b"X-A: b\x1b[0m",
    b"X-A: b\x7f",
    b"X-A: b\x08",
    b"X-A: b\rc",
    b"X-A: b\nc",
    b"X-A: b\r\r",
    b"X-\xc3\xa4: b",
    b"X-\xff: b",
    b"X(A): b",
    b"X,A: b",
    b"X;A: b",
    b"X=A: b",
    b"X@A: b",
    b"X[A]: b",
    b"X{A}: b",
    b"X/A: b",
    b"X?A: b",
    b"\"X-A\": b",
    b"X\\A: b",
];

/// Whole heads up to the empty line. `{}` stands for a good `Host` line.
const HEADS: &[&[u8]] = &[
    b"GET /hidden HTTP/0.9\r\n{}",
    b"GET /hidden HTTP/2.0\r\n{}",
    b"GET /hidden HTTP/1.2\r\n{}",
    b"GET /hidden HTTP/1.10\r\n{}",
    b"GET /hidden HTTP/01.1\r\n{}",
    b"GET /hidden HTTP/1\r\n{}",
    b"GET /hidden HTTP/1.1 \r\n{}",
    b"GET /hidden HTTP/1.1\t\r\n{}",
    b"GET /hidden HTTP/1.1x\r\n{}",
    b"GET /hidden http/1.1\r\n{}",
    b"GET /hidden Http/1.1\r\n{}",
    b"GET /hidden HTTP/3\r\n{}",
    b"GET /hidden HTTPS/1.1\r\n{}",
    b"GET /hidden RTSP/1.0\r\n{}",
    b"GET /hidden HTTP/1,1\r\n{}",
    b"GET /hidden\r\n{}",
    b"GET /hidden \r\n{}",
    b"GET\r\n{}",
    b"/hidden HTTP/1.1\r\n{}",
    b"GET  /hidden HTTP/1.1\r\n{}",
    b"GET /hidden  HTTP/1.1\r\n{}",
    b"GET\t/hidden HTTP/1.1\r\n{}",
    b"GET /hidden\tHTTP/1.1\r\n{}",
    b" GET /hidden HTTP/1.1\r\n{}",
    b"\r\nGET /hidden HTTP/1.1\r\n{}",
    b"\nGET /hidden HTTP/1.1\r\n{}",
    b"\0GET /hidden HTTP/1.1\r\n{}",
    b"G\0ET /hidden HTTP/1.1\r\n{}",
    b"G(E)T /hidden HTTP/1.1\r\n{}",
    b"G\xcbT /hidden HTTP/1.1\r\n{}",
    b"GET /hidden HTTP/1.1\n{}",
    b"GET /hidden HTTP/1.1\r{}",
    b"GET /hidden x HTTP/1.1\r\n{}",
    b"GET /hid\0den HTTP/1.1\r\n{}",
    b"GET /hidden\x7f HTTP/1.1\r\n{}",
    b"GET /hid\x0bden HTTP/1.1\r\n{}",
    b"GET /hid\rden HTTP/1.1\r\n{}",
    b"GET /hidden#x HTTP/1.1\r\n{}",
    b"GET /hidd\xc3\xa9n HTTP/1.1\r\n{}",
    b"GET /hidden\\ HTTP/1.1\r\n{}",
    b"GET hidden HTTP/1.1\r\n{}",
    b"GET * HTTP/1.1\r\n{}",
    b"GET ?hidden HTTP/1.1\r\n{}",
    b"GET http:///hidden HTTP/1.1\r\n{}",
    b"GET http:/hidden HTTP/1.1\r\n{}",
    b"GET ftp://tpp.bank.example/hidden HTTP/1.1\r\n{}",
    b"GET http://other.example/hidden HTTP/1.1\r\n{}",
    b"GET https://other.example/hidden HTTP/1.1\r\n{}",
    b"GET http://tpp.bank.example@other.example/hidden HTTP/1.1\r\n{}",
    b"GET https://tpp.bank.example:1/hidden HTTP/1.1\r\n{}",
    b"GET https://user@tpp.bank.example/hidden HTTP/1.1\r\n{}",
    b"CONNECT tpp.bank.example:443 HTTP/1.1\r\n{}",
    b"CONNECT /hidden HTTP/1.1\r\n{}",
    b"CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n",
    b"PRI * HTTP/2.0\r\n{}",
    b"GET /hidden HTTP/1.1\r\n",
    b"GET /hidden HTTP/1.1\r\nHost:\r\n",
    b"GET /hidden HTTP/1.1\r\n{}{}",
    b"GET /hidden HTTP/1.1\r\n{}Host: other.example\r\n",
    b"GET /hidden HTTP/1.1\r\nHost: other.example\r\n",
    b"GET /hidden HTTP/1.1\r\nHost: tpp.bank.example, other.example\r\n",
    b"GET /hidden HTTP/1.1\r\nHost: tpp.bank.example other.example\r\n",
    b"GET /hidden HTTP/1.1\r\nHost: tpp.bank.example/\r\n",
    b"GET /hidden HTTP/1.1\r\nHost: tpp.bank.example#@other.example\r\n",
    b"GET /hidden HTTP/1.1\r\nHost: user@tpp.bank.example\r\n",
    b"GET /hidden HTTP/1.1\r\nHost: tpp.bank.example:443:444\r\n",
    b"GET /hidden HTTP/1.1\r\nHost: tpp.bank.example:http\r\n",
    b"GET /hidden HTTP/1.1\r\nHost: tpp.bank.example:999999\r\n",
    b"GET /hidden HTTP/1.1\r\nHost: tpp.bank.\xc3\xa9xample\r\n",
    b"GET /hidden HTTP/1.1\r\nHost: [::1\r\n",
    b"GET /hidden HTTP/1.0\r\n{}Transfer-Encoding: chunked\r\n",
    b"\x16\x03\x01\x02\x00\x01",
];

/// What follows the head of a chunked request. Behind each stands a request that would be the next one to a reader that mends it.
const CHUNKED: &[&str] = &[
    "+5\r\nabcde\r\n0\r\n\r\n",
    "-5\r\nabcde\r\n0\r\n\r\n",
    "0x5\r\nabcde\r\n0\r\n\r\n",
    "x5\r\nabcde\r\n0\r\n\r\n",
    "5h\r\nabcde\r\n0\r\n\r\n",
    " 5\r\nabcde\r\n0\r\n\r\n",
    "5 \r\nabcde\r\n0\r\n\r\n",
    "\t5\r\nabcde\r\n0\r\n\r\n",
    "5\t\r\nabcde\r\n0\r\n\r\n",
    "5 ;a=b\r\nabcde\r\n0\r\n\r\n",
    "\r\n5\r\nabcde\r\n0\r\n\r\n",
    "\r\n\r\n",
    ";a=b\r\nabcde\r\n0\r\n\r\n",
    "5_0\r\nabcde\r\n0\r\n\r\n",
    "5,5\r\nabcde\r\n0\r\n\r\n",
    "5.0\r\nabcde\r\n0\r\n\r\n",
    "\u{665}\r\nabcde\r\n0\r\n\r\n",
    "00000000000000005\r\nabcde\r\n0\r\n\r\n",
    "10000000000000005\r\nabcde\r\n0\r\n\r\n",
    "5\nabcde\r\n0\r\n\r\n",
    "5\rabcde\r\n0\r\n\r\n",
    "5\r\rabcde\r\n0\r\n\r\n",
    "5\r\nabcde0\r\n\r\n",
    "5\r\nabcde\n0\r\n\r\n",
    "5\r\nabcde\r0\r\n\r\n",
    "5\r\nabcdef\r\n0\r\n\r\n",
    "5\r\nabcdefg0\r\n\r\n",
    "5\r\nabcde\r\n\r\n0\r\n\r\n",
    "5\r\nabcde\r\n+0\r\n\r\n",
    "5\r\nabcde\r\n-0\r\n\r\n",
    "5\r\nabcde\r\n0 \r\n\r\n",
    "5\r\nabcde\r\n0x0\r\n\r\n",
    "5\r\nabcde\r\n0\n\n",
    "5\r\nabcde\r\n0\r\n\n",
    "5\r\nabcde\r\n0\r\n \r\n\r\n",
    "5\r\nabcde\r\n0\r\nX-A : b\r\n\r\n",
    "5\r\nabcde\r\n0\r\nX-A: b\nc\r\n\r\n",
    "5\r\nabcde\r\n0\r\nX-A: b\r\n c\r\n\r\n",
    "5;a=\0\r\nabcde\r\n0\r\n\r\n",
    "5;a=\nb\r\nabcde\r\n0\r\n\r\n",
    "5;a=\rb\r\nabcde\r\n0\r\n\r\n",
    "5;\x7f\r\nabcde\r\n0\r\n\r\n",
    "5\0\r\nabcde\r\n0\r\n\r\n",
];

struct Scene {
    backend: Backend,
    gate: Gate,
    client: TlsClient,
}

impl Scene {
    fn new() -> Self {
        let site = Site::new();
        let backend = Backend::answering("served");
        let gate = Gate::start(PORTCULLIS, &site, &Configuration::passing_on(&[backend.address()], ""));
        let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
        Self { backend, gate, client }
    }

    /// Sends bytes on a connection of their own and reads all answers to the end of the connection.
    fn say(&self, bytes: &[u8]) -> Vec<(u16, String)> {
        let mut connection = self.client.connect(self.gate.address("tpp")).expect("a session");
        // Refused early, the rest of it may meet a closed connection.
        let _ = connection.send(bytes);
        let mut answers = Vec::new();
        loop {
            match connection.receive() {
                Ok(response) => answers.push((response.status, response.text())),
                Err(Refusal::Closed) => return answers,
                Err(refusal) => panic!("{:?}: {refusal:?}", String::from_utf8_lossy(bytes)),
            }
        }
    }

    /// The bytes are refused as a whole: at most one answer, a 4xx with a code, then the end; and the backend has seen none of it.
    fn refuses(&self, bytes: &[u8]) {
        let what = excerpt(bytes);
        let answers = self.say(bytes);
        match &answers[..] {
            [] => {}
            [(400..500, text)] => assert!(text.contains("\"code\":\""), "{what:?}: {text}"),
            _ => panic!("{what:?}: {answers:?}"),
        }
        assert_eq!(self.backend.count(), 0, "{what:?} is passed on: {:?}", self.backend.received());
        self.serves_on(&what);
    }

    fn serves_on(&self, what: &str) {
        let answer = self.client.get(self.gate.address("tpp"), "/after").unwrap_or_else(|refusal| {
            panic!("nothing is served after {what:?}: {refusal:?}");
        });
        assert_eq!((answer.status, answer.text().as_str()), (200, "served"), "after {what:?}");
        assert_eq!(self.backend.take_one().target(), "/after");
    }

    /// The gate serves on, and the backend has got no more than a beginning of `/x`, maybe only now.
    fn serves_on_beside_the_incomplete(&self, what: &str) {
        let answer = self.client.get(self.gate.address("tpp"), "/after").expect("the gate serves on");
        assert_eq!(answer.status, 200, "after {what:?}");
        self.backend_is_through();
        for received in self.backend.received() {
            let is_after = received.target() == "/after" && received.wire.is_empty();
            assert!(is_after || received.target() == "/x" && !received.complete, "{what:?}: {received:?}");
        }
        self.backend.forget();
    }

    /// Waits until every request has come to its end or lost its connection.
    fn backend_is_through(&self) {
        eventually("the backend is through", || {
            let over = |received: &Received| received.complete || !self.backend.is_open(received.connection);
            self.backend.received().iter().all(over)
        });
    }

    fn nothing_is_left(&self) {
        assert_eq!(self.backend.faults(), [""; 0]);
        eventually("no connection is left open", || {
            self.gate.metrics().sum("portcullis_connections", &[]) == 0.0
        });
    }
}

fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
}

fn host() -> String {
    format!("Host: {HOST}\r\n")
}

/// The next request, to whoever thinks that the one before has ended.
fn hidden() -> String {
    format!("GET {HIDDEN} HTTP/1.1\r\n{}\r\n", host())
}

#[test]
fn there_are_enough_of_them() {
    assert!(FRAMINGS.len() + FIELDS.len() + HEADS.len() + CHUNKED.len() >= 200);
}

#[test]
fn doubtful_framing_is_refused() {
    let scene = Scene::new();
    for framing in FRAMINGS {
        let head = format!("POST /x HTTP/1.1\r\n{}{framing}\r\n\r\n", host());
        // Each reading of it leaves something over that looks like a request.
        for body in [&format!("0\r\n\r\n{}", hidden()), &format!("5\r\nabcde\r\n0\r\n\r\n{}", hidden())] {
            scene.refuses(format!("{head}{body}").as_bytes());
        }
    }
    scene.nothing_is_left();
}

#[test]
fn lines_that_are_no_field_are_refused() {
    let scene = Scene::new();
    for line in FIELDS {
        scene.refuses(&[&b"GET /hidden HTTP/1.1\r\n"[..], host().as_bytes(), line, b"\r\n\r\n"].concat());
        // Before the host as well, where no field stands that it could be taken to continue.
        scene
            .refuses(&[&b"GET /hidden HTTP/1.1\r\n"[..], line, b"\r\n", host().as_bytes(), b"\r\n"].concat());
    }
    scene.nothing_is_left();
}

#[test]
fn heads_that_are_none_are_refused() {
    let scene = Scene::new();
    for head in HEADS {
        let mut bytes = Vec::new();
        let mut parts = head.split(|byte| *byte == b'{').peekable();
        while let Some(part) = parts.next() {
            bytes.extend_from_slice(part.strip_prefix(b"}").unwrap_or(part));
            if parts.peek().is_some() {
                bytes.extend_from_slice(host().as_bytes());
            }
        }
        bytes.extend_from_slice(b"\r\n");
        // A head without an end would be waited for: the next one ends it, or is behind it.
        bytes.extend_from_slice(hidden().as_bytes());
        let what = excerpt(&bytes);
        let answers = scene.say(&[&bytes[..], b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"].concat());
        let first_is_refused = answers.first().is_none_or(|(status, _)| matches!(status, 400..500));
        assert!(first_is_refused, "{what:?}: {answers:?}");
        // What was refused for whom it is for, in a head that is whole, leaves a connection that goes on.
        for received in scene.backend.received() {
            assert!(
                received.target() == HIDDEN && received.values("host") == [HOST],
                "{what:?}: {received:?}"
            );
            assert!(answers.len() > 1, "{what:?}: {answers:?}, and passed on: {received:?}");
        }
        scene.backend.forget();
        scene.serves_on(&what);
    }
    scene.nothing_is_left();
}

#[test]
fn too_much_of_a_head_is_refused() {
    let scene = Scene::new();
    let many: String = (0..200).map(|at| format!("X-{at}: b\r\n")).collect();
    let line = |length: usize| format!("X-A: {}\r\n", "b".repeat(length));
    let name = format!("{}: b\r\n", "X".repeat(40_000));
    let cookie = format!("Cookie: {}\r\n", "a=b; ".repeat(10_000));
    for fields in [many, line(33_000), line(1 << 20), name, cookie, "A:\r\n".repeat(101)] {
        scene.refuses(format!("GET {HIDDEN} HTTP/1.1\r\n{}{fields}\r\n", host()).as_bytes());
    }
    scene.refuses(format!("GET {HIDDEN}?{} HTTP/1.1\r\n{}\r\n", "q".repeat(40_000), host()).as_bytes());
    scene.refuses(format!("{} {HIDDEN} HTTP/1.1\r\n{}\r\n", "M".repeat(40_000), host()).as_bytes());
    scene.refuses(&[b'A'; 100_000]);
    scene.nothing_is_left();
}

/// The head is fine, so the request may have begun to go out when its body turns out to be none: the backend must not take it for
/// whole, and must not see what stands behind it.
#[test]
fn a_body_that_is_none_is_not_completed() {
    let scene = Scene::new();
    for body in CHUNKED {
        for pieces in [false, true] {
            let head = format!("POST /x HTTP/1.1\r\n{}Transfer-Encoding: chunked\r\n\r\n", host());
            let rest = format!("{body}{}", hidden());
            let mut connection = scene.client.connect(scene.gate.address("tpp")).expect("a session");
            if pieces {
                // The head alone, so that it is on its way when the rest comes.
                connection.send(head.as_bytes()).expect("it is fine so far");
                eventually("the head is passed on or held", || {
                    scene.backend.count() > 0 || scene.gate.metrics().sum("portcullis_connections", &[]) > 0.0
                });
                let _ = connection.send(rest.as_bytes());
            } else {
                let _ = connection.send(format!("{head}{rest}").as_bytes());
            }
            let mut answers = Vec::new();
            while let Ok(response) = connection.receive() {
                answers.push((response.status, response.text()));
            }
            assert!(
                answers.iter().all(|(status, _)| matches!(status, 400..500)) && answers.len() <= 1,
                "{body:?}: {answers:?}"
            );
            scene.serves_on_beside_the_incomplete(body);
        }
    }
    scene.nothing_is_left();
}

/// Legal bodies that hold a request: whatever looks like one stays a body.
#[test]
fn a_request_in_a_body_stays_a_body() {
    let scene = Scene::new();
    let inner = hidden();
    let length = inner.len();
    let bodies = [
        (format!("Content-Length: {length}"), inner.clone()),
        ("Transfer-Encoding: chunked".to_owned(), format!("{length:x}\r\n{inner}\r\n0\r\n\r\n")),
        (
            "Transfer-Encoding: chunked".to_owned(),
            format!("{length:X};a=b;c=\"d\"\r\n{inner}\r\n000\r\n\r\n"),
        ),
        ("transfer-encoding:\tChunked ".to_owned(), format!("0{length:x}\r\n{inner}\r\n0;x\r\n\r\n")),
        ("Content-Length: 00000".to_owned() + &length.to_string(), inner.clone()),
        (
            "Transfer-Encoding: chunked".to_owned(),
            inner.bytes().map(|byte| format!("1\r\n{}\r\n", char::from(byte))).collect::<String>()
                + "0\r\n\r\n",
        ),
    ];
    for (framing, body) in bodies {
        let first = format!("POST /first HTTP/1.1\r\n{}{framing}\r\n\r\n{body}", host());
        let second = format!("GET /second HTTP/1.1\r\n{}Connection: close\r\n\r\n", host());
        let answers = scene.say(format!("{first}{second}").as_bytes());
        let statuses: Vec<_> = answers.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [200, 200], "{framing}: {answers:?}");
        let received = scene.backend.received();
        let [first, second] = &received[..] else { panic!("{framing}: {received:?}") };
        assert_eq!((first.target().as_str(), first.complete), ("/first", true));
        assert_eq!(first.body, inner.as_bytes(), "{framing}");
        assert_eq!((second.target().as_str(), second.wire.len()), ("/second", 0));
        // Extensions of chunks are of this connection, not of the next.
        assert!(!first.contains(b"a=b"), "{framing}: {first:?}");
        scene.backend.forget();
        scene.serves_on(&framing);
    }
    scene.nothing_is_left();
}

/// A body on a method that needs none is a body all the same, on either side of the gate.
#[test]
fn a_body_of_a_get_is_framed() {
    let scene = Scene::new();
    let inner = hidden();
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "QUERY"] {
        let request = format!(
            "{method} /first HTTP/1.1\r\n{}Content-Length: {}\r\n\r\n{inner}GET /second HTTP/1.1\r\n{}\r\n",
            host(),
            inner.len(),
            host()
        );
        let mut connection = scene.client.connect(scene.gate.address("tpp")).expect("a session");
        connection.send(request.as_bytes()).expect("the gate reads");
        let first = if method == "HEAD" { connection.receive_head() } else { connection.receive() };
        let first = first.map(|response| response.status).unwrap_or(0);
        assert!(matches!(first, 0 | 200 | 400..=501), "{method}: {first}");
        if first == 200 {
            let second = connection.receive().expect("the second");
            assert_eq!(second.status, 200, "{method}");
        }
        for received in scene.backend.received() {
            assert!(matches!(received.target().as_str(), "/first" | "/second"), "{method}: {received:?}");
            let wanted = if received.target() == "/first" { inner.as_bytes() } else { b"" };
            assert_eq!(received.body, wanted, "{method}");
        }
        scene.backend.forget();
    }
    assert_eq!(scene.backend.faults(), [""; 0]);
}

/// On h2 the length of a body is what its frames say; a `content-length` that says otherwise is malformed (RFC 9113 8.1.1).
#[test]
fn a_length_of_h2_agrees_with_its_frames() {
    let scene = Scene::new();
    for (length, body) in
        [("3", "abcde"), ("7", "abcde"), ("0", "abcde"), ("5", ""), ("+5", "abcde"), ("5, 5", "abcde")]
    {
        let mut connection = H2Client::connect(&scene.client, scene.gate.address("tpp")).expect("a session");
        let fields: &[(&[u8], &[u8])] = &[
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":authority", HOST.as_bytes()),
            (b":path", b"/x"),
            (b"content-length", length.as_bytes()),
        ];
        let answer = connection.open(fields, false).and_then(|stream| {
            connection.send_data(stream, body.as_bytes(), true)?;
            connection.receive(stream)
        });
        let status = answer.map(|answer| answer.status).unwrap_or(0);
        assert!(matches!(status, 0 | 400..500), "{length} for {body:?}: {status}");
        scene.serves_on_beside_the_incomplete(&format!("{length} for {body:?}"));
    }
    scene.nothing_is_left();
}
