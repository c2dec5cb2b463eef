//! Drives the built gate from outside: processes, clients, scrapes.
//!
//! Everything here fails by panicking, with what it saw: it runs in tests only.

#![forbid(unsafe_code)]

mod authorisation_server;
mod backend;
mod client_identity;
mod command;
mod configuration;
mod exchange;
mod full_listener;
mod gate;
mod h2_client;
mod http;
mod https_server;
mod log;
mod metrics;
mod passage;
mod patience;
mod process;
mod product;
mod received;
mod scratch;
mod service_manager;
mod site;
mod tls_client;
mod tls_connection;
mod wire_client;

pub use authorisation_server::AuthorisationServer;
pub use backend::{Backend, Next};
pub use command::{Curl, OpenSsl, available, run_with_input, skipped};
pub use configuration::Configuration;
pub use exchange::Exchange;
pub use full_listener::FullListener;
pub use gate::Gate;
pub use h2_client::{H2Client, H2Refusal, H2Response, h2_request};
pub use http::Response;
pub use https_server::{Answering, HttpsServer};
pub use log::{Log, Record};
pub use metrics::Metrics;
pub use passage::{Passage, problem_code};
pub use patience::{DEADLINE, eventually};
pub use process::{ProcessView, allow_descriptors};
pub use product::{Product, RunningProduct, ServedListener, ServedName, Service};
pub use received::Received;
pub use rustls::{AlertDescription, SignatureScheme};
pub use scratch::Scratch;
pub use service_manager::{Message, ServiceManager};
pub use site::{HOST, Site};
pub use tls_client::{TlsClient, Version};
pub use tls_connection::{Refusal, TlsConnection};
pub use wire_client::{KeptSession, Outcome, WireClient, WireConnection};
