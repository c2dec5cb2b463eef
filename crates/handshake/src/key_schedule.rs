//! Cipher suites of TLS 1.3 whose key schedule (RFC 8446 section 7.1) hashes each secret once.
//!
//! Most secrets of a handshake have more than one thing derived from them, each by an HMAC under the secret (RFC 5869 section
//! 2.3). rustls' suites over aws-lc make the key of that HMAC anew each time, two blocks to hash of four, in contexts of a
//! kilobyte; here the two hash states that a key comes to are kept with the secret.

use std::{marker::PhantomData, sync::LazyLock};

use hmac::{Hmac, KeyInit, Mac};
use rustls::{
    CipherSuiteCommon, SupportedCipherSuite, Tls13CipherSuite,
    crypto::{
        hash::HashAlgorithm,
        hmac::Tag,
        tls13::{Hkdf, HkdfExpander, OkmBlock, OutputLengthError},
    },
};
use sha2::{Sha256, Sha384};
use zeroize::Zeroize as _;

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
        HashAlgorithm::SHA256 => &HmacHkdf::<Hmac<Sha256>>(PhantomData),
        HashAlgorithm::SHA384 => &HmacHkdf::<Hmac<Sha384>>(PhantomData),
        _ => suite.hkdf_provider,
    };
    Tls13CipherSuite {
        common: CipherSuiteCommon { suite: name, hash_provider, confidentiality_limit },
        hkdf_provider,
        aead_alg: suite.aead_alg,
        quic: None,
    }
}

/// HKDF (RFC 5869) with one HMAC.
struct HmacHkdf<M>(PhantomData<M>);

/// A secret from which more is derived.
struct HmacExpander<M>(M);

/// An HMAC, the same before each message.
trait Keyed: Mac + KeyInit + Clone + Send + Sync + 'static {
    fn keyed(key: &[u8]) -> Self {
        <Self as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length")
    }

    /// What it comes to, of which no copy is left.
    fn end(self) -> OkmBlock {
        let mut output = self.finalize().into_bytes();
        let block = OkmBlock::new(&output);
        output.as_mut_slice().zeroize();
        block
    }
}

impl<M: Mac + KeyInit + Clone + Send + Sync + 'static> Keyed for M {}

impl<M: Keyed> Hkdf for HmacHkdf<M> {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        let zeros = [0; OkmBlock::MAX_LEN];
        self.extract_from_secret(salt, &zeros[..M::output_size()])
    }

    /// Without a salt the key of HMAC is empty, which is the same as zeros (RFC 2104 section 2).
    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        let salt = M::keyed(salt.unwrap_or_default());
        self.expander_for_okm(&salt.chain_update(secret).end())
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        Box::new(HmacExpander(M::keyed(okm.as_ref())))
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> Tag {
        Tag::new(M::keyed(key.as_ref()).chain_update(message).end().as_ref())
    }
}

impl<M: Keyed> HmacExpander<M> {
    /// One block of output (RFC 5869 section 2.3), its number counted from one.
    fn block(&self, before: &[u8], info: &[&[u8]], number: u8) -> OkmBlock {
        let mut mac = self.0.clone().chain_update(before);
        for part in info {
            mac.update(part);
        }
        mac.chain_update([number]).end()
    }
}

impl<M: Keyed> HkdfExpander for HmacExpander<M> {
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
        M::output_size()
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
                let blocks = [block, unsalted, zero, next].map(|block| block.as_ref().to_vec());
                (blocks, long, tag.as_ref().to_vec(), secret.hash_len())
            });
            assert_eq!(own, theirs);
            count += 1;
        }
        assert_eq!(count, 3);
    }
}
