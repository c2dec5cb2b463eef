//! What `check` says about a configuration, mistake by mistake.

mod bench;
mod client_auth;
mod issuer;
mod listener;
mod log;
mod reload;
mod resumption;
mod revocation;
mod route;
mod seal;
mod syntax;
mod upstream;

use bench::{Bench, GOOD};
