//! Servers that others wrote read what the gate sends just as it was judged. Requests that are well formed and odd go through the gate
//! to a backend that records them, to nginx, and to an ASGI server on Python's h11: paths half encoded, hosts in capitals, bodies in
//! every framing, with a request inside. All must see one request each time, for the same path, the same host, with the same body.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use portcullis_test_harness::{
    Backend, Configuration, DEADLINE, Gate, H2Client, H2Refusal, HOST, Next, Received, Scratch, Site,
    TlsClient, available, eventually, skipped,
};
use portcullis_test_pki::Role;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

/// Paths and queries that the gate may refuse; what it passes on is compared.
const TARGETS: &[&str] = &[
    "/",
    "/v1/accounts",
    "/v1/p%61yments",
    "/%7Euser/%41",
    "/~user",
    "/a%20b",
    "/a+b",
    "/a%2Bb",
    "/a%26b%3Dc",
    "/a%40b:c@d",
    "/caf%C3%A9",
    "/caf%c3%a9",
    "/%E2%82%AC",
    "/%F0%9F%92%B6/x",
    "/a,b",
    "/a=b&c",
    "/a$b!c*(d)'",
    "/a;b=c",
    "/a;b=c/d;e",
    "/a..b",
    "/..a",
    "/a/.b",
    "/a-b_c.d",
    "/x/",
    "/x?",
    "/x??",
    "/x?a=b",
    "/x?a=b?c=/d/../e",
    "/x?%zz",
    "/x?%00%0d%0a",
    "/x?a=%2F..%2F&b;c",
    "/x?q=caf%C3%A9+x",
    "/x?[]{}|^`\"<>",
    "/%5B1%5D",
    "/%3F",
    "/%23",
    "/a%3Bb",
    "//a",
    "/a//b",
    "/a/./b",
    "/a/../b",
    "/a%2Fb",
    "/a%5Cb",
    "/%2e%2e/a",
    "/a%00",
    "/a%25b",
];

const HOSTS: &[&str] =
    &[HOST, "TPP.Bank.EXAMPLE", "tpp.bank.example:443", "Tpp.bank.example:8443", "tpp.bank.example."];

/// Fields that frame a body, and the bytes behind the head.
fn framings() -> Vec<(&'static str, String, Vec<u8>, Vec<u8>)> {
    let inner = format!("GET /hidden HTTP/1.1\r\nHost: {HOST}\r\n\r\n").into_bytes();
    let binary: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    let length = |method, body: &[u8]| {
        (method, format!("Content-Length: {}\r\n", body.len()), body.to_vec(), body.to_vec())
    };
    let chunked = |head: &str, size: &dyn Fn(usize) -> String, body: &[u8], step: usize, last: &str| {
        let mut wire = Vec::new();
        for chunk in body.chunks(step) {
            wire.extend([size(chunk.len()).as_bytes(), b"\r\n", chunk, b"\r\n"].concat());
        }
        wire.extend_from_slice(last.as_bytes());
        ("POST", head.to_owned(), wire, body.to_vec())
    };
    let plain = "Transfer-Encoding: chunked\r\n";
    vec![
        ("GET", String::new(), Vec::new(), Vec::new()),
        ("POST", String::new(), Vec::new(), Vec::new()),
        length("POST", b""),
        length("POST", b"hello"),
        length("PUT", &inner),
        length("PATCH", &binary),
        length("GET", b"a body of a GET"),
        length("DELETE", &inner),
        length("OPTIONS", b"x"),
        ("POST", "content-length:\t00005 \r\n".to_owned(), b"hello".to_vec(), b"hello".to_vec()),
        chunked(plain, &|size| format!("{size:x}"), b"hello world", 3, "0\r\n\r\n"),
        chunked(plain, &|size| format!("{size:X};a=b;c=\"d;e\""), &inner, 7, "0\r\n\r\n"),
        chunked(plain, &|size| format!("000{size:x}"), &binary, 4099, "0000;end\r\n\r\n"),
        chunked("TRANSFER-encoding:   CHUNKED\r\n", &|size| format!("{size:x}"), &inner, 1, "0\r\n\r\n"),
        chunked(plain, &|_| String::new(), b"", 1, "0\r\n\r\n"),
        ("GET", plain.to_owned(), b"3\r\nabc\r\n0\r\n\r\n".to_vec(), b"abc".to_vec()),
    ]
}

