//! What OCSP responders say (RFC 6960).

mod error;

use std::time::Duration;

use aws_lc_rs::digest::{self, Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use der::asn1::{Null, ObjectIdentifier, OctetString};
use der::{Decode as _, Encode as _};
use portcullis_identity::Identity;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};
use x509_cert::Certificate;
use x509_cert::ext::{Extension, Extensions};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspGeneralizedTime, OcspRequest, OcspResponse,
    OcspResponseStatus, Request, ResponderId, SingleResponse, TbsRequest, Version,
};

pub use self::error::OcspError;
use crate::signature::{SignatureFault, verify};
use crate::status::{CertificateStatus, Issuer, Revocation, RevocationReason, StatusAnswer};

/// Bytes of a response that is read. With a responder's certificate and its chain they have 2 to 6 kB.
pub const OCSP_RESPONSE_BYTES_MAX: usize = 64 * 1024;
/// How far a responder's clock may be ahead of ours, in seconds.
pub const CLOCK_TOLERANCE_S: i64 = 300;
/// How long an answer serves that names no next update, in seconds: such a responder says that newer information is to be had at any
/// time (RFC 6960 section 4.2.2.1), so that it should be asked again soon.
const WITHOUT_NEXT_UPDATE_S: i64 = 60 * 60;
/// Answers of a response, and certificates beside them, that are looked at. Responders give one of each, a few of them their chain.
const RESPONSES_MAX: usize = 64;
const CERTIFICATES_MAX: usize = 8;

const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");
const NOCHECK: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 5];
/// id-kp-OCSPSigning, 1.3.6.1.5.5.7.3.9, as content octets.
const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];

/// The hash by which a `CertID` names the CA. It protects nothing: what is signed is the whole `CertID`, and the CA is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertIdHash {
    /// The one that every responder knows.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// A certificate whose status is asked.
#[derive(Clone, Copy, Debug)]
pub struct OcspQuestion<'a> {
    /// The CA that issued it.
    pub issuer: &'a Issuer,
    /// The content octets of its serial number.
    pub serial: &'a [u8],
}

impl CertIdHash {
    const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => ObjectIdentifier::new_unwrap("1.3.14.3.2.26"),
            Self::Sha256 => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1"),
        }
    }

    const fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &SHA256,
        }
    }

    fn of(self, octets: &[u8]) -> digest::Digest {
        digest::digest(self.algorithm(), octets)
    }
}

