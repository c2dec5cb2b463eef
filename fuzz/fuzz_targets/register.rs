//! Any bytes as the EBA's register and as a table: no panic, and what is said of a provider is of one time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_policy::resolve_authority;
use portcullis_trust::{ProviderName, RegisterBuilder, Registered, TableForm};

const BYTES_MAX: u64 = 1 << 20;
const NOW: i64 = 1_790_000_000;

fuzz_target!(|bytes: &[u8]| {
    let mut eba = RegisterBuilder::new(resolve_authority);
    let read = eba.read_eba(bytes, BYTES_MAX);
    if let Err(error) = &read {
        assert!(error.code().starts_with("register."));
    } else {
        let register = eba.build();
        assert!(!register.is_empty());
        let found = register.look_up(("IE", "CBI"), ProviderName::Number("C58301"), Some(*b"IE"), NOW);
        if let Registered::Authorised { roles, passported, until } = found {
            assert!(until >= NOW && roles.union(passported) == roles);
        }
    }
    for form in [TableForm::Csv, TableForm::Json] {
        let mut table = RegisterBuilder::new(resolve_authority);
        if let Err(error) = table.read_table(bytes, form, BYTES_MAX) {
            assert!(error.code().starts_with("register."));
        }
    }
});