/// What one server saw of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    method: String,
    /// Path and query as they came.
    target: String,
    /// The path decoded, where the server tells it.
    path: Option<Vec<u8>>,
    host: String,
    body: Vec<u8>,
}

/// A gate in front of a server, and where the requests are recorded that this server saw.
struct Way<'a> {
    gate: Gate,
    /// Told whether there was an answer of the server.
    seen: Box<dyn Fn(bool) -> Vec<Seen> + 'a>,
}

/// Sends a request by a connection of its own and says what the server saw; nothing where the gate refused it.
fn send(way: &Way<'_>, client: &TlsClient, request: &Request) -> Option<Seen> {
    let address = way.gate.address("tpp");
    let status = match request {
        Request::Http1(bytes) => {
            let mut connection = client.connect(address).expect("a session");
            connection.send(bytes).expect("the gate reads");
            connection.receive().expect("an answer").status
        }
        Request::H2 { fields, body } => {
            let mut connection = H2Client::connect(client, address).expect("a session");
            let fields: Vec<(&[u8], &[u8])> =
                fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            let stream = connection.open(&fields, false).expect("a stream");
            connection.send_data(stream, body, true).expect("the gate reads");
            match connection.receive(stream) {
                Ok(response) => response.status,
                // What is malformed by the rules of h2 gets no answer.
                Err(H2Refusal::Reset(_)) => 400,
                Err(refusal) => panic!("{request:?}: {refusal:?}"),
            }
        }
    };
    let mut seen = (way.seen)(status == 200);
    match (status, seen.len()) {
        (200, 1) => seen.pop(),
        (400..500, 0) => None,
        _ => panic!("{status} for {request:?}: {seen:?}"),
    }
}

