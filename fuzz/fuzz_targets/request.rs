//! Any bytes as the head of a request: no panic, and one end and one framing however they are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_http1::{HeadEnd, HeadLimits, scan, scan_trailers};

const LIMITS: HeadLimits = HeadLimits { bytes_max: 32 * 1024, fields_max: 100, trailers: true };

fuzz_target!(|bytes: &[u8]| {
    let whole = HeadEnd::new().find(bytes, LIMITS.bytes_max);
    let mut end = HeadEnd::new();
    let cut = bytes.len() / 2;
    let pieces = match end.find(&bytes[..cut], LIMITS.bytes_max) {
        Ok(None) => end.find(bytes, LIMITS.bytes_max),
        found => found,
    };
    assert_eq!(whole.is_err(), pieces.is_err());
    let Ok(Some(len)) = whole else { return };
    assert_eq!(pieces, Ok(Some(len)));
    assert!(bytes[..len].ends_with(b"\r\n"));
    let _ = scan_trailers(&bytes[..len], &LIMITS);
    if scan(&bytes[..len], &LIMITS).is_ok() {
        // What is accepted can be accepted in one way only: no line ends but with CRLF, and no byte controls a terminal.
        let is_plain = |byte: &u8| !byte.is_ascii_control() || matches!(byte, b'\t' | b'\r' | b'\n');
        assert!(bytes[..len].iter().all(is_plain));
    }
});
