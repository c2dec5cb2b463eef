//! The certificate in a field of the message, and what binds it to the signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_identity::{TbsCertificate, Thumbprint};

use crate::claim::Claim;
use crate::error::SealError;
use crate::excerpt::excerpt;
use crate::head::RequestHead;
use crate::key_id::{demand_serial_and_issuer, expected, has_serial, is_thumbprint};
use crate::rules::{Profile, SealRules};

/// The certificate's DER and its `SubjectPublicKeyInfo`.
pub(crate) struct Certified {
    pub(crate) der: Vec<u8>,
    pub(crate) spki: Box<[u8]>,
    /// As the Berlin Group names it.
    pub(crate) key_id: String,
}

/// The certificate, bound to the signature: a key may have several, and the signer says which is meant.
///
/// The Berlin Group's keyId does that. Under RFC 9421 it is done by `keyid`, which is the certificate's `x5t#S256` or
/// has the Berlin Group's form, or by covering the field that holds the certificate.
pub(crate) fn certificate_in(
    head: &RequestHead<'_>,
    claim: &Claim,
    rules: &SealRules,
) -> Result<Certified, SealError> {
    let field = &*rules.certificate_field;
    let der = certificate_of(field, head.fields().demanded(field)?)?;
    let certificate = TbsCertificate::from_der(&der).map_err(|error| SealError::CertificateMalformed {
        field: field.into(),
        reason: error.to_string().into(),
    })?;
    let is_covered = claim.covers(&field.to_ascii_lowercase());
    match (claim.profile, claim.key_id.as_deref()) {
        (Profile::BerlinGroup, key_id) => demand_serial_and_issuer(key_id.unwrap_or_default(), &certificate)?,
        (_, Some(key_id)) if has_serial(key_id) => demand_serial_and_issuer(key_id, &certificate)?,
        (_, Some(key_id)) if is_covered || is_thumbprint(key_id, &der) => {}
        (_, None) if is_covered => {}
        (_, Some(key_id)) => {
            let expected = format!("{} (its SHA-256), and {field} is not covered", Thumbprint::of(&der));
            return Err(SealError::KeyId { found: excerpt(key_id), expected: expected.into() });
        }
        (_, None) => return Err(SealError::Coverage { component: field.into() }),
    }
    let (spki, key_id) = (certificate.subject_public_key_info.into(), expected(&certificate));
    Ok(Certified { der, spki, key_id })
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Reads the DER of the certificate from a field's value: base64 as the Berlin Group has it, PEM with spaces where its
/// line breaks were, with or without its markers, or a byte sequence as RFC 9440 has it. A chain is refused: which
/// certificate sealed the message would be a guess.
///
/// What the DER says is not looked at.
fn certificate_of(field: &str, value: &str) -> Result<Vec<u8>, SealError> {
    let malformed =
        |reason: &'static str| SealError::CertificateMalformed { field: field.into(), reason: reason.into() };
    let text = value.trim();
    let text = match text.split_once(BEGIN) {
        Some(("", after)) => {
            let (body, behind) = after.split_once(END).ok_or_else(|| malformed("its PEM has no end"))?;
            if !behind.trim().is_empty() {
                return Err(malformed(
                    "it has more than one certificate; the one that sealed the message is needed",
                ));
            }
            body
        }
        Some(_) => return Err(malformed("something stands before its PEM")),
        None => text.strip_prefix(':').and_then(|text| text.strip_suffix(':')).unwrap_or(text),
    };
    let digits: String = text.split_ascii_whitespace().collect();
    let der = STANDARD.decode(digits).map_err(|_| malformed("it is neither base64 nor PEM"))?;
    if der.is_empty() { Err(malformed("it is empty")) } else { Ok(der) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_read_in_every_dress() {
        let base64 = STANDARD.encode([0x30; 100]);
        let (one, two) = base64.split_at(64);
        for value in [
            base64.clone(),
            format!("  {one} {two} "),
            format!(":{base64}:"),
            format!("{BEGIN} {one} {two} {END}"),
            format!("{BEGIN}{base64}{END}"),
        ] {
            assert_eq!(certificate_of("f", &value).unwrap(), [0x30; 100], "{value}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let pem = format!("{BEGIN} MDAw {END}");
        for value in ["", "MDA", "MDB=", "MD-w", BEGIN, &format!("{pem} {pem}"), &format!("x {pem}"), ":MDAw"]
        {
            let error = certificate_of("f", value).unwrap_err();
            assert_eq!(error.code(), "seal.certificate-malformed", "{value}");
        }
    }
}
