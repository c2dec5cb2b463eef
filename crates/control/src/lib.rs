//! The control plane: configuration, reload, admin listener.
//!
//! One thread with its own runtime. It reads the configuration, publishes it to the shards, keeps the logs and answers the
//! operator; it never touches a client's connection.

mod admin_client;
mod admin_listener;
mod admin_tls;
mod admin_token;
mod clock;
mod configuration;
mod control_plane;
mod error;
mod fetch;
mod introspection;
mod issuers;
mod key_file;
mod keys;
mod ledger;
mod logging;
mod memory;
mod open_files;
mod record_file;
mod recorder;
mod register;
mod revocation;
mod service_manager;
mod signals;
mod ticket_keys;
mod trusted_lists;

pub use admin_client::{AdminClient, AdminClientError};
pub(crate) use configuration::TABLE_BYTES_MAX;
pub use configuration::{
    AdminSettings, CertificateExpiry, Configuration, CrlSource, IntrospectionSource, IssuerSource,
    KeySettings, ListSource, LogSettings, Mistake, Mistakes, RegisterSettings, RegisterSource,
    RevocationSettings, Rotation, StatusSource, TicketKeySource, TrustSettings,
};
pub use control_plane::run;
pub use error::ControlError;
pub use key_file::{KeyFileError, create_key_file, rotate_key_file};
pub use register::{RegisterFacts, open_register, register_facts};
pub use revocation::{CrlFacts, RevocationFacts, revocation_facts};
pub use trusted_lists::{FailedList, fetch_trusted_lists, read_trusted_lists};