#[derive(Clone)]
enum Request {
    Http1(Vec<u8>),
    H2 { fields: Vec<(&'static str, String)>, body: Vec<u8> },
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Http1(bytes) => write!(f, "{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(300)])),
            Self::H2 { fields, body } => write!(f, "{fields:?} and {} bytes", body.len()),
        }
    }
}

/// Each request with the body that it has.
fn requests() -> Vec<(Request, Vec<u8>)> {
    let mut requests = Vec::new();
    let h2 = |method: &str, host: &str, path: &str, body: &[u8], extra: Option<String>| {
        let mut fields = vec![
            (":method", method.to_owned()),
            (":scheme", "https".to_owned()),
            (":authority", host.to_owned()),
            (":path", path.to_owned()),
        ];
        fields.extend(extra.map(|length| ("content-length", length)));
        (Request::H2 { fields, body: body.to_vec() }, body.to_vec())
    };
    let http1 = |text: String| (Request::Http1(text.into_bytes()), Vec::new());
    for target in TARGETS {
        requests.push(http1(format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")));
        requests.push(http1(format!("GET https://{HOST}{target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")));
        requests.push(h2("GET", HOST, target, b"", None));
    }
    for host in HOSTS {
        requests.push(http1(format!("GET /host HTTP/1.1\r\nHost: {host}\r\n\r\n")));
        requests.push(http1(format!("GET http://{host}/host HTTP/1.1\r\nHost:   {host}\t\r\n\r\n")));
        requests.push(http1(format!("GET /host HTTP/1.0\r\nHost: {host}\r\n\r\n")));
        requests.push(h2("GET", host, "/host", b"", None));
    }
    for (method, head, wire, body) in framings() {
        let mut bytes = format!("{method} /body?x HTTP/1.1\r\nHost: {HOST}\r\n{head}\r\n").into_bytes();
        bytes.extend_from_slice(&wire);
        requests.push((Request::Http1(bytes), body.clone()));
        requests.push(h2(method, HOST, "/body?x", &body, None));
        requests.push(h2(method, HOST, "/body?x", &body, Some(body.len().to_string())));
    }
    requests
}

/// Sends everything through `way` and through a gate in front of a recording backend, and compares.
fn compare(site: &Site, way: &Way<'_>) {
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let backend = Backend::answering("seen");
    let gate = Gate::start(PORTCULLIS, site, &Configuration::passing_on(&[backend.address()], ""));
    let recorded = Way {
        gate,
        seen: Box::new(|_| {
            let seen = backend.received().iter().map(judged).collect();
            backend.forget();
            seen
        }),
    };
    let mut passed = 0;
    for (request, body) in requests() {
        let wanted = send(&recorded, &client, &request);
        let got = send(way, &client, &request);
        assert_eq!(wanted.is_some(), got.is_some(), "{request:?}");
        let (Some(wanted), Some(got)) = (wanted, got) else { continue };
        passed += 1;
        assert!(wanted.body == body, "{request:?}: {} bytes of {}", wanted.body.len(), body.len());
        assert!(got.body == body, "{request:?}: the server saw {} bytes of {}", got.body.len(), body.len());
        // That a query is there and empty is more than ASGI can say.
        let targets = [&got, &wanted].map(|seen| without_empty_query(&seen.target));
        assert_eq!(targets[0], targets[1], "{request:?}");
        assert_eq!((&got.method, &got.host), (&wanted.method, &wanted.host), "{request:?}");
        if let Some(path) = got.path {
            let undecoded = wanted.target.split('?').next().unwrap_or_default();
            assert_eq!(path, decoded(undecoded), "{request:?}");
        }
    }
    assert!(passed >= 100, "{passed} requests were passed on");
    assert_eq!(backend.faults(), [""; 0]);
}

fn without_empty_query(target: &str) -> &str {
    target.strip_suffix('?').filter(|path| !path.contains('?')).unwrap_or(target)
}

fn judged(received: &Received) -> Seen {
    let host = received.value("host").expect("one host");
    Seen {
        method: received.method(),
        target: received.target(),
        path: None,
        host,
        body: received.body.clone(),
    }
}

fn decoded(path: &str) -> Vec<u8> {
    let mut bytes = path.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16)).expect("two digits");
        decoded.push(match byte {
            b'%' => u8::try_from(digit() << 4 | digit()).expect("a byte"),
            _ => byte,
        });
    }
    decoded
}

/// A server that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// nginx passes what it saw on to a backend that records it, in fields of its own.
#[test]
fn nginx_reads_what_the_gate_judged() {
    if !available("nginx", "-v") {
        return;
    }
    let site = Site::new();
    let directory = Scratch::new();
    let behind = Backend::start(|exchange| {
        exchange.read_body()?;
        exchange.answer(200, b"seen").map(|()| Next::Stay)
    });
    let (_nginx, address) = start_nginx(directory.path(), behind.address());
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::passing_on(&[address], ""));
    let seen = |_: bool| {
        let field = |received: &Received, name: &str| received.value(name).unwrap_or_default();
        let raw = |received: &Received, name: &str| {
            received.fields().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
        };
        let seen = |received: &Received| Seen {
            method: field(received, "x-seen-method"),
            target: field(received, "x-seen-target"),
            path: raw(received, "x-seen-path"),
            host: field(received, "x-seen-host"),
            body: received.body.clone(),
        };
        let all = behind.received().iter().map(seen).collect();
        behind.forget();
        all
    };
    compare(&site, &Way { gate, seen: Box::new(seen) });
    assert_eq!(behind.faults(), [""; 0]);
}

