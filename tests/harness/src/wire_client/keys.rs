//! What a client does with private keys.

use std::io;

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use portcullis_test_pki::Credential;

use super::vectors::broken;

/// X25519, once.
pub(super) struct KeyExchange {
    private: PrivateKey,
    public: Vec<u8>,
}

impl KeyExchange {
    /// A fresh key pair.
    pub(super) fn new() -> Self {
        let private = PrivateKey::generate(&X25519).expect("the system gives random bytes");
        let public = private.compute_public_key().expect("a private key has a public one");
        Self { private, public: public.as_ref().to_vec() }
    }

    /// The key that the peer is told.
    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The secret that is shared with the holder of a peer's key.
    pub(super) fn agree(self, peer: &[u8]) -> io::Result<Vec<u8>> {
        let peer = UnparsedPublicKey::new(&X25519, peer);
        agree(&self.private, peer, broken("the server's key is none"), |shared| Ok(shared.to_vec()))
    }
}

/// Fresh bytes.
pub(super) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

/// A signature by the key of a credential, by ECDSA on P-256.
pub(super) fn sign(credential: &Credential, message: &[u8]) -> io::Result<Vec<u8>> {
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, credential.key().secret_der());
    let key = key.map_err(|_| broken("the client's key is not on P-256"))?;
    let signature = key.sign(&SystemRandom::new(), message).map_err(|_| broken("it cannot be signed"))?;
    Ok(signature.as_ref().to_vec())
}
