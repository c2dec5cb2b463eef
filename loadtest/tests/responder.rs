//! The OCSP responder, asked by openssl.

#![allow(clippy::unwrap_used, reason = "these functions belong to tests, whose failure a panic is")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use portcullis_test_pki::{Authority, IssuingCa, KeyType, Subject, SubjectKey, TppCertificate};

/// A responder until the test ends.
struct Responder {
    process: Child,
    address: String,
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Responder {
    fn start(folder: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_loadtest"))
            .current_dir(folder)
            .args(["responder", "--listen", "127.0.0.1:0", "--issuer", "ca.pem", "--issuer-key", "ca.key"])
            .args(["--revoked-serials", "revoked.txt", "--valid", "2m"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { process, address }
    }

    fn ask(&self, request: &str) -> String {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        connection.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn openssl_is_told_who_is_good_and_who_is_revoked() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("responder");
    fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let authority = Authority::qtsp().unwrap();
    let ca = IssuingCa::from_pem(&authority.issuing_pem(), &authority.issuing_key_pem()).unwrap();
    for (name, serial_number) in [("good.pem", [0x41, 1]), ("revoked.pem", [0x42, 0xab])] {
        let certificate = TppCertificate::new("Lasttest GmbH").subject(Subject::new("Lasttest GmbH"));
        let key = SubjectKey::generate(KeyType::P256).unwrap();
        let leaf = certificate.serial_number(&serial_number).issue_for(&key, &ca).unwrap();
        let text = BASE64_STANDARD.encode(&leaf);
        write(name, &format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"));
    }
    write("ca.pem", &authority.issuing_pem());
    write("ca.key", &authority.issuing_key_pem());
    write("root.pem", &authority.root_pem());
    write("revoked.txt", "42ab\n");
    let responder = Responder::start(&folder);
    let url = format!("http://{}", responder.address);
    for hash in ["-sha1", "-sha256"] {
        let openssl = Command::new("openssl")
            .current_dir(&folder)
            .args(["ocsp", "-issuer", "ca.pem", hash, "-cert", "good.pem", "-cert", "revoked.pem"])
            .args(["-url", &url, "-CAfile", "root.pem", "-verify_other", "ca.pem", "-no_nonce"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&openssl.stdout);
        assert!(said.contains("good.pem: good") && said.contains("revoked.pem: revoked"), "{openssl:?}");
        assert!(String::from_utf8_lossy(&openssl.stderr).contains("Response verify OK"), "{openssl:?}");
    }
    assert!(responder.ask("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n0").starts_with("HTTP/1.1 400 "));
    let stats = responder.ask("GET /stats HTTP/1.1\r\n\r\n");
    assert!(stats.ends_with(r#"{"answered":2,"good":2,"revoked":2,"refused":1}"#), "{stats}");
}