impl OcspQuestion<'_> {
    /// The request, in DER, to be sent as `application/ocsp-request`. Empty for a serial number that no certificate can have.
    pub fn request(&self, hash: CertIdHash, nonce: Option<&[u8]>) -> Vec<u8> {
        self.try_request(hash, nonce).unwrap_or_default()
    }

    fn try_request(&self, hash: CertIdHash, nonce: Option<&[u8]>) -> der::Result<Vec<u8>> {
        let algorithm = AlgorithmIdentifierOwned { oid: hash.oid(), parameters: Some(Null.into()) };
        let id = CertId {
            hash_algorithm: algorithm,
            issuer_name_hash: OctetString::new(hash.of(&self.issuer.name_der()).as_ref())?,
            issuer_key_hash: OctetString::new(hash.of(self.issuer.public_key()).as_ref())?,
            serial_number: SerialNumber::new(self.serial)?,
        };
        let nonce = nonce.map(|nonce| {
            let value = OctetString::new(OctetString::new(nonce)?.to_der()?)?;
            der::Result::Ok(vec![Extension { extn_id: NONCE, critical: false, extn_value: value }])
        });
        let request = OcspRequest {
            tbs_request: TbsRequest {
                version: Version::V1,
                requestor_name: None,
                request_list: vec![Request { req_cert: id, single_request_extensions: None }],
                request_extensions: nonce.transpose()?,
            },
            optional_signature: None,
        };
        request.to_der()
    }

    /// Reads a response at `now`, in Unix seconds, and verifies that it is one to this question. `nonce` is that of the request;
    /// a responder may leave it out. `is_good` is asked about a responder's certificate, which the CA gave out
    /// without saying that nobody need ask (id-pkix-ocsp-nocheck).
    ///
    /// Trust: the response is hostile.
    ///
    /// # Errors
    /// The response is no answer, or none that is believed at `now`.
    pub fn read(
        &self,
        response: &[u8],
        nonce: Option<&[u8]>,
        now: i64,
        is_good: &dyn Fn(&Identity) -> bool,
    ) -> Result<StatusAnswer, OcspError> {
        if response.len() > OCSP_RESPONSE_BYTES_MAX {
            return Err(OcspError::TooLarge { bytes: response.len() });
        }
        let basic = basic(response)?;
        self.verify_signer(&basic, now, is_good)?;
        let data = &basic.tbs_response_data;
        check_extensions(data.response_extensions.as_ref(), nonce)?;
        let produced = unix(&data.produced_at);
        if produced > now + CLOCK_TOLERANCE_S {
            return Err(OcspError::NotYet { from: produced, now });
        }
        let mut answers = data.responses.iter().take(RESPONSES_MAX);
        let single =
            answers.find(|single| self.is_meant(&single.cert_id)).ok_or(OcspError::OtherCertificate)?;
        check_extensions(single.single_extensions.as_ref(), None)?;
        answer(single, now)
    }

    /// Whether a `CertID` is of the certificate that is asked about.
    fn is_meant(&self, id: &CertId) -> bool {
        let hash = [CertIdHash::Sha1, CertIdHash::Sha256]
            .into_iter()
            .find(|hash| hash.oid() == id.hash_algorithm.oid);
        hash.is_some_and(|hash| {
            id.serial_number.as_bytes() == canonical(self.serial)
                && id.issuer_name_hash.as_bytes() == hash.of(&self.issuer.name_der()).as_ref()
                && id.issuer_key_hash.as_bytes() == hash.of(self.issuer.public_key()).as_ref()
        })
    }

    /// The response must be signed by the CA itself, or by one to whom it gave the right (RFC 6960 section 4.2.2.2).
    fn verify_signer(
        &self,
        basic: &BasicOcspResponse,
        now: i64,
        is_good: &dyn Fn(&Identity) -> bool,
    ) -> Result<(), OcspError> {
        let malformed = |_| OcspError::Malformed;
        let signed = basic.tbs_response_data.to_der().map_err(malformed)?;
        let signature = basic.signature.as_bytes().ok_or(OcspError::Malformed)?;
        let verify = |public_key_info: &[u8]| {
            verify(public_key_info, &basic.signature_algorithm, &signed, signature).map_err(|fault| {
                match fault {
                    SignatureFault::Algorithm => {
                        OcspError::Algorithm { oid: basic.signature_algorithm.oid.to_string() }
                    }
                    SignatureFault::Wrong => OcspError::Signature,
                }
            })
        };
        let responder = &basic.tbs_response_data.responder_id;
        if is_named(responder, &self.issuer.name_der(), self.issuer.public_key())? {
            // One that has the CA's name may be another with a key of its own; then its certificate is there.
            match verify(&self.issuer.public_key_info_der()) {
                Err(OcspError::Signature | OcspError::Algorithm { .. }) if basic.certs.is_some() => {}
                verified => return verified,
            }
        }
        let certificates = basic.certs.as_deref().unwrap_or_default().iter().take(CERTIFICATES_MAX);
        for certificate in certificates {
            let subject = certificate.tbs_certificate.subject.to_der().map_err(malformed)?;
            let info = &certificate.tbs_certificate.subject_public_key_info;
            let key = info.subject_public_key.as_bytes().ok_or(OcspError::Malformed)?;
            if is_named(responder, &subject, key)? {
                self.check_delegated(certificate, now, is_good)?;
                return verify(&info.to_der().map_err(malformed)?);
            }
        }
        Err(OcspError::Signer)
    }

    /// The certificate of a responder must come from the CA itself and be for this use.
    fn check_delegated(
        &self,
        certificate: &Certificate,
        now: i64,
        is_good: &dyn Fn(&Identity) -> bool,
    ) -> Result<(), OcspError> {
        let der: CertificateDer<'_> = certificate.to_der().map_err(|_| OcspError::Malformed)?.into();
        let anchor = TrustAnchor {
            subject: self.issuer.name().into(),
            subject_public_key_info: self.issuer.public_key_info().into(),
            name_constraints: None,
        };
        let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or(0)));
        let end_entity = EndEntityCert::try_from(&der).map_err(OcspError::Responder)?;
        let usage = KeyUsage::required(OCSP_SIGNING);
        end_entity
            .verify_for_usage(ALL_VERIFICATION_ALGS, &[anchor], &[], time, usage, None, None)
            .map_err(OcspError::Responder)?;
        let identity = Identity::from_der(&der).map_err(|_| OcspError::Malformed)?;
        if identity.key_usage.is_some_and(|usage| !usage.digital_signature()) {
            return Err(OcspError::ResponderUsage);
        }
        let extensions = certificate.tbs_certificate.extensions.as_deref().unwrap_or_default();
        let is_exempt = extensions.iter().any(|extension| extension.extn_id.as_bytes() == NOCHECK);
        match is_exempt || is_good(&identity) {
            true => Ok(()),
            false => Err(OcspError::ResponderUnchecked),
        }
    }
}

