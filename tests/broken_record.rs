//! A record that is none, in the middle of a session. The client has shaken hands and perhaps asked; then it sends a record that
//! no key decrypts, and more behind it. It must read the fatal alert that says so, and then the end of the stream. A gate that just
//! closes its socket, with input unread, resets the connection instead: the reset overtakes the alert, or the alert is never sent.

use std::io::{Read as _, Write as _};

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, HOST, Refusal, Site, TlsClient, TlsConnection, Version, eventually,
};
use portcullis_test_pki::Role;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

/// The header of a record of application data, with 32 bytes to follow.
const BROKEN_RECORD: [u8; 5] = [23, 3, 3, 0, 32];
/// What the client had under way when the gate gave up: more than one read takes, and less than the gate stays to hear.
const REST_BYTES: usize = 64 * 1024;
/// The preface of h2 and empty SETTINGS (RFC 9113 3.4).
const H2_HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn break_off(mut connection: TlsConnection, what: &str) {
    let mut bytes = BROKEN_RECORD.to_vec();
    bytes.resize(bytes.len() + REST_BYTES, 0x17);
    connection.socket().write_all(&bytes).expect("the gate takes it");
    let end = connection.end_after_rest();
    assert_eq!(end, Refusal::Alert(AlertDescription::BadRecordMac), "{what}");
    // The alert is the last word and the end a clean one.
    assert_eq!(connection.socket().read(&mut [0; 16]).expect("no reset"), 0, "{what}");
}

#[test]
fn a_broken_record_is_answered_by_an_alert() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let (client, address) =
        (TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi])), gate.address("tpp"));
    assert_eq!(client.get(address, "/").expect("an answer").status, 200);
    let descriptors = gate.process().descriptor_count();
    for version in Version::BOTH {
        let client = client.clone().version(version);
        let fresh = || client.clone().alpn(&["http/1.1"]).connect(address).expect("a session");
        break_off(fresh(), &format!("{version:?}, nothing asked"));
        let mut asked = fresh();
        assert_eq!(asked.get("/").expect("an answer").status, 200);
        break_off(asked, &format!("{version:?}, after an answer"));
        let mut asking = fresh();
        asking.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n").as_bytes()).expect("half a request");
        break_off(asking, &format!("{version:?}, within a request"));
        let mut h2 = client.clone().alpn(&["h2"]).connect(address).expect("a session");
        h2.send(H2_HELLO).expect("a preface");
        break_off(h2, &format!("{version:?}, h2"));
    }
    // A client of TLS 1.3 is done with its handshake before the gate is: a record may then fail the handshake still.
    let failed = || {
        let metrics = gate.metrics();
        metrics.sum("portcullis_connections_closed_total", &[("reason", "failed")])
            + metrics.sum("portcullis_tls_handshake_failures_total", &[("reason", "decrypt_error")])
    };
    eventually("each is counted", || failed() == 8.0);
    eventually("descriptors are free again", || gate.process().descriptor_count() <= descriptors + 3);
    assert_eq!(client.get(address, "/").expect("an answer").status, 200);
}