fn start_nginx(directory: &Path, behind: SocketAddr) -> (Server, SocketAddr) {
    // It cannot be told to take any port, so it gets one that was free just now.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let at = directory.display();
    let configuration = format!(
        "daemon off;\nmaster_process off;\npid {at}/nginx.pid;\nerror_log {at}/error.log;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n access_log off;\n client_max_body_size 0;\n large_client_header_buffers 4 32k;\n\
         client_body_temp_path {at}/body;\n proxy_temp_path {at}/proxy;\n fastcgi_temp_path {at}/fastcgi;\n\
         uwsgi_temp_path {at}/uwsgi;\n scgi_temp_path {at}/scgi;\n merge_slashes off;\n\
         server {{\n  listen {free};\n  location / {{\n   proxy_pass http://{behind};\n   proxy_http_version 1.1;\n\
         proxy_set_header X-Seen-Method $request_method;\n   proxy_set_header X-Seen-Target $request_uri;\n\
         proxy_set_header X-Seen-Path $uri;\n   proxy_set_header X-Seen-Host $http_host;\n\
         proxy_set_header Connection close;\n  }}\n }}\n}}\n"
    );
    let file = directory.join("nginx.conf");
    std::fs::write(&file, configuration).expect("the directory can be written");
    let mut command = Command::new("nginx");
    command.arg("-e").arg(directory.join("error.log")).arg("-p").arg(directory).arg("-c").arg(file);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut server = Server(child.expect("nginx is there"));
    eventually("nginx accepts", || {
        let ended = server.0.try_wait().expect("the process is ours");
        assert!(
            ended.is_none(),
            "nginx ended: {}",
            std::fs::read_to_string(directory.join("error.log")).unwrap_or_default()
        );
        TcpStream::connect(free).is_ok()
    });
    (server, free)
}

/// An application that writes what it saw to standard output, one line for each request.
const APPLICATION: &str = r#"
import json, socket, sys, uvicorn

async def application(scope, receive, send):
    assert scope["type"] == "http"
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    target = scope["raw_path"].decode("latin-1")
    if scope["query_string"]:
        target += "?" + scope["query_string"].decode("latin-1")
    print(json.dumps({
        "method": scope["method"],
        "target": target,
        "path": scope["path"].encode("utf-8", "surrogateescape").hex(),
        "host": ",".join(hosts),
        "body": body.hex(),
    }), flush=True)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"seen"})

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
config = uvicorn.Config(application, http="h11", loop="asyncio", lifespan="off", log_level="warning", proxy_headers=False)
uvicorn.Server(config).run(sockets=[listener])
"#;

#[test]
fn an_asgi_server_reads_what_the_gate_judged() {
    let python = std::env::var("PORTCULLIS_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    if !available(&python, "--version") {
        return;
    }
    let imports = Command::new(&python).args(["-c", "import uvicorn, h11"]).stderr(Stdio::null()).status();
    if !imports.is_ok_and(|status| status.success()) {
        return skipped(&format!("{python} has no uvicorn with h11"));
    }
    let site = Site::new();
    let child =
        Command::new(&python).args(["-c", APPLICATION]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut server = Server(child.expect("it was there just now"));
    let mut lines =
        BufReader::new(server.0.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    let port = lines.next().expect("it says where it listens");
    let address = format!("127.0.0.1:{port}").parse().expect("an address");
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::passing_on(&[address], ""));
    let (sender, lines_so_far) = std::sync::mpsc::channel();
    std::thread::spawn(move || lines.try_for_each(|line| sender.send(line)));
    // The line is written before the answer, so it is in the pipe when the answer is here.
    let seen = |is_answered: bool| {
        let first = if is_answered { lines_so_far.recv_timeout(DEADLINE).ok() } else { None };
        first.into_iter().chain(lines_so_far.try_iter()).map(|line| parsed(&line)).collect()
    };
    compare(&site, &Way { gate, seen: Box::new(seen) });
}

fn parsed(line: &str) -> Seen {
    let fields: BTreeMap<String, String> =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let bytes = |name: &str| {
        let hex = fields[name].as_bytes();
        let byte =
            |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("digits"), 16).expect("digits");
        hex.chunks(2).map(byte).collect::<Vec<u8>>()
    };
    Seen {
        method: fields["method"].clone(),
        target: fields["target"].clone(),
        path: Some(bytes("path")),
        host: fields["host"].clone(),
        body: bytes("body"),
    }
}
