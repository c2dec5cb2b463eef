//! The client against the tickets of rustls itself, which crosses no boundary here: there is one server.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use portcullis_test_pki::{Authority, Credential, Role, TppCertificate};
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{AlertDescription, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::Site;

/// A server that asks for certificates of the site's provider and answers everything with 200.
fn server(site: &Site) -> SocketAddr {
    let mut roots = RootCertStore::empty();
    roots.add(site.qtsp.root_der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder(roots.into()).allow_unauthenticated().build().unwrap();
    let credential = site.serve("own", &[HOST]);
    let config = ServerConfig::builder().with_client_cert_verifier(verifier);
    let mut config = config.with_single_cert(credential.chain(), credential.key()).unwrap();
    config.ticketer = Ticketer::new().unwrap();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // How a client ends is its affair.
            let _ = serve(stream, Arc::clone(&config));
        }
    });
    address
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<()> {
    stream.set_read_timeout(Some(crate::DEADLINE))?;
    let session = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, stream);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        // The end is where an alert goes out.
        stream
            .read_exact(&mut byte)
            .inspect_err(|_| drop(stream.sock.shutdown(std::net::Shutdown::Write)))?;
        request.extend(byte);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    stream.flush()
}

fn client(version: Version, credential: &Credential) -> WireClient {
    WireClient::new(version).credential(credential)
}

#[test]
fn sessions_are_made_and_resumed_in_both_versions() {
    let site = Site::new();
    let (address, tpp) = (server(&site), site.tpp(&[Role::PspAi]));
    for version in Version::BOTH {
        let client = client(version, &tpp);
        let session = client.session(address);
        assert_eq!(session.lifetime_s > 0, !session.ticket.is_empty(), "{version:?}");
        let offering = client.offering(&[session]);
        assert_eq!(offering.outcome(address), Outcome::Resumed(200), "{version:?}");
        assert_eq!(offering.is_taken_up(address), Ok(true), "{version:?}");
        assert_eq!(client.outcome(address), Outcome::Full(200), "{version:?}");
        assert_eq!(client.is_taken_up(address), Ok(false), "{version:?}");
        assert_eq!(client.without_credential().outcome(address), Outcome::Full(200), "{version:?}");
    }
}

#[test]
fn what_is_no_ticket_leads_to_a_full_handshake() {
    let site = Site::new();
    let (address, tpp) = (server(&site), site.tpp(&[Role::PspAi]));
    for version in Version::BOTH {
        let client = client(version, &tpp);
        let session = client.session(address);
        let mut altered = session.clone();
        altered.ticket[20] ^= 1;
        for ticket in [&altered.ticket[..], &session.ticket[..40], &[7; 200], &[7; 60_000]] {
            let offering = client.offering(&[session.with_ticket(ticket)]);
            assert_eq!(offering.outcome(address), Outcome::Full(200), "{version:?}");
            assert_eq!(offering.is_taken_up(address), Ok(false), "{version:?}");
        }
        let both = client.offering(&[altered.clone(), session.clone()]);
        let second = if version == Version::Tls13 { Outcome::Resumed(200) } else { Outcome::Full(200) };
        assert_eq!(both.outcome(address), second, "{version:?}");
    }
}

#[test]
fn a_ticket_is_worth_nothing_without_its_secret() {
    let site = Site::new();
    let (address, tpp) = (server(&site), site.tpp(&[Role::PspAi]));
    for version in Version::BOTH {
        let client = client(version, &tpp);
        let (own, others) = (client.session(address), client.session(address));
        let outcome = client.offering(&[own.with_secret_of(&others)]).outcome(address);
        assert!(matches!(outcome, Outcome::Refused(_)), "{version:?}: {outcome:?}");
    }
}

#[test]
fn a_refusal_is_the_alert_that_came() {
    let site = Site::new();
    let foreign = Authority::foreign().unwrap();
    let foreign = TppCertificate::new("Lindenblatt Kontodienst GmbH").issue(&foreign).unwrap();
    let address = server(&site);
    for version in Version::BOTH {
        let refusal = client(version, &foreign).refusal(address);
        assert_eq!(refusal, Refusal::Alert(AlertDescription::UnknownCA), "{version:?}");
    }
}
