//! Access tokens: JSON web tokens that an authorisation server signed, or any that it vouches for when it is asked, held to the client's
//! certificate.
//!
//! A [`KeySet`] is what an issuer publishes. [`AccessToken::verify`] takes what a client presents to what an issuer said, by
//! [`IssuerRules`], and [`AccessToken::from_introspection`] what it answers of one; a [`TokenDemand`] is what a route asks of it. A [`TokenCache`] remembers, for one shard, what was verified.
//!
//! Trust: every byte of a token is the client's until its signature is verified; a key set and an answer are the issuer's.

#![forbid(unsafe_code)]

mod access_token;
mod algorithm;
mod bearer;
mod cache;
mod compact;
mod demand;
mod error;
mod introspection;
mod key_set;

pub use access_token::{AccessToken, IssuerRules};
pub use algorithm::Algorithm;
pub use bearer::bearer;
pub use cache::TokenCache;
pub use compact::{TOKEN_BYTES_MAX, UnverifiedToken};
pub use demand::{Binding, TokenDemand};
pub use error::TokenError;
pub use key_set::{KeySet, KeySetError, LeftOut};
