//! Any bytes as a chunked body: no panic, always forward, and never more data than bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_http1::{Chunk, ChunkStep};

fuzz_target!(|bytes: &[u8]| {
    let (mut chunk, mut rest) = (Chunk::START, bytes);
    while !rest.is_empty() {
        let Ok((len, step)) = chunk.step(rest) else { return };
        assert!(len <= rest.len());
        match step {
            ChunkStep::Next(next) => {
                assert!(len > 0);
                chunk = next;
            }
            ChunkStep::End => return assert_eq!(len, 1),
            ChunkStep::Trailers => return assert_eq!(len, 0),
        }
        rest = &rest[len..];
    }
});
