//! Cipher suites of TLS 1.3 whose key schedule (RFC 8446 section 7.1) hashes each secret once.
//!
//! Most secrets of a handshake have more than one thing derived from them, each by an HMAC under the secret (RFC 5869 section
//! 2.3). rustls' suites over aws-lc make the key of that HMAC anew each time, two blocks to hash of four, in contexts of a
//! kilobyte; here the two hash states that a key comes to are kept with the secret. The HMACs of libraries that could keep them leave
//! the key behind on the stack, so it is made here of two hashes.

use std::{marker::PhantomData, sync::LazyLock};

use rustls::{
    CipherSuiteCommon, SupportedCipherSuite, Tls13CipherSuite,
    crypto::{
        hash::HashAlgorithm,
        hmac::Tag,
        tls13::{Hkdf, HkdfExpander, OkmBlock, OutputLengthError},
    },
};
use sha2::{Digest, Sha256, Sha384, digest::common::BlockSizeUser};
use zeroize::{Zeroize as _, Zeroizing};

use crate::config::CIPHER_SUITES;

/// The suites in our order.
pub(crate) fn cipher_suites() -> Vec<SupportedCipherSuite> {
    static TLS13: LazyLock<Vec<Tls13CipherSuite>> = LazyLock::new(|| {
        CIPHER_SUITES.iter().filter_map(SupportedCipherSuite::tls13).map(rescheduled).collect()
    });
    let tls12 = CIPHER_SUITES.iter().filter(|suite| suite.tls13().is_none()).copied();
    TLS13.iter().map(SupportedCipherSuite::Tls13).chain(tls12).collect()
}

fn rescheduled(suite: &'static Tls13CipherSuite) -> Tls13CipherSuite {
    let CipherSuiteCommon { suite: name, hash_provider, confidentiality_limit } = suite.common;
    let hkdf_provider: &dyn Hkdf = match hash_provider.algorithm() {
        HashAlgorithm::SHA256 => &HashedOnce::<Sha256>(PhantomData),
        HashAlgorithm::SHA384 => &HashedOnce::<Sha384>(PhantomData),
        _ => suite.hkdf_provider,
    };
    Tls13CipherSuite {
        common: CipherSuiteCommon { suite: name, hash_provider, confidentiality_limit },
        hkdf_provider,
        aead_alg: suite.aead_alg,
        quic: None,
    }
}

/// HKDF (RFC 5869) with one hash.
struct HashedOnce<D>(PhantomData<D>);

/// An HMAC (RFC 2104) under one key: the two hash states that the key comes to, which are overwritten when dropped.
#[derive(Clone)]
struct Keyed<D> {
    inner: D,
    outer: D,
}

/// A hash of which a state can be kept.
trait Hash: Digest + BlockSizeUser + Clone + Send + Sync + 'static {}

impl<D: Digest + BlockSizeUser + Clone + Send + Sync + 'static> Hash for D {}

/// Bytes of the longest block: that of SHA-384.
const BLOCK_BYTES_MAX: usize = 128;
/// What the key is masked with in each of the two.
const INNER: u8 = 0x36;
const OUTER: u8 = 0x5c;

impl<D: Hash> Keyed<D> {
    fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; BLOCK_BYTES_MAX]);
        let block = &mut block[..D::block_size()];
        if key.len() <= block.len() {
            block[..key.len()].copy_from_slice(key);
        } else {
            let mut hashed = D::digest(key);
            block[..hashed.len()].copy_from_slice(&hashed);
            hashed.as_mut_slice().zeroize();
        }
        block.iter_mut().for_each(|byte| *byte ^= INNER);
        let inner = D::new_with_prefix(&*block);
        block.iter_mut().for_each(|byte| *byte ^= INNER ^ OUTER);
        Self { inner, outer: D::new_with_prefix(&*block) }
    }

    fn with(mut self, message: &[u8]) -> Self {
        self.inner.update(message);
        self
    }

    fn end(self) -> OkmBlock {
        let mut hashed = self.inner.finalize();
        let mut output = self.outer.chain_update(&hashed).finalize();
        let block = OkmBlock::new(&output);
        hashed.as_mut_slice().zeroize();
        output.as_mut_slice().zeroize();
        block
    }

    /// One block of output (RFC 5869 section 2.3), its number counted from one.
    fn block(&self, before: &[u8], info: &[&[u8]], number: u8) -> OkmBlock {
        let begun = self.clone().with(before);
        info.iter().fold(begun, |begun, part| begun.with(part)).with(&[number]).end()
    }
}

