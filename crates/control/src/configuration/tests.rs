//! What `check` says about a configuration, mistake by mistake.

mod bench;
mod client_auth;
mod listener;
mod reload;
mod route;
mod syntax;
mod upstream;

use bench::{Bench, GOOD};
