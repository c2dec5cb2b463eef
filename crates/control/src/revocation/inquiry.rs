//! One question about one certificate.

use std::sync::Arc;

use portcullis_trust::{
    CertIdHash, Issuer, OCSP_RESPONSE_BYTES_MAX, OcspError, OcspQuestion, StatusAnswer, StatusBook,
};
use thiserror::Error;

use crate::{
    clock::now_unix_s,
    fetch::{FetchError, FetchLimits, Fetcher},
};

/// The media type of a question (RFC 6960 appendix C.1).
const OCSP_REQUEST: &str = "application/ocsp-request";

/// What an OCSP responder answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) answer: StatusAnswer,
    /// As it came, to be kept.
    pub(super) response: Vec<u8>,
    /// When it came, in Unix seconds.
    pub(super) taken: i64,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum InquiryError {
    /// It did not come.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It is not believed.
    #[error("{url}: not believed")]
    Ocsp {
        /// Who answered.
        url: String,
        /// Why not.
        source: OcspError,
    },
    /// It is older than the one before.
    #[error("it is older than the answer before")]
    Older,
    /// The serial number is one that OCSP cannot ask about.
    #[error("the certificate's serial number is longer than RFC 5280 allows")]
    SerialNumber,
    /// There is no responder to ask.
    #[error("the certificate names no responder")]
    NoResponder,
}

impl InquiryError {
    /// The stable code, for metrics and logs.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.code(),
            Self::Ocsp { source, .. } => source.code(),
            Self::Older => "ocsp.rollback",
            Self::SerialNumber => "ocsp.serial-number",
            Self::NoResponder => "ocsp.no-responder",
        }
    }
}

/// Bounds of a question: a responder that takes longer is of no use to a client that waits, and the next may be better.
pub(super) const fn ocsp_limits() -> FetchLimits {
    use std::time::Duration;
    FetchLimits {
        bytes_max: OCSP_RESPONSE_BYTES_MAX,
        total_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(4),
        stall_timeout: Duration::from_secs(4),
        redirects_max: 0,
    }
}

/// Asks the responders of a certificate in turn. The first answer that is believed counts; if there is none, the last failure.
pub(super) async fn ask(
    fetcher: Fetcher,
    urls: Vec<String>,
    issuer: Arc<Issuer>,
    serial_number: Box<[u8]>,
    book: StatusBook,
) -> Result<Answered, InquiryError> {
    let question = OcspQuestion { issuer: &issuer, serial: &serial_number };
    let mut failure = InquiryError::NoResponder;
    for url in urls {
        // Every responder knows SHA-1 here, which names the CA and protects nothing; many know nothing else (RFC 5019 section 2.1.1).
        let request = question.request(CertIdHash::Sha1, None);
        if request.is_empty() {
            return Err(InquiryError::SerialNumber);
        }
        let response = match fetcher.post(&url, OCSP_REQUEST, request).await {
            Ok(response) => response,
            Err(error) => {
                failure = error.into();
                continue;
            }
        };
        let taken = now_unix_s();
        match question
            .read(&response, None, taken, &|responder| book.is_good_by_crl(&issuer, responder, taken))
        {
            Ok(answer) => return Ok(Answered { answer, response, taken }),
            Err(source) => failure = InquiryError::Ocsp { url, source },
        }
    }
    Err(failure)
}

/// Reads an answer that was kept, as it was judged when it came.
pub(super) fn recall(
    response: &[u8],
    taken: i64,
    (issuer, serial_number): (&Issuer, &[u8]),
) -> Result<StatusAnswer, OcspError> {
    let question = OcspQuestion { issuer, serial: serial_number };
    // Whether its responder was revoked was asked when it came, of CRLs that are not there any more.
    question.read(response, None, taken, &|_| true)
}