/// Reads the envelope.
fn basic(response: &[u8]) -> Result<BasicOcspResponse, OcspError> {
    let response = OcspResponse::from_der(response).map_err(|_| OcspError::Malformed)?;
    if response.response_status != OcspResponseStatus::Successful {
        return Err(OcspError::Status(status_name(response.response_status)));
    }
    let bytes = response.response_bytes.ok_or(OcspError::Malformed)?;
    if bytes.response_type != BASIC {
        return Err(OcspError::Type { oid: bytes.response_type.to_string() });
    }
    BasicOcspResponse::from_der(bytes.response.as_bytes()).map_err(|_| OcspError::Malformed)
}

/// Whether a responder is the one with this name and key.
fn is_named(responder: &ResponderId, name: &[u8], key: &[u8]) -> Result<bool, OcspError> {
    Ok(match responder {
        ResponderId::ByName(by_name) => by_name.to_der().map_err(|_| OcspError::Malformed)? == name,
        ResponderId::ByKey(by_key) => by_key.as_bytes() == CertIdHash::Sha1.of(key).as_ref(),
    })
}

/// What one answer says, if it serves at `now`.
fn answer(single: &SingleResponse, now: i64) -> Result<StatusAnswer, OcspError> {
    let status = match &single.cert_status {
        CertStatus::Good(_) => CertificateStatus::Good,
        CertStatus::Revoked(info) => CertificateStatus::Revoked(Revocation {
            at: unix(&info.revocation_time),
            reason: info.revocation_reason.and_then(|reason| RevocationReason::from_value(reason as u8)),
        }),
        CertStatus::Unknown(_) => return Err(OcspError::Unknown),
    };
    let this_update = unix(&single.this_update);
    let next_update = match &single.next_update {
        Some(next_update) => unix(next_update),
        None => this_update.saturating_add(WITHOUT_NEXT_UPDATE_S),
    };
    if this_update > now + CLOCK_TOLERANCE_S {
        return Err(OcspError::NotYet { from: this_update, now });
    }
    if next_update < this_update {
        return Err(OcspError::Malformed);
    }
    if next_update < now {
        return Err(OcspError::Stale { until: next_update, now });
    }
    Ok(StatusAnswer { status, this_update, next_update })
}

/// A nonce must be that of the question; what else is critical and not known is not understood.
fn check_extensions(extensions: Option<&Extensions>, nonce: Option<&[u8]>) -> Result<(), OcspError> {
    for extension in extensions.into_iter().flatten() {
        if extension.extn_id == NONCE {
            let value = extension.extn_value.as_bytes();
            // Some responders leave the inner OCTET STRING out.
            let inner = OctetString::from_der(value).map(|inner| inner.as_bytes().to_vec());
            let is_same =
                nonce.is_some_and(|nonce| value == nonce || inner.is_ok_and(|inner| inner == nonce));
            if !is_same {
                return Err(OcspError::Nonce);
            }
        } else if extension.critical {
            return Err(OcspError::Extension { oid: extension.extn_id.to_string() });
        }
    }
    Ok(())
}

/// The octets of an INTEGER without needless zeros, as the decoder gives them.
fn canonical(serial: &[u8]) -> &[u8] {
    match serial {
        [0, rest @ ..] if !rest.is_empty() && rest[0] < 0x80 => rest,
        serial => serial,
    }
}

fn unix(time: &OcspGeneralizedTime) -> i64 {
    i64::try_from(time.0.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
}

const fn status_name(status: OcspResponseStatus) -> &'static str {
    match status {
        OcspResponseStatus::Successful => "successful",
        OcspResponseStatus::MalformedRequest => "malformedRequest",
        OcspResponseStatus::InternalError => "internalError",
        OcspResponseStatus::TryLater => "tryLater",
        OcspResponseStatus::SigRequired => "sigRequired",
        OcspResponseStatus::Unauthorized => "unauthorized",
    }
}
