//! Upstreams: the servers behind the gate, and the exchange of one request for one answer.
//!
//! [`Upstream::exchange`] takes an [`OutgoingRequest`], whose head the caller has written, and gives the answer's head
//! with a [`ResponseBody`] that goes on relaying, both ways, as it is polled. Nothing is spawned: an exchange that is
//! dropped ends at once, and its connection with it.

#![forbid(unsafe_code)]

mod alarm;
mod config;
mod connection;
mod error;
mod exchange;
mod relay;
mod request;
mod response;
mod upload;
mod upstream;

pub use config::UpstreamConfig;
pub use error::UpstreamError;
pub use exchange::ResponseBody;
pub use request::{BodyFraming, BodySource, HeldBody, OutgoingRequest, RequestBody, TrailerRule, push_field};
#[doc(hidden)]
pub use response::read_answer_fields;
pub use upstream::Upstream;
