//! The chain that a client presented.

use rustls_pki_types::CertificateDer;

/// The chain that a client presented, as presented. Every byte is the peer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerChain {
    /// The certificate whose key the client holds.
    pub leaf: CertificateDer<'static>,
    /// What it sent beside, in its order.
    pub intermediates: Vec<CertificateDer<'static>>,
}

/// Octets of a length before a certificate, and before all of them (RFC 5246 7.4.2).
const LENGTH_LEN: usize = 3;

impl PeerChain {
    /// Whether these are its certificates, in this order.
    pub fn is(&self, certificates: &[CertificateDer<'_>]) -> bool {
        certificates.split_first().is_some_and(|(leaf, intermediates)| {
            *leaf == self.leaf && self.intermediates.iter().eq(intermediates)
        })
    }

    /// What it takes in memory, in bytes.
    pub fn bytes(&self) -> usize {
        self.certificates().map(|certificate| certificate.len()).sum()
    }

    fn certificates(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        std::iter::once(&self.leaf).chain(&self.intermediates)
    }

    /// Reads what TLS writes of a chain behind its length: each certificate behind its own.
    pub(crate) fn read(mut encoded: &[u8]) -> Option<Self> {
        let mut certificates = Vec::new();
        while !encoded.is_empty() {
            let (length, rest) = encoded.split_first_chunk::<LENGTH_LEN>()?;
            let [high, middle, low] = length.map(usize::from);
            let (certificate, rest) = rest.split_at_checked(high << 16 | middle << 8 | low)?;
            certificates.push(CertificateDer::from(certificate.to_vec()));
            encoded = rest;
        }
        let mut certificates = certificates.into_iter();
        Some(Self { leaf: certificates.next()?, intermediates: certificates.collect() })
    }

    /// Where `session` has this chain as TLS writes it, behind its length, and how long it is there.
    ///
    /// A session is in a form of rustls' own, which may change; that it keeps the chain as it is on the wire is all that is
    /// relied on here, and whoever does not find it has no ticket made.
    pub(crate) fn find_in(&self, session: &[u8]) -> Option<(usize, usize)> {
        let len: usize = self.certificates().map(|certificate| LENGTH_LEN + certificate.len()).sum();
        let mut begin = Vec::with_capacity(2 * LENGTH_LEN);
        begin.extend_from_slice(&length(len)?);
        begin.extend_from_slice(&length(self.leaf.len())?);
        let at = memchr::memmem::find_iter(session, &begin).map(|at| at + LENGTH_LEN);
        let is_here = |at: &usize| {
            let mut rest = session.get(*at..*at + len).unwrap_or_default();
            self.certificates().all(|certificate| {
                match rest.split_at_checked(LENGTH_LEN + certificate.len()) {
                    Some((here, behind)) => {
                        rest = behind;
                        length(certificate.len()).is_some_and(|length| here.starts_with(&length))
                            && here.ends_with(certificate)
                    }
                    None => false,
                }
            })
        };
        at.into_iter().find(is_here).map(|at| (at, len))
    }
}

/// A length as TLS writes it.
fn length(len: usize) -> Option<[u8; LENGTH_LEN]> {
    let [0, length @ ..] = u32::try_from(len).ok()?.to_be_bytes() else { return None };
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENCODED: &[u8] = b"\x00\x00\x06a leaf\x00\x00\x04a CA";

    fn chain() -> PeerChain {
        PeerChain { leaf: b"a leaf".to_vec().into(), intermediates: vec![b"a CA".to_vec().into()] }
    }

    #[test]
    fn a_chain_is_read_as_it_is_written_or_not_at_all() {
        assert_eq!(PeerChain::read(ENCODED), Some(chain()));
        for len in 0..ENCODED.len() {
            let cut = PeerChain::read(&ENCODED[..len]);
            // Where the leaf alone is left, that is a chain.
            assert_eq!(cut.is_some(), len == 9, "{len}");
        }
    }

    #[test]
    fn a_chain_is_found_behind_its_like() {
        let session = [&b"\x00\x00\x10\x00\x00\x06a lean\x00\x00\x10"[..], ENCODED, b"behind"].concat();
        let (at, len) = chain().find_in(&session).unwrap();
        assert_eq!(&session[at..at + len], ENCODED);
        assert_eq!(chain().find_in(&session[..session.len() - 7]), None);
        let longer = PeerChain { intermediates: Vec::new(), ..chain() };
        assert_eq!(longer.find_in(&session), None);
    }

    #[test]
    fn the_order_of_certificates_counts() {
        let [leaf, other] = ["a leaf", "a CA..."].map(|der| CertificateDer::from(der.as_bytes().to_vec()));
        let chain = PeerChain { leaf: leaf.clone(), intermediates: vec![other.clone()] };
        assert!(chain.is(&[leaf.clone(), other.clone()]));
        assert!(!chain.is(&[other, leaf.clone()]) && !chain.is(&[leaf]) && !chain.is(&[]));
    }
}
