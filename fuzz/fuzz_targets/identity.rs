//! Any bytes as a certificate: no panic, nothing half read, and what was read can be written as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_identity::{Identity, MAX_NAME_BYTES, MAX_ROLE_ENTRIES};

fuzz_target!(|der: &[u8]| {
    let Ok(identity) = Identity::from_der(der) else { return };
    let voided = identity.findings.iter().any(|finding| finding.code.voids_psd2());
    assert!(!(voided && identity.psd2.is_some()), "a voided statement was read: {identity:?}");
    if let Some(psd2) = &identity.psd2 {
        assert!((1..=MAX_ROLE_ENTRIES).contains(&psd2.role_entries.len()));
        assert!(psd2.roles.len() <= psd2.role_entries.len());
    }
    let name = &identity.subject.distinguished_name;
    assert!(!name.contains(char::is_control), "a control character is not escaped: {name:?}");
    assert!(name.len() <= MAX_NAME_BYTES * 4);
    assert!(serde_json::to_string(&identity).is_ok());
});
