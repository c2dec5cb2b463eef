//! Any bytes as a trusted list: no panic, and nothing is valid, since nobody may sign it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_trust::list::{ListStatus, inspect_list};

fuzz_target!(|bytes: &[u8]| {
    let (list, signature) = inspect_list(bytes, &[]);
    let error = signature.expect_err("a list that nobody may sign is signed");
    assert!(!error.to_string().is_empty());
    assert_eq!(list.is_none(), error.status() == ListStatus::Unparsable);
});