impl<D: Hash> Hkdf for HashedOnce<D> {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        let zeros = [0; OkmBlock::MAX_LEN];
        self.extract_from_secret(salt, &zeros[..<D as Digest>::output_size()])
    }

    /// Without a salt the key of HMAC is empty, which is the same as zeros (RFC 2104 section 2).
    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        self.expander_for_okm(&Keyed::<D>::new(salt.unwrap_or_default()).with(secret).end())
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        Box::new(Keyed::<D>::new(okm.as_ref()))
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> Tag {
        Tag::new(Keyed::<D>::new(key.as_ref()).with(message).end().as_ref())
    }
}

/// A secret from which more is derived is the key of an HMAC.
impl<D: Hash> HkdfExpander for Keyed<D> {
    fn expand_slice(&self, info: &[&[u8]], output: &mut [u8]) -> Result<(), OutputLengthError> {
        let mut before: Option<OkmBlock> = None;
        let mut number = 0_u8;
        for part in output.chunks_mut(self.hash_len()) {
            number = number.checked_add(1).ok_or(OutputLengthError)?;
            let block = self.block(before.as_ref().map_or(&[], AsRef::as_ref), info, number);
            part.copy_from_slice(&block.as_ref()[..part.len()]);
            before = Some(block);
        }
        Ok(())
    }

    fn expand_block(&self, info: &[&[u8]]) -> OkmBlock {
        self.block(&[], info, 1)
    }

    fn hash_len(&self) -> usize {
        <D as Digest>::output_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_suites_are_there_in_our_order_and_derive_what_those_of_rustls_do() {
        let suites = cipher_suites();
        assert!(suites.iter().map(SupportedCipherSuite::suite).eq(CIPHER_SUITES.map(|suite| suite.suite())));
        let tls13 =
            suites.iter().zip(&CIPHER_SUITES).filter_map(|(own, rustls)| own.tls13().zip(rustls.tls13()));
        let mut count = 0;
        for (own, rustls) in tls13 {
            let [own, theirs] = [own, rustls].map(|suite| {
                let secret = suite.hkdf_provider.extract_from_secret(Some(b"salt"), b"secret");
                let block = secret.expand_block(&[b"some", b"info"]);
                let mut long = [0; 100];
                secret.expand_slice(&[b"more"], &mut long).unwrap();
                assert!(secret.expand_slice(&[], &mut vec![0; 255 * secret.hash_len()]).is_ok());
                assert!(secret.expand_slice(&[], &mut vec![0; 255 * secret.hash_len() + 1]).is_err());
                let unsalted = suite.hkdf_provider.extract_from_secret(None, b"secret").expand_block(&[]);
                let zero = suite.hkdf_provider.extract_from_zero_ikm(None).expand_block(&[]);
                let next = suite.hkdf_provider.expander_for_okm(&block).expand_block(&[b"next"]);
                let tag = suite.hkdf_provider.hmac_sign(&next, b"message");
                let salted_long =
                    suite.hkdf_provider.extract_from_secret(Some(&[7; 200]), b"").expand_block(&[]);
                let blocks = [block, unsalted, zero, next, salted_long].map(|block| block.as_ref().to_vec());
                (blocks, long, tag.as_ref().to_vec(), secret.hash_len())
            });
            assert_eq!(own, theirs);
            count += 1;
        }
        assert_eq!(count, 3);
    }
}
