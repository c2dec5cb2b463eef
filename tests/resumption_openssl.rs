//! OpenSSL as a client that keeps its session in a file: whole, it resumes; with a ticket that was altered, or with another's
//! secret, it does not.

use std::path::Path;
use std::process::Command;

use portcullis_test_harness::{Configuration, Gate, HOST, OpenSsl, Site, available};
use portcullis_test_pki::Role;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const OTHER: &str = "other.bank.example";

struct Client<'a> {
    site: &'a Site,
    gate: &'a Gate,
    version: &'a str,
}

impl Client<'_> {
    /// Connects with these arguments besides its certificate; whether it was resumed, if it was answered.
    fn is_resumed(&self, arguments: &[&str]) -> Option<bool> {
        let directory = self.site.directory();
        let file = |name: &str| directory.join(name).display().to_string();
        let (ca, certificate, key) = (file("ca.pem"), file("tpp.pem"), file("tpp.key"));
        let identity = [self.version, "-cert", &certificate, "-cert_chain", &certificate, "-key", &key];
        let arguments = [&identity[..], arguments].concat();
        let got = OpenSsl::get(self.gate.address("tpp"), "/", Path::new(&ca), &arguments);
        got.text.contains("HTTP/1.1 ").then(|| {
            match (got.text.contains("Reused, TLS"), got.text.contains("New, TLS")) {
                (true, false) => true,
                (false, true) => false,
                _ => panic!("neither new nor reused: {}", got.text),
            }
        })
    }

    /// A session in a file.
    fn keep(&self, name: &str) -> String {
        let file = self.site.path(name).display().to_string();
        assert_eq!(self.is_resumed(&["-sess_out", &file]), Some(false));
        file
    }

    /// Changes the session of a file into another one beside it.
    fn change(&self, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
        let (der, changed) = (format!("{file}.der"), format!("{file}.changed"));
        convert(file, "PEM", &der, "DER");
        let mut session = std::fs::read(&der).expect("a session");
        change(&mut session);
        std::fs::write(&der, session).expect("a file");
        convert(&der, "DER", &changed, "PEM");
        changed
    }
}

fn convert(from: &str, from_form: &str, to: &str, to_form: &str) {
    let mut command = Command::new("openssl");
    command.args(["sess_id", "-in", from, "-inform", from_form, "-out", to, "-outform", to_form]);
    let output = command.output().expect("openssl is there");
    assert!(output.status.success(), "{output:?}");
}

/// Where the content of an element of `SSL_SESSION` is: tag, number of the element with that tag.
fn element(session: &[u8], tag: u8, number: usize) -> std::ops::Range<usize> {
    let (_, mut at) = header(session, 0);
    let mut found = 0;
    loop {
        let (length, content) = header(session, at);
        if session[at] == tag {
            if found == number {
                return content..content + length;
            }
            found += 1;
        }
        at = content + length;
    }
}

/// Length and place of the content of an element in DER.
fn header(der: &[u8], at: usize) -> (usize, usize) {
    match der[at + 1] {
        0x81 => (usize::from(der[at + 2]), at + 3),
        0x82 => (usize::from(der[at + 2]) << 8 | usize::from(der[at + 3]), at + 4),
        length => (usize::from(length), at + 2),
    }
}

/// The ticket, `[10] EXPLICIT OCTET STRING`: its octets.
fn ticket(session: &[u8]) -> std::ops::Range<usize> {
    let outer = element(session, 0xaa, 0);
    let (length, content) = header(session, outer.start);
    content..content + length
}

/// The secret, the third OCTET STRING.
fn secret(session: &[u8]) -> std::ops::Range<usize> {
    element(session, 0x04, 2)
}

fn each_version(test: impl Fn(&Client<'_>)) {
    if !available("openssl", "version") {
        return;
    }
    let site = Site::new();
    site.write("ca.pem", &site.bank.root_pem());
    site.put("tpp", &site.tpp(&[Role::PspAi]));
    site.serve("other", &[OTHER]);
    let certificate = |file: &str, more: &str| {
        format!("[[listener.certificate]]\nchain = \"{file}.pem\"\nkey = \"{file}.key\"\n{more}\n")
    };
    let tables = [certificate("server", "default = true"), certificate("other", "")].concat();
    let configuration = Configuration::default().certificates(&tables);
    let gate = Gate::start(PORTCULLIS, &site, &configuration);
    for version in ["-tls1_2", "-tls1_3"] {
        test(&Client { site: &site, gate: &gate, version });
    }
}

#[test]
fn a_session_that_is_kept_resumes() {
    each_version(|client| {
        let file = client.keep("session");
        assert_eq!(client.is_resumed(&["-sess_in", &file]), Some(true), "{}", client.version);
        let untouched = client.change(&file, |_| ());
        assert_eq!(client.is_resumed(&["-sess_in", &untouched]), Some(true), "{}", client.version);
    });
}

/// The gate does not know P-521, for which alone the first hello has a key, and asks for another hello (RFC 8446 4.1.4).
#[test]
fn a_hello_that_is_asked_for_again_resumes_too() {
    each_version(|client| {
        let groups = ["-groups", "P-521:X25519:P-256"];
        let file = client.keep("session");
        let resumed = client.is_resumed(&[&groups[..], &["-sess_in", &file]].concat());
        assert_eq!(resumed, Some(true), "{}", client.version);
        let changed = client.change(&file, |session| {
            let at = ticket(session).start;
            session[at + 40] ^= 1;
        });
        let resumed = client.is_resumed(&[&groups[..], &["-sess_in", &changed]].concat());
        assert_eq!(resumed, Some(false), "{}", client.version);
    });
}

#[test]
fn a_ticket_that_is_altered_does_not() {
    each_version(|client| {
        let file = client.keep("session");
        for octet in [0, 1, 9, 17, 29, 100] {
            let changed = client.change(&file, |session| {
                let at = ticket(session).start + octet;
                session[at] ^= 0x10;
            });
            assert_eq!(client.is_resumed(&["-sess_in", &changed]), Some(false), "{}", client.version);
        }
        assert_eq!(client.is_resumed(&["-sess_in", &file]), Some(true), "{}", client.version);
    });
}

#[test]
fn a_ticket_with_anothers_secret_is_refused() {
    each_version(|client| {
        let (file, other) = (client.keep("session"), client.keep("another"));
        let mut others = Vec::new();
        client.change(&other, |session| others = session[secret(session)].to_vec());
        let changed = client.change(&file, |session| {
            let place = secret(session);
            session[place].copy_from_slice(&others);
        });
        assert_eq!(client.is_resumed(&["-sess_in", &changed]), None, "{}", client.version);
        assert_eq!(client.is_resumed(&["-sess_in", &file]), Some(true), "{}", client.version);
    });
}

#[test]
fn a_ticket_at_another_name_leads_to_a_full_handshake() {
    each_version(|client| {
        let file = client.keep("session");
        // The request is for the first name still, and sent away.
        assert_eq!(client.is_resumed(&["-sess_in", &file, "-servername", OTHER]), Some(false));
        assert_eq!(client.is_resumed(&["-sess_in", &file, "-servername", HOST]), Some(true));
    });
}
