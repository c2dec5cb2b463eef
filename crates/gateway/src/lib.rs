//! The data plane: one pinned thread per core, each with its own runtime, listeners, TLS configurations and
//! connections. Shards share nothing that they write.

#![forbid(unsafe_code)]

mod assertion;
mod bell;
mod connection;
mod deadlines;
mod dry_run;
mod gateway;
mod heartbeat;
mod http;
mod introspection;
mod issuer;
mod judge;
mod listener;
mod live;
pub mod plan;
mod session;
mod shard;
mod sighting;
mod slots;
mod spool;
mod verification;
mod view;

pub use dry_run::{Foreseen, Supposed, dry_run};
pub use gateway::{Gateway, Published, StartError, check_certificate};
pub use heartbeat::{HEARTBEAT_AGE_MAX, Heartbeats};
pub use live::{LiveConnections, Place};
pub use portcullis_handshake::{KeyRing, KeyRingError, TicketSecret};
pub use shard::IoBackend;
pub use sighting::{Sighting, SightingSink, SightingSinks, sightings};
