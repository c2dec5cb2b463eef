//! The frame of a certificate: where its fields are, without copying any.

use crate::der::{
    BIT_STRING, CONTEXT_0, CONTEXT_1_IMPLICIT, CONTEXT_2_IMPLICIT, CONTEXT_3, DerError, INTEGER, Reader,
    SEQUENCE,
};
use crate::error::IdentityError;
use crate::extension::Extensions;
use crate::validity::Validity;

/// Bytes of a certificate that is read. A TLS certificate message as rustls takes it holds at most 64 KiB, and
/// webpki reads no longer certificate; QWACs seen have 1 to 3 KiB. A larger one is refused unread.
pub const MAX_CERTIFICATE_BYTES: usize = 0xffff;

/// The fields of a `TBSCertificate` (RFC 5280 section 4.1) that identity and trust look at, borrowed from the input.
///
/// Trust: hostile input, no signature verified. Reading allocates nothing and takes time linear in the input.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TbsCertificate<'a> {
    /// The version as people count it: 1, 2 or 3.
    pub version: u8,
    /// The issuer's `RDNSequence` without its outer tag and length.
    pub issuer: &'a [u8],
    /// The subject's `RDNSequence` without its outer tag and length.
    pub subject: &'a [u8],
    /// The content octets of the serial number, as they stand.
    pub serial_number: &'a [u8],
    /// The `SubjectPublicKeyInfo`, with its tag and length.
    pub subject_public_key_info: &'a [u8],
    /// The content of the signature algorithm that is signed.
    pub(crate) signature_algorithm: &'a [u8],
    /// The content of the signature algorithm beside the signature; the two should be the same.
    pub(crate) outer_signature_algorithm: &'a [u8],
    validity: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> TbsCertificate<'a> {
    /// Finds the fields of a certificate.
    ///
    /// # Errors
    /// The bytes are too many, not strict DER, or not shaped as RFC 5280 section 4.1 asks for. The content of
    /// names, of validity and of extensions is not looked at yet.
    pub fn from_der(der: &'a [u8]) -> Result<Self, IdentityError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(IdentityError::TooLarge { bytes: der.len(), limit: MAX_CERTIFICATE_BYTES });
        }
        let (tbs, outer) = read_envelope(der).map_err(IdentityError::within("envelope"))?;
        Self::read(tbs, outer)
    }

    fn read(mut tbs: Reader<'a>, outer_signature_algorithm: &'a [u8]) -> Result<Self, IdentityError> {
        let version = read_version(&mut tbs).map_err(IdentityError::within("version"))?;
        let serial_number = tbs.expect(INTEGER).map_err(IdentityError::within("serialNumber"))?.content;
        let signature_algorithm = tbs.expect(SEQUENCE).map_err(IdentityError::within("signature"))?.content;
        let issuer = tbs.expect(SEQUENCE).map_err(IdentityError::within("issuer"))?.content;
        let validity = tbs.expect(SEQUENCE).map_err(IdentityError::within("validity"))?.content;
        let subject = tbs.expect(SEQUENCE).map_err(IdentityError::within("subject"))?.content;
        let spki = tbs.expect(SEQUENCE).map_err(IdentityError::within("subjectPublicKeyInfo"))?;
        tbs.optional(CONTEXT_1_IMPLICIT).map_err(IdentityError::within("issuerUniqueID"))?;
        tbs.optional(CONTEXT_2_IMPLICIT).map_err(IdentityError::within("subjectUniqueID"))?;
        let extensions = read_extensions(&mut tbs).map_err(IdentityError::within("extensions"))?;
        Ok(Self {
            version,
            issuer,
            subject,
            serial_number,
            subject_public_key_info: spki.encoded,
            signature_algorithm,
            outer_signature_algorithm,
            validity,
            extensions,
        })
    }

    /// The validity period.
    ///
    /// # Errors
    /// The times are not in the form of RFC 5280 section 4.1.2.5.
    pub fn validity(&self) -> Result<Validity, IdentityError> {
        Validity::from_content(self.validity)
    }

    /// The extensions in their order.
    pub fn extensions(&self) -> Extensions<'a> {
        Extensions::new(self.extensions)
    }
}

/// Reads `Certificate` down to the content of `tbsCertificate` and of `signatureAlgorithm`, and demands that nothing
/// follows any part.
fn read_envelope(der: &[u8]) -> Result<(Reader<'_>, &[u8]), DerError> {
    let mut certificate = Reader::sequence(der)?;
    let tbs = certificate.expect(SEQUENCE)?.content;
    let algorithm = certificate.expect(SEQUENCE)?.content;
    certificate.expect(BIT_STRING)?;
    certificate.finish()?;
    Ok((Reader::new(tbs), algorithm))
}

/// Reads the optional `[0] EXPLICIT Version DEFAULT v1`.
fn read_version(tbs: &mut Reader<'_>) -> Result<u8, DerError> {
    let Some(explicit) = tbs.optional(CONTEXT_0)? else { return Ok(1) };
    match explicit.content {
        [INTEGER, 1, version @ 0..=2] => Ok(version + 1),
        _ => Err(DerError::Version),
    }
}

/// Reads the optional `[3] EXPLICIT Extensions`, which must be the last field.
fn read_extensions<'a>(tbs: &mut Reader<'a>) -> Result<&'a [u8], DerError> {
    let list: &[u8] = match tbs.optional(CONTEXT_3)? {
        None => &[],
        Some(explicit) => {
            let mut explicit = Reader::new(explicit.content);
            let list = explicit.expect(SEQUENCE)?.content;
            explicit.finish()?;
            list
        }
    };
    tbs.finish()?;
    Ok(list)
}
