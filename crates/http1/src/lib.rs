//! Strict HTTP/1.1 framing: request heads, trailer sections and chunks, judged before a parser sees them.
//!
//! Every byte here is hostile. Nothing is repaired, nothing is allocated.

#![forbid(unsafe_code)]

mod chunk;
mod head;

pub use chunk::{Chunk, ChunkStep};
pub use head::{
    CONTENT_LENGTH_MAX, Framing, HeadEnd, HeadLimits, HeadRefusal, is_hop_by_hop, is_token, may_trail,
    parse_length, scan, scan_trailers,
};
