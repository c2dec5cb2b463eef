//! Certificates with one fault each: a conforming QWAC with one property broken, or with a few.

mod combined;
mod organization;
mod psd2;
mod qualification;
mod usage;

use rustls_pki_types::CertificateDer;

use crate::blueprint::{Blueprint, Press};
use crate::{Authority, Error};

/// One fault to be made.
pub(crate) struct Fault {
    name: &'static str,
    what: &'static str,
    edit: fn(&mut Blueprint),
}

/// A row of a table of faults.
pub(crate) const fn fault(name: &'static str, what: &'static str, edit: fn(&mut Blueprint)) -> Fault {
    Fault { name, what, edit }
}

/// A certificate with a fault.
#[derive(Clone, Debug)]
pub struct FaultyCertificate {
    /// The name of the case, in kebab-case.
    pub name: &'static str,
    /// What is wrong with it, or what is odd and right.
    pub what: &'static str,
    /// The certificate, signed by the issuing CA.
    pub der: CertificateDer<'static>,
}

/// Every case, the conforming certificate first. They are valid from September 2026 to February 2027 unless a case says otherwise.
///
/// # Errors
///
/// [`Error::Issue`] when a key cannot be made.
pub fn faulty_certificates(authority: &Authority) -> Result<Vec<FaultyCertificate>, Error> {
    let press = Press::new(authority)?;
    let conforming = [fault("conforming", "nothing: a QWAC as it should be", |_| ())];
    let tables: [&[Fault]; 6] = [
        &conforming,
        qualification::FAULTS,
        psd2::FAULTS,
        organization::FAULTS,
        usage::FAULTS,
        combined::FAULTS,
    ];
    let made = tables
        .into_iter()
        .flatten()
        .map(|Fault { name, what, edit }| Ok(FaultyCertificate { name, what, der: press.print(*edit)? }));
    made.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_case_is_one_of_its_own() {
        let cases = faulty_certificates(&Authority::qtsp().unwrap()).unwrap();
        assert!(cases.len() > 150, "{}", cases.len());
        let names: HashSet<_> = cases.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), cases.len());
        let whats: HashSet<_> = cases.iter().map(|case| case.what).collect();
        assert_eq!(whats.len(), cases.len());
        // Signatures differ anyway: what is signed must.
        let signed = |der: &[u8]| der[4..der.len() - 80].to_vec();
        let contents: HashSet<_> = cases.iter().map(|case| signed(&case.der)).collect();
        assert_eq!(contents.len(), cases.len());
    }
}
