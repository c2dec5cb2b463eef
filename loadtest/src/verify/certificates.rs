//! The certificates that are judged, and the CAs that are believed.

use anyhow::Result;
use portcullis_test_pki::revocation::RevocationList;
use portcullis_test_pki::{
    Authority, IssuingCa, KeyType, QcStatements, Role, Subject, SubjectKey, TppCertificate, oid,
    qc_statements,
};
use rustls_pki_types::CertificateDer;

use crate::clients::{Kind, serial_number, tpp_certificate};

use super::{VerifyArguments, VerifyProfile};

/// Of the serial numbers of those that are revoked.
const SEED: u64 = 0;
/// QCP-l-qscd, 0.4.0.194112.1.3 (EN 319 411-2 5.3): for seals whose key is in a device.
const POLICY_QCP_LEGAL_QSCD: &[u64] = &[0, 4, 0, 194_112, 1, 3];

/// A set of certificates on P-256, all of one key, as nothing that is measured depends on it. They have one issuing CA under a root.
pub(super) struct Certificates {
    qtsp: Authority,
    leaves: Vec<(Kind, CertificateDer<'static>)>,
    /// What comes with each of them.
    intermediates: Vec<CertificateDer<'static>>,
    /// Of a CA that is not believed: what comes with those from it.
    foreign: Vec<CertificateDer<'static>>,
    revoked: usize,
}

impl Certificates {
    /// Makes as many as were asked for, the bad ones last.
    pub(super) fn make(profile: VerifyProfile, arguments: &VerifyArguments) -> Result<Self> {
        let (qtsp, stranger) = (Authority::qtsp()?, Authority::foreign()?);
        let (issuer, foreign) = (issuing_ca(&qtsp)?, issuing_ca(&stranger)?);
        let key = SubjectKey::generate(KeyType::P256)?;
        let count = arguments.certificates as usize;
        let bad: Vec<_> = arguments.bad.iter().map(|share| (share.kind(), share.of(count))).collect();
        let good = count.saturating_sub(bad.iter().map(|(_, count)| count).sum());
        let mut leaves = Vec::with_capacity(count);
        for (kind, count) in std::iter::once((Kind::Good, good)).chain(bad.iter().copied()) {
            let ca = if kind == Kind::Foreign { &foreign } else { &issuer };
            for number in 0..count {
                let certificate = tpp_certificate(kind, number, &[Role::PspAi, Role::PspPi], SEED)?;
                leaves.push((kind, as_asked(profile, certificate).issue_for(&key, ca)?));
            }
        }
        let revoked = leaves.iter().filter(|(kind, _)| *kind == Kind::Revoked).count();
        let (intermediates, foreign) = (issuer.chain().to_vec(), foreign.chain().to_vec());
        Ok(Self { qtsp, leaves, intermediates, foreign, revoked })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.leaves.len()
    }

    /// How many of them nothing is wrong with.
    pub(super) fn good(&self) -> usize {
        self.leaves.iter().filter(|(kind, _)| *kind == Kind::Good).count()
    }

    /// How many of them the gate's libraries are to refuse: under `x509` nobody asks for roles.
    pub(super) fn to_be_refused(&self, profile: VerifyProfile) -> usize {
        let passes = |kind| kind == Kind::Good || kind == Kind::Roleless && profile == VerifyProfile::X509;
        self.leaves.iter().filter(|(kind, _)| !passes(*kind)).count()
    }

    /// Each certificate with what a client sends beside it.
    pub(super) fn chains(
        &self,
    ) -> impl Iterator<Item = (&CertificateDer<'static>, &[CertificateDer<'static>])> {
        self.leaves.iter().map(|(kind, leaf)| {
            let above = if *kind == Kind::Foreign { &self.foreign } else { &self.intermediates };
            (leaf, above.as_slice())
        })
    }

    /// The roots that are believed, as PEM: theirs, and so many that it makes `count`.
    pub(super) fn roots(&self, count: u32) -> Result<String> {
        let mut pem = String::new();
        for number in 1..count {
            pem += &Authority::named(&Subject::new(&format!("Vertrauensdienst {number} AG")))?.root_pem();
        }
        Ok(pem + &self.qtsp.root_pem())
    }

    /// All CAs that issued them, those that are not believed among them.
    pub(super) fn issuers(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.intermediates.iter().chain(&self.foreign)
    }

    /// The certificate of their issuing CA.
    pub(super) fn issuer(&self) -> &CertificateDer<'static> {
        self.qtsp.issuing_der()
    }

    /// A CRL of their issuing CA in DER, with those of them that are revoked, and `count` serial numbers beside.
    pub(super) fn crl(&self, count: u32) -> Result<Vec<u8>> {
        let mut list = RevocationList::of(&self.qtsp);
        for number in 0..self.revoked {
            list = list.entry(&serial_number(SEED, Kind::Revoked, number)?, &[]);
        }
        for number in 0..count {
            list = list.entry(&stranger_serial_number(number), &[]);
        }
        Ok(list.der()?)
    }
}

fn issuing_ca(authority: &Authority) -> Result<IssuingCa> {
    Ok(IssuingCa::from_pem(&authority.issuing_pem(), &authority.issuing_key_pem())?)
}

fn as_asked(profile: VerifyProfile, certificate: TppCertificate) -> TppCertificate {
    match profile {
        VerifyProfile::Qwac | VerifyProfile::X509 => certificate,
        VerifyProfile::Qsealc => {
            let types = qc_statements::qc_type(&[oid::QCT_ESEAL]);
            let statements = QcStatements::qwac().set(oid::QC_TYPE, Some(&types));
            let certificate = certificate.qc_statements(statements).policies([POLICY_QCP_LEGAL_QSCD]);
            certificate.extended_key_usages([]).names(Vec::<String>::new())
        }
    }
}

/// A serial number of 16 octets, positive, in no order, that no certificate here has: theirs begin with a bit that this has not.
fn stranger_serial_number(number: u32) -> [u8; 16] {
    let mixed = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut octets = [0; 16];
    octets[0] = 0x21;
    octets[1..9].copy_from_slice(&mixed.to_be_bytes());
    octets[9..13].copy_from_slice(&number.to_be_bytes());
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_have_serial_numbers_of_their_own() {
        let mut serials: Vec<_> = (0..10_000).map(stranger_serial_number).collect();
        serials.sort_unstable();
        serials.dedup();
        assert_eq!(serials.len(), 10_000);
        assert!(serials.iter().all(|serial| serial[0] & 0x40 == 0));
        assert!(serial_number(SEED, Kind::Revoked, 0).unwrap()[0] & 0x40 != 0);
    }
}
