//! The TLS handshake and the TLS stream, over monoio.
//!
//! A connection walks [`ClientHello::read`] -> [`ClientHello::finish`] -> [`Handshaken`]. What the handshake asks
//! about a client it asks a [`ClientJudge`]; this crate knows no certificate rules.

#![forbid(unsafe_code)]

mod activity;
mod config;
mod failure;
mod farewell;
mod hello;
mod judge;
mod key_ring;
mod key_schedule;
mod peer_chain;
mod possession;
mod stream;
mod ticket;
mod ticketer;

pub use activity::Activity;
pub use config::{
    ClientCertificates, ConfigError, ServerIdentity, Tickets, TlsParameters, key_matches, server_config,
};
pub use failure::HandshakeFailure;
pub use hello::{ClientHello, Handshaken};
pub use judge::{ClientJudge, HandshakeContext, Passage, TicketEvent};
pub use key_ring::{KeyRing, KeyRingError, TicketSecret};
pub use peer_chain::PeerChain;
pub use stream::TlsStream;
pub use ticket::{DomainKeys, Origin, Taken, TicketRefusal};
