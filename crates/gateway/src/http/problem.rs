//! Refusals of requests as problem documents (RFC 9457).

use std::{error::Error, iter::successors};

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use portcullis_identity::Roles;
use portcullis_keys::Overstep;
use portcullis_policy::{Assessment, Denial, Finding};
use portcullis_token::TokenError;
use portcullis_upstream::UpstreamError;
use serde::Serialize;

use crate::http::{body::OutgoingBody, seal_refusal::SealRefusal};

/// Findings that a refusal lists, the gravest first; how many more there are stands beside them. A certificate as it is meant
/// has a handful, one that was made to be odd has a hundred, and every request is answered with them. The message of each is
/// bounded by what is read of a certificate.
const FINDINGS_MAX: usize = 32;

/// When a client may come again whose issuer could not be asked: what is answered of a token that nobody judged is kept for less.
const ISSUER_AGAIN_S: u64 = 2;

/// A problem document. `code` is stable; `detail` is a sentence that the client's engineer can act on.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: Box<str>,
    title: &'static str,
    status: u16,
    detail: Box<str>,
    pub(crate) code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    clause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    required_roles: Option<Roles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_roles: Option<Roles>,
    /// Which rules the certificate breaks, the gravest first, at most [`FINDINGS_MAX`].
    #[serde(skip_serializing_if = "<[Finding]>::is_empty")]
    findings: Box<[Finding]>,
    #[serde(skip_serializing_if = "is_zero")]
    findings_omitted: u16,
    #[serde(flatten)]
    seal: Option<Box<SealProblem>>,
    #[serde(skip)]
    advice: Option<Box<Advice>>,
}

/// What the client is told in fields.
#[derive(Debug)]
enum Advice {
    Again(Again),
    /// What `WWW-Authenticate` says.
    Challenge(String),
}

/// What is told of a seal.
#[derive(Debug, Serialize)]
struct SealProblem {
    /// What its certificate was refused for.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_code: Option<&'static str>,
    /// For a client that speaks the Berlin Group's language.
    #[serde(rename = "tppMessages", skip_serializing_if = "Option::is_none")]
    tpp_messages: Option<[TppMessage; 1]>,
}

/// What is wrong, as the Berlin Group has it (`NextGenPSD2` implementation guidelines, section on error information).
#[derive(Debug, Serialize)]
struct TppMessage {
    category: &'static str,
    code: &'static str,
    text: Box<str>,
}

