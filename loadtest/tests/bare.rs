//! The bare server as a load meets it: it answers those who prove a key, and with an anchor those alone whose path leads there.

#![allow(clippy::unwrap_used, reason = "these functions belong to tests, whose failure a panic is")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use portcullis_test_pki::{Authority, ServerCertificate, TppCertificate};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// Longest wait for the server to answer or to end. Past it the test fails.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Files of an authority, its server and its client, and of a stranger with an authority of its own, until the test ends.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let directory = env::temp_dir().join(format!("loadtest-bare-{}-{name}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (known, other) = (Authority::qtsp().unwrap(), Authority::qtsp().unwrap());
        fs::write(directory.join("root.pem"), known.root_pem()).unwrap();
        let server = ServerCertificate::new(["localhost"]).issue(&known).unwrap();
        server.write(&directory, "server").unwrap();
        for (name, authority) in [("client", &known), ("stranger", &other)] {
            let client = TppCertificate::new("Lindenblatt Kontodienst GmbH").issue(authority).unwrap();
            client.write(&directory, name).unwrap();
        }
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A server until the test ends.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(files: &Files, io: &str, anchor: Option<&Path>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
        command.args(["bare", "--listen", "127.0.0.1:0", "--io", io]);
        command.arg("--chain").arg(files.path("server.pem")).arg("--key").arg(files.path("server.key"));
        if let Some(anchor) = anchor {
            command.arg("--anchor").arg(anchor);
        }
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = line.trim().strip_prefix("listening on ").expect("the address is the first line");
        let (address, driver) = said.split_once(" by ").expect("and the driver");
        assert!(io == "auto" || io == driver, "{line}");
        Self { process, address: address.to_owned() }
    }

    /// A connection on which the test speaks itself, as the client.
    fn connect(&self, files: &Files) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(files.path("root.pem")).unwrap()).unwrap();
        let chain = CertificateDer::pem_file_iter(files.path("client.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(files.path("client.key")).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain.map(Result::unwrap).collect(), key)
            .unwrap();
        let tls = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        StreamOwned::new(tls, self.dial())
    }

    fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream
    }

    /// A load of a client with the files of that name, or without a certificate.
    fn load(&self, files: &Files, what: &str, client: Option<&str>, options: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
        command.args([
            what,
            "--target",
            &self.address,
            "--sni",
            "localhost",
            "--count",
            "20",
            "--format",
            "json",
        ]);
        command.arg("--ca").arg(files.path("root.pem")).args(options);
        if let Some(client) = client {
            command.arg("--cert").arg(files.path(&format!("{client}.pem")));
            command.arg("--key").arg(files.path(&format!("{client}.key")));
        }
        command.output().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_client_is_answered_in_both_versions_and_on_a_kept_connection() {
    let files = Files::new("answers");
    for io in ["auto", "epoll"] {
        let server = Server::start(&files, io, Some(&files.path("root.pem")));
        for (what, options) in [
            ("handshake", ["--tls", "1.3"]),
            ("handshake", ["--tls", "1.2"]),
            ("request", ["--connections", "4"]),
        ] {
            let output = server.load(&files, what, Some("client"), &options);
            assert!(output.status.success(), "{what} {options:?}: {output:?}");
            let report = report(&output);
            assert_eq!((&report["completed"], &report["failed"]), (&20.into(), &0.into()), "{report}");
        }
    }
}

#[test]
fn an_anchor_decides_who_passes_and_without_one_a_key_is_enough() {
    let files = Files::new("anchor");
    let strict = Server::start(&files, "auto", Some(&files.path("root.pem")));
    let open = Server::start(&files, "auto", None);
    for (server, client, passes) in [
        (&strict, Some("client"), true),
        (&strict, Some("stranger"), false),
        (&strict, None, false),
        (&open, Some("client"), true),
        (&open, Some("stranger"), true),
        (&open, None, false),
    ] {
        let output = server.load(&files, "handshake", client, &[]);
        assert_eq!(output.status.success(), passes, "{client:?}: {output:?}");
    }
}

#[test]
fn requests_that_come_together_are_all_answered_and_the_end_is_said() {
    let files = Files::new("together");
    let server = Server::start(&files, "auto", None);
    let mut connection = server.connect(&files);
    let requests = "GET / HTTP/1.1\r\n\r\n".repeat(4999) + "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
    connection.write_all(requests.as_bytes()).unwrap();
    let mut answers = String::new();
    // Without close_notify this is an error.
    connection.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 5000);
    assert!(answers.ends_with("\r\n\r\nok\n"));
}

#[test]
fn a_head_without_an_end_or_a_bad_one_ends_the_connection() {
    let files = Files::new("heads");
    let server = Server::start(&files, "auto", None);
    for head in [format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(70_000)), "POST / HTTP/1.1\r\n\r\n".to_owned()]
    {
        let mut connection = server.connect(&files);
        connection.write_all(head.as_bytes()).unwrap();
        let mut answers = String::new();
        // What is written after the end may reset the connection before the end is read.
        let _ = connection.read_to_string(&mut answers);
        assert_eq!(answers, "");
    }
    assert!(server.load(&files, "handshake", Some("client"), &[]).status.success(), "others are served on");
}

#[test]
fn what_is_not_tls_is_told_so_and_ended() {
    let files = Files::new("nonsense");
    let server = Server::start(&files, "auto", None);
    let mut connection = server.dial();
    connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut told = Vec::new();
    connection.read_to_end(&mut told).unwrap();
    assert_eq!(told.first(), Some(&21), "an alert (RFC 8446, section 5.1): {told:?}");
    assert!(server.load(&files, "handshake", Some("client"), &[]).status.success(), "others are served on");
}
