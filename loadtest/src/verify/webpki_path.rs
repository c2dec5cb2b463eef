//! webpki alone: the path of each certificate, and nothing else.

use anyhow::Result;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::certificates::Certificates;
use super::rounds::{Answers, Judges};

/// The path of each certificate, for any use.
pub(super) struct Path<'a> {
    certificates: &'a Certificates,
    anchors: Vec<TrustAnchor<'static>>,
    now: UnixTime,
}

impl<'a> Path<'a> {
    pub(super) fn new(certificates: &'a Certificates, roots: &str) -> Result<Self> {
        let read = |root: Result<CertificateDer<'static>, _>| -> Result<_> {
            Ok(anchor_from_trusted_cert(&root?)?.to_owned())
        };
        let anchors = CertificateDer::pem_slice_iter(roots.as_bytes()).map(read).collect::<Result<_>>()?;
        Ok(Self { certificates, anchors, now: UnixTime::now() })
    }
}

impl Judges for Path<'_> {
    fn judge_all(&self, answers: &mut Answers) {
        let usage = KeyUsage::client_auth();
        for (leaf, intermediates) in self.certificates.chains() {
            let path = EndEntityCert::try_from(leaf).and_then(|leaf| {
                leaf.verify_for_usage(
                    ALL_VERIFICATION_ALGS,
                    &self.anchors,
                    intermediates,
                    self.now,
                    usage,
                    None,
                    None,
                )
                .map(drop)
            });
            answers.count(path.is_err().then_some("path"));
        }
    }
}
