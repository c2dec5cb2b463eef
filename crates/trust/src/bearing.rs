//! What of a set of anchors bears on one chain, so that who remembers a verdict knows when it no longer holds.

use std::hash::{Hash as _, Hasher};

use aws_lc_rs::digest::{Context, SHA256};
use portcullis_identity::TbsCertificate;
use rustls_pki_types::{CertificateDer, TrustAnchor};

use crate::anchors::{Anchor, Anchors};

/// What a verdict on a chain, good or bad, rests on beside the chain itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bearing {
    /// A digest of the anchors that a path from this chain could meet, with what lists say of them. While it is the same, so is
    /// the outcome of path building; when a list is issued anew, it is another only for chains under the CAs of which the list
    /// says something else.
    pub anchors: [u8; 32],
    /// The last second, Unix time, before the passing of time may change the outcome: the validity of a certificate begins or
    /// ends, a list serves no more, or says another thing from then on.
    pub until: i64,
}

impl Anchors {
    /// What bears on the verdict on a chain at `now`, in Unix seconds.
    ///
    /// Trust: leaf and intermediates are hostile. What cannot be read bears on nothing.
    pub fn bearing(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: i64,
    ) -> Bearing {
        let mut bearing = Collected { digest: Context::new(&SHA256), until: i64::MAX, now };
        bearing.digest.update(&[u8::from(self.has_lists())]);
        for certificate in std::iter::once(leaf).chain(intermediates) {
            let Ok(certificate) = TbsCertificate::from_der(certificate) else { continue };
            if let Ok(validity) = certificate.validity() {
                bearing.changes_at(validity.not_before);
                bearing.changes_at(validity.not_after.saturating_add(1));
            }
            let issuers = self.of_subject(certificate.issuer);
            // An intermediate may be the CA that a list names.
            for anchor in issuers.chain(self.of_subject(certificate.subject)) {
                bearing.anchor(anchor);
            }
        }
        Bearing { anchors: finish(bearing.digest), until: bearing.until }
    }
}

struct Collected {
    digest: Context,
    until: i64,
    now: i64,
}

impl Collected {
    /// From `time` on something else may hold.
    fn changes_at(&mut self, time: i64) {
        if time > self.now {
            self.until = self.until.min(time - 1);
        }
    }

    fn anchor(&mut self, anchor: &Anchor) {
        self.digest.update(&anchor.digest);
        for listed in &anchor.services {
            // How long a list serves may be said anew, and may then be over already.
            let is_serving = listed.serves_until.is_none_or(|until| self.now <= until);
            self.digest.update(&[u8::from(is_serving)]);
            if let Some(serves_until) = listed.serves_until {
                self.changes_at(serves_until.saturating_add(1));
            }
            for state in &listed.service.states {
                self.changes_at(state.since);
            }
        }
    }
}

/// All of an anchor that a verdict may rest on. Which issue of a list says it, and how long that serves, is not among it.
pub(crate) fn digest_of(trust_anchor: &TrustAnchor<'_>, anchor: &Anchor) -> [u8; 32] {
    let mut hasher = Sha256(Context::new(&SHA256));
    let name_constraints = trust_anchor.name_constraints.as_ref().map(AsRef::as_ref);
    let name_and_key = [trust_anchor.subject.as_ref(), trust_anchor.subject_public_key_info.as_ref()];
    (name_and_key, name_constraints, &anchor.thumbprint, anchor.is_by_hand).hash(&mut hasher);
    for listed in &anchor.services {
        (&listed.service, &listed.territory).hash(&mut hasher);
    }
    finish(hasher.0)
}

fn finish(hashed: Context) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(hashed.finish().as_ref());
    digest
}

/// Hashes what can be hashed by a function without collisions.
struct Sha256(Context);

impl Hasher for Sha256 {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Nobody asks: the whole digest is taken.
    fn finish(&self) -> u64 {
        0
    }
}