/// When the same may be asked again, and by which limit.
#[derive(Debug)]
struct Again {
    after_s: u64,
    /// Its name, how much it is, and of how many seconds.
    limit: Option<(&'static str, u64, u64)>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:portcullis:problem:{code}").into(),
            title: status.canonical_reason().unwrap_or("Refused"),
            status: status.as_u16(),
            detail: detail.into().into(),
            code,
            clause: None,
            required_roles: None,
            certificate_roles: None,
            findings: Box::default(),
            findings_omitted: 0,
            seal: None,
            advice: None,
        }
    }

    /// A 429 for what may be asked again, a 403 for what may not.
    pub(crate) fn overstepped(overstep: &Overstep) -> Self {
        let again = match *overstep {
            Overstep::Rate { rate, retry_after_s } => {
                let limit = ("rate", u64::from(rate.requests), u64::from(rate.period_s));
                Some(Again { after_s: retry_after_s, limit: Some(limit) })
            }
            Overstep::Quota { quota, retry_after_s } => {
                Some(Again { after_s: retry_after_s, limit: Some(("day", quota, 24 * 60 * 60)) })
            }
            // Whatever is under way may end at any time.
            _ => overstep.is_of_the_moment().then_some(Again { after_s: 1, limit: None }),
        };
        let status = match overstep {
            _ if again.is_some() => StatusCode::TOO_MANY_REQUESTS,
            Overstep::Body { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::FORBIDDEN,
        };
        let advice = again.map(|again| Box::new(Advice::Again(again)));
        Self { advice, ..Self::new(status, overstep.code(), overstep.to_string()) }
    }

    pub(crate) const fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// A 403 for a denial.
    pub(crate) fn denied(denial: &Denial) -> Self {
        let roles = match denial {
            Denial::RoleMissing { required, presented } => Some((*required, *presented)),
            _ => None,
        };
        Self {
            clause: denial.clause(),
            required_roles: roles.map(|(required, _)| required),
            certificate_roles: roles.map(|(_, presented)| presented),
            ..Self::new(StatusCode::FORBIDDEN, denial.code(), denial.to_string())
        }
    }

    /// The answer to a token that does not open a route (RFC 6750 3).
    pub(crate) fn token(error: &TokenError) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNAUTHORIZED);
        let advice = match error.challenge() {
            Some(challenge) => Some(Advice::Challenge(challenge)),
            None => error
                .is_of_the_moment()
                .then_some(Advice::Again(Again { after_s: ISSUER_AGAIN_S, limit: None })),
        };
        Self { advice: advice.map(Box::new), ..Self::new(status, error.code(), error.to_string()) }
    }

    /// The answer to a sealed request that goes no further; for those who read `tppMessages` with them.
    pub(crate) fn seal(refusal: &SealRefusal, tells_tpp: bool) -> Self {
        let problem = Self::new(refusal.status(), refusal.code(), chain(refusal));
        let message = || TppMessage {
            category: "ERROR",
            code: refusal.tpp_code(),
            // The guidelines give it 500 characters.
            text: problem.detail.chars().take(500).collect(),
        };
        let tpp_messages = tells_tpp.then(|| [message()]);
        let (certificate_code, findings) = match refusal {
            SealRefusal::Certificate { code, findings, .. } => (Some(*code), findings.clone()),
            _ => (None, Box::default()),
        };
        Self { seal: Some(Box::new(SealProblem { certificate_code, tpp_messages })), findings, ..problem }
    }

    /// The answer to a request whose upstream gave none.
    pub(crate) fn upstream(error: &UpstreamError, tells_tpp: bool) -> Self {
        if let UpstreamError::RequestBodyRefused(refusal) = error
            && let Some(refusal) = refusal.downcast_ref::<SealRefusal>()
        {
            return Self::seal(refusal, tells_tpp);
        }
        Self::new(error.status(), error.code(), error.to_string())
    }

    /// A 403 for a certificate that was refused, with what was found out about it.
    pub(crate) fn refused(denial: &Denial, assessment: Option<&Assessment>) -> Self {
        let findings = assessment.map_or(&[][..], |assessment| &assessment.findings);
        Self {
            findings: findings.iter().take(FINDINGS_MAX).cloned().collect(),
            findings_omitted: u16::try_from(findings.len().saturating_sub(FINDINGS_MAX)).unwrap_or(u16::MAX),
            ..Self::denied(denial)
        }
    }

    /// The whole HTTP/1.1 message, for a connection that ends with it.
    pub(crate) fn into_last_message(self) -> Vec<u8> {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut message = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n",
            self.status,
            self.title,
            body.len()
        )
        .into_bytes();
        message.extend_from_slice(&body);
        message
    }

    pub(crate) fn into_response(self) -> Response<OutgoingBody> {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(OutgoingBody::own(body.into()));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(advice) = self.advice {
            advice.tell(headers);
        }
        response
    }
}

impl Advice {
    fn tell(&self, headers: &mut HeaderMap) {
        match self {
            Self::Again(again) => again.tell(headers),
            Self::Challenge(challenge) => {
                // Texts of ours, and scopes that were looked at when they were configured, are always a field value.
                if let Ok(challenge) = HeaderValue::from_str(challenge) {
                    headers.insert(header::WWW_AUTHENTICATE, challenge);
                }
            }
        }
    }
}

impl Again {
    /// `Retry-After` (RFC 9110 10.2.3), and the fields of draft-ietf-httpapi-ratelimit-headers-10.
    fn tell(&self, headers: &mut HeaderMap) {
        headers.insert(header::RETRY_AFTER, self.after_s.into());
        let Some((name, quota, window_s)) = self.limit else { return };
        let fields = [
            ("ratelimit-policy", format!("\"{name}\";q={quota};w={window_s}")),
            ("ratelimit", format!("\"{name}\";r=0;t={}", self.after_s)),
        ];
        for (field, value) in fields {
            // Numbers and a name of ours are always a field value.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(field, value);
            }
        }
    }
}

/// An error and its causes: whoever runs the gate reads here why there is no place for a body.
fn chain(error: &dyn Error) -> String {
    let causes = successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

// serde asks by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(count: &u16) -> bool {
    *count == 0
}
