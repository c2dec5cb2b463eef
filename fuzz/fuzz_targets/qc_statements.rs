//! Any bytes as the content of a qcStatements extension: no panic, and a statement is read whole or voided.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_identity::{MAX_STRING_CHARS, QcExtension};

fuzz_target!(|der: &[u8]| {
    let read = QcExtension::from_der(der);
    let voided = read.findings.iter().any(|finding| finding.code.voids_psd2());
    assert!(!(voided && read.psd2.is_some()), "a voided statement was read: {read:?}");
    let Some(psd2) = read.psd2 else { return };
    let names = psd2.role_entries.iter().map(|entry| &entry.name);
    for text in names.chain([&psd2.nca_name, &psd2.nca_id]) {
        assert!((1..=MAX_STRING_CHARS).contains(&text.chars().count()));
    }
});
