//! What the secrets of a session are derived by, all with SHA-256.

use aws_lc_rs::{digest, hmac};

use super::vectors::{message, vector8};

const MESSAGE_HASH: u8 = 254;
/// Bytes of a hash, and of every secret.
pub(super) const HASH: usize = 32;

/// SHA-256.
pub(super) fn hash(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

/// HMAC, which is HKDF-Extract too (RFC 5869 2.2).
pub(super) fn hmac(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes).as_ref().to_vec()
}

/// HKDF-Expand-Label (RFC 8446 7.1), for no more than one block.
pub(super) fn expand_label(secret: &[u8], label: &str, context: &[u8], length: usize) -> Vec<u8> {
    assert!(length <= HASH, "one block");
    let label = vector8(format!("tls13 {label}").as_bytes());
    let length_bytes = u16::try_from(length).expect("one block").to_be_bytes();
    let info = [&length_bytes, &label[..], &vector8(context), &[1]].concat();
    hmac(secret, &info)[..length].to_vec()
}

/// Derive-Secret (RFC 8446 7.1) over these messages.
pub(super) fn derive_secret(secret: &[u8], label: &str, messages: &[u8]) -> Vec<u8> {
    expand_label(secret, label, &hash(messages), HASH)
}

/// The secret behind another one, with new input (RFC 8446 7.1).
pub(super) fn next_secret(secret: &[u8], input: &[u8]) -> Vec<u8> {
    hmac(&derive_secret(secret, "derived", b""), input)
}

/// `verify_data` of a Finished, or a binder, of TLS 1.3 over these messages (RFC 8446 4.4.4, 4.2.11.2).
pub(super) fn finished(base: &[u8], messages: &[u8]) -> Vec<u8> {
    hmac(&expand_label(base, "finished", b"", HASH), &hash(messages))
}

/// What stands for a first hello where the server asked for it again (RFC 8446 4.4.1).
pub(super) fn message_hash(hello: &[u8]) -> Vec<u8> {
    message(MESSAGE_HASH, &hash(hello))
}

/// The binder of a session over the hello up to the binders, and what came before it.
pub(super) fn binder(session_secret: &[u8], hello: &[u8]) -> Vec<u8> {
    finished(&derive_secret(&hmac(&[0; HASH], session_secret), "res binder", b""), hello)
}

/// The PRF of TLS 1.2 (RFC 5246 5).
pub(super) fn prf(secret: &[u8], label: &str, seed: &[u8], length: usize) -> Vec<u8> {
    let seed = [label.as_bytes(), seed].concat();
    let (mut output, mut round) = (Vec::new(), seed.clone());
    while output.len() < length {
        round = hmac(secret, &round);
        output.extend(hmac(secret, &[&round[..], &seed].concat()));
    }
    output.truncate(length);
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8448 3: the handshake of the example begins with these.
    #[test]
    fn the_schedule_is_that_of_the_rfc() {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let early = hmac(&[0; HASH], &[0; HASH]);
        assert_eq!(hex(&early), "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a");
        let derived = derive_secret(&early, "derived", b"");
        assert_eq!(hex(&derived), "6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba");
    }
}
