//! A TCP socket over monoio whose completion I/O can be polled.

#![forbid(unsafe_code)]

mod socket;

pub use socket::Socket;
