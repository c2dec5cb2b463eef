//! What is demanded of a seal.

use crate::algorithm::Algorithm;

/// How a message is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// As the Berlin Group's `NextGenPSD2` has it: `Digest` (RFC 3230), `Signature` (draft-cavage-http-signatures-10 to
    /// -12) and `TPP-Signature-Certificate`.
    BerlinGroup,
    /// As RFC 9421 has it: `Signature-Input`, `Signature` and `Content-Digest` (RFC 9530), and the certificate in a field.
    MessageSignatures,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::BerlinGroup, Self::MessageSignatures];

    /// What it is called.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BerlinGroup => "berlin-group",
            Self::MessageSignatures => "message-signatures",
        }
    }

    /// By its [name](Self::as_str), as a configuration has it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.as_str() == name)
    }

    /// The specification of what is signed and how.
    pub const fn specification(self) -> &'static str {
        match self {
            Self::BerlinGroup => "draft-cavage-http-signatures-12 section 2.3",
            Self::MessageSignatures => "RFC 9421 section 2.5",
        }
    }

    /// The field that holds digests of the body.
    pub(crate) const fn digest_field(self) -> &'static str {
        match self {
            Self::BerlinGroup => "digest",
            Self::MessageSignatures => "content-digest",
        }
    }
}

/// What is demanded of a seal, as configured. [`SealRules::default`] is as strict as the Berlin Group's guidelines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealRules {
    /// How messages may be sealed. A message with `Signature-Input` is read by RFC 9421 where that is among them, any
    /// other as the Berlin Group has it.
    pub profiles: Vec<Profile>,
    /// The field that holds the certificate.
    pub certificate_field: Box<str>,
    /// Components that must be covered beside [what each profile demands](crate::COVERED_MIN): names of fields in lower
    /// case, for both profiles; derived components (`@authority`) for RFC 9421 alone; `(request-target)` for the Berlin
    /// Group's alone.
    pub covered_min: Vec<Box<str>>,
    /// Seconds for which a sealed message is accepted.
    pub freshness_s_max: u32,
    /// Seconds by which the clocks of both sides may differ.
    pub clock_skew_s: u32,
    /// Whether something that is signed must say when the message was sealed. Without, a message that says nothing of
    /// time is fresh for ever.
    pub date_required: bool,
    /// Algorithms that are accepted. Where RFC 9421's `alg` is absent, the first that the key has is meant.
    pub algorithms: Vec<Algorithm>,
    /// Bits of an RSA key at least. Below 2048 nothing is accepted, whatever is written here.
    pub rsa_bits_min: u32,
    /// Whether there must be an `X-Request-ID`. One that is there must be covered.
    pub request_id_required: bool,
    /// Which signature of RFC 9421 is read where there are several: the one with this label, or else the first of
    /// `Signature-Input`. The others are not looked at. A label is not signed; it says where to look, and nothing else.
    pub label: Option<Box<str>>,
}

impl SealRules {
    /// The field in which the Berlin Group has the certificate.
    pub const CERTIFICATE_FIELD: &'static str = "tpp-signature-certificate";
}

impl Default for SealRules {
    fn default() -> Self {
        Self {
            profiles: Profile::ALL.to_vec(),
            certificate_field: Self::CERTIFICATE_FIELD.into(),
            covered_min: Vec::new(),
            freshness_s_max: 300,
            clock_skew_s: 30,
            date_required: true,
            algorithms: Algorithm::ALL.to_vec(),
            rsa_bits_min: 2048,
            request_id_required: true,
            label: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        assert!(Profile::ALL.iter().all(|profile| Profile::from_name(profile.as_str()) == Some(*profile)));
        let is_read = |algorithm: &Algorithm| Algorithm::from_name(algorithm.as_str()) == Some(*algorithm);
        assert!(Algorithm::ALL.iter().all(is_read));
        assert_eq!((Profile::from_name("psd2"), Algorithm::from_name("hmac-sha256")), (None, None));
    }
}
