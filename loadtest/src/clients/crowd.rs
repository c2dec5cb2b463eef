//! A crowd: every handshake brings a certificate that nobody has seen, which the client has made for itself.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use aws_lc_rs::rand;
use rcgen::{CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, KeyPair, SerialNumber};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Octets of a serial number: eight of the run, eight that count.
const SERIAL_OCTETS: usize = 16;

/// Makes a certificate for each handshake: of one key, signed by it, with a serial number of its own, so that no two are the same.
pub(super) struct Crowd {
    key: KeyPair,
    signing: Arc<dyn SigningKey>,
    params: CertificateParams,
    run: [u8; SERIAL_OCTETS / 2],
    made: AtomicU64,
}

impl Crowd {
    /// Makes the key, which is on P-256.
    pub(super) fn new() -> Result<Self> {
        let key = KeyPair::generate()?;
        let signing =
            any_supported_type(&PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())))?;
        let mut params = CertificateParams::new(["crowd.example.com".to_owned()])?;
        let names = [
            (DnType::CountryName, "DE"),
            (DnType::OrganizationName, "Lasttest Gedr\u{e4}nge GmbH"),
            (DnType::CommonName, "crowd.example.com"),
            (DnType::CustomDnType(vec![2, 5, 4, 97]), "PSDDE-BAFIN-999999"),
        ];
        for (kind, name) in names {
            params.distinguished_name.push(kind, DnValue::Utf8String(name.to_owned()));
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let mut run = [0; SERIAL_OCTETS / 2];
        rand::fill(&mut run)?;
        // A serial number is positive and begins with no octet of zeros.
        run[0] = run[0] & 0x3f | 0x40;
        let crowd = Self { key, signing, params, run, made: AtomicU64::new(0) };
        crowd.next().context("a certificate")?;
        crowd.made.store(0, Ordering::Relaxed);
        Ok(crowd)
    }

    /// Certificates that were made.
    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    fn next(&self) -> Result<CertifiedKey, rcgen::Error> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let serial = [self.run, number.to_be_bytes()].concat();
        let mut params = self.params.clone();
        params.serial_number = Some(SerialNumber::from(serial));
        let certificate = params.self_signed(&self.key)?;
        Ok(CertifiedKey::new(vec![certificate.der().clone()], Arc::clone(&self.signing)))
    }
}

impl ResolvesClientCert for Crowd {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::new(
            self.next().expect("one was made when the crowd began, and only its serial number differs"),
        ))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crowd").field("made", &self.made()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_certificates_are_the_same() {
        let crowds = [Crowd::new().unwrap(), Crowd::new().unwrap()];
        let mut seen = BTreeSet::new();
        for crowd in &crowds {
            for _ in 0..100 {
                let certified = crowd.resolve(&[], &[]).unwrap();
                assert!(seen.insert(certified.cert[0].to_vec()));
            }
            assert_eq!(crowd.made(), 100);
        }
    }
}
