//! Any bytes as the head of an upstream's answer: no panic, and no field of the connection passes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use portcullis_http1::is_hop_by_hop;
use portcullis_upstream::read_answer_fields;

fuzz_target!(|bytes: &[u8]| {
    let Some(fields) = read_answer_fields(&Bytes::copy_from_slice(bytes)) else { return };
    assert!(fields.keys().all(|name| !is_hop_by_hop(name.as_str())));
});
