//! HTTP/1.1 and h2 on a TLS stream: hyper's parsers on the shard's executor, the gate's rules around them.

mod answer;
mod authority;
mod body;
mod forward;
mod guard;
mod h1;
mod h2;
mod hand_off;
mod problem;
mod routing;
mod seal;
mod seal_refusal;
mod sealed_answer;
mod sealed_body;
mod service;
mod token;

pub(crate) use h1::serve as serve_h1;
pub(crate) use h2::serve as serve_h2;
pub(crate) use hand_off::{HandOff, identity_lines};
pub(crate) use problem::Problem;
pub(crate) use routing::{host_of, meet, path_of};
pub(crate) use seal::{REPLAY_ENTRIES_MAX, Seals};
pub(crate) use token::{Presenter, Tokens};
