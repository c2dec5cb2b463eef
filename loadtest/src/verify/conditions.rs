//! What certificates are judged by.

use std::sync::Arc;

use anyhow::{Context, Result};
use portcullis_identity::TbsCertificate;
use portcullis_policy::{Ledger, Profile, Purpose, RevocationRules, Rules};
use portcullis_trust::{Anchors, Crl, EkuRule, Issuer};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::VerifyProfile;
use super::certificates::Certificates;

/// Certificates and what they are judged by, which all threads share.
pub(super) struct Conditions<'a> {
    pub(super) certificates: &'a Certificates,
    pub(super) rules: Rules,
    pub(super) anchors: Anchors,
    pub(super) revocation: RevocationRules,
    pub(super) ledger: Ledger,
    /// The present, at which all of them are judged.
    pub(super) now: UnixTime,
}

impl<'a> Conditions<'a> {
    /// Under a profile, with roots in PEM, and a CRL of so many serial numbers.
    pub(super) fn new(
        profile: VerifyProfile,
        certificates: &'a Certificates,
        roots: &str,
        revoked: u32,
    ) -> Result<Self> {
        let issuer = Issuer::of_certificate(&TbsCertificate::from_der(certificates.issuer())?)?;
        let crl =
            Crl::read(&certificates.crl(revoked)?[..], &issuer, u64::MAX).context("the CRL that was made")?;
        let mut ledger = Ledger::default();
        ledger.status.set_crls(issuer, Arc::new([Arc::new(crl)]));
        Ok(Self {
            certificates,
            rules: rules(profile),
            anchors: Anchors::from_pem(roots.as_bytes())?,
            revocation: RevocationRules::default(),
            ledger,
            now: UnixTime::now(),
        })
    }

    /// The present in Unix seconds.
    pub(super) fn seconds(&self) -> i64 {
        i64::try_from(self.now.as_secs()).unwrap_or(i64::MAX)
    }

    /// What is judged.
    pub(super) fn chains(
        &self,
    ) -> impl Iterator<Item = (&'a CertificateDer<'static>, &'a [CertificateDer<'static>])> + use<'a> {
        self.certificates.chains()
    }
}

fn rules(profile: VerifyProfile) -> Rules {
    match profile {
        VerifyProfile::Qwac => Rules::of(Profile::Psd2),
        VerifyProfile::X509 => Rules::of(Profile::X509),
        VerifyProfile::Qsealc => {
            Rules { purpose: Purpose::Qsealc, extended_key_usage: EkuRule::Any, ..Rules::of(Profile::Psd2) }
        }
    }
}
