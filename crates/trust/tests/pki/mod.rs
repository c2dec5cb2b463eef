//! Certificates made for each test, valid from 2026-01-01 to 2028-01-01 unless a test says otherwise.
#![allow(dead_code, unreachable_pub, reason = "each test that includes it uses some of it")]
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

use std::time::Duration;

use portcullis_trust::{Anchors, EkuRule, PathError, TrustedPath};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, SignatureAlgorithm, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, UnixTime};

/// Whether `leaf` leads to one of `anchors` as a client at [`NOW`].
pub fn verify(
    anchors: &Anchors,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Result<TrustedPath, PathError> {
    anchors.verify_path(leaf, intermediates, EkuRule::ClientAuth, now())
}

pub type Authority = CertifiedIssuer<'static, KeyPair>;

/// 2027-01-01T00:00:00Z, within the validity of everything made here.
pub const NOW: i64 = 1_798_761_600;

pub fn now() -> UnixTime {
    at(NOW)
}

pub fn at(seconds: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds.try_into().unwrap()))
}

/// What a leaf has unless a test changes it: the usage that clients' certificates have.
pub fn leaf_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

pub fn ca_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2028, 1, 1);
    params
}

pub fn critical(mut params: CertificateParams, oid: &[u64]) -> CertificateParams {
    // The content is an empty SEQUENCE: nothing gets as far as looking at it.
    let mut extension = CustomExtension::from_oid_content(oid, vec![0x30, 0x00]);
    extension.set_criticality(true);
    params.custom_extensions.push(extension);
    params
}

pub fn key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}

pub fn key_for(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

pub fn root(name: &str) -> Authority {
    root_with(name, key())
}

pub fn root_with(name: &str, key: KeyPair) -> Authority {
    CertifiedIssuer::self_signed(ca_params(name), key).unwrap()
}

pub fn intermediate(params: CertificateParams, issuer: &Authority) -> Authority {
    CertifiedIssuer::signed_by(params, key(), issuer).unwrap()
}

pub fn leaf(params: &CertificateParams, issuer: &Authority) -> CertificateDer<'static> {
    params.signed_by(&key(), issuer).unwrap().der().clone()
}

pub fn anchors(authorities: &[&Authority]) -> Anchors {
    let pem: String = authorities.iter().map(|authority| authority.pem()).collect();
    Anchors::from_pem(pem.as_bytes()).unwrap()
}

pub fn chain(authorities: &[&Authority]) -> Vec<CertificateDer<'static>> {
    authorities.iter().map(|authority| authority.der().clone()).collect()
}
