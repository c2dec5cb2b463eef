//! What is signed under the Berlin Group's profile (draft-cavage-http-signatures-12 section 2.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::algorithm;
use crate::claim::{COMPONENTS_MAX, Claim};
use crate::error::SealError;
use crate::head::RequestHead;
use crate::parameters::Parameters;
use crate::rules::{Profile, SealRules};

const FIELD: &str = "signature";

/// Reads what a request claims of its seal.
pub(crate) fn claim(head: &RequestHead<'_>, rules: &SealRules) -> Result<Claim, SealError> {
    let parameters = Parameters::parse(head.fields().demanded("Signature")?)?;
    let algorithm = parameters.algorithm.ok_or_else(|| without("algorithm"))?;
    let signature = parameters.signature.ok_or_else(|| without("signature"))?;
    let covered = covered(parameters.headers.ok_or_else(|| without("headers"))?)?;
    let created_is_covered = covered.iter().any(|name| **name == *"(created)");
    Ok(Claim {
        profile: Profile::BerlinGroup,
        key_id: Some(parameters.key_id.ok_or_else(|| without("keyId"))?.into()),
        algorithm: algorithm::Claim::of_draft(algorithm, &rules.algorithms)?,
        base: signing_string(head, &covered, &parameters)?,
        covered,
        signature: STANDARD
            .decode(signature)
            .map_err(|_| SealError::malformed(FIELD, "its parameter signature is not base64"))?,
        created_s: parameters.created.map(|text| unix_time(text, "created")).transpose()?,
        created_is_covered,
        expires_s: parameters.expires.map(|text| unix_time(text, "expires")).transpose()?,
    })
}

/// The names of `headers`, in lower case.
fn covered(headers: &str) -> Result<Vec<Box<str>>, SealError> {
    let mut covered: Vec<Box<str>> = Vec::new();
    for name in headers.trim().split(' ') {
        if name.is_empty() {
            return Err(SealError::malformed(
                FIELD,
                "its parameter headers is not a list of names with one space between them",
            ));
        }
        if covered.len() == COMPONENTS_MAX {
            return Err(SealError::TooMany { what: "covered components", limit: COMPONENTS_MAX });
        }
        let name: Box<str> = name.to_ascii_lowercase().into();
        if covered.contains(&name) {
            return Err(SealError::component(&name, "it is listed twice"));
        }
        covered.push(name);
    }
    Ok(covered)
}

/// The signing string: a line for each component, and none at the end.
pub(crate) fn signing_string(
    head: &RequestHead<'_>,
    covered: &[Box<str>],
    parameters: &Parameters<'_>,
) -> Result<Vec<u8>, SealError> {
    let mut base = Vec::new();
    for (position, name) in covered.iter().enumerate() {
        if position > 0 {
            base.push(b'\n');
        }
        base.extend(name.as_bytes());
        base.extend(b": ");
        base.extend(value(head, name, parameters)?);
    }
    Ok(base)
}

fn value(head: &RequestHead<'_>, name: &str, parameters: &Parameters<'_>) -> Result<Vec<u8>, SealError> {
    match name {
        "(request-target)" => {
            Ok(format!("{} {}", head.method.to_ascii_lowercase(), head.target()).into_bytes())
        }
        "(created)" => time_value(name, parameters.created, parameters),
        "(expires)" => time_value(name, parameters.expires, parameters),
        _ => match head.fields().joined(name)? {
            Some(value) => Ok(value),
            // HTTP/2 has the authority in its place.
            None if name == "host" => Ok(head.authority.as_bytes().to_vec()),
            None => Err(SealError::component(name, "the message has no such field")),
        },
    }
}

/// The value of `(created)` or `(expires)`, which algorithms that are named for their key must not cover (section 2.3):
/// a signature of theirs could have been made by an older draft, to which the name was a field's.
fn time_value(name: &str, value: Option<&str>, parameters: &Parameters<'_>) -> Result<Vec<u8>, SealError> {
    let algorithm = parameters.algorithm.unwrap_or_default().to_ascii_lowercase();
    if ["rsa", "hmac", "ecdsa"].iter().any(|prefix| algorithm.starts_with(prefix)) {
        return Err(SealError::component(
            name,
            "it goes with the algorithm hs2019 only; sign the field Date",
        ));
    }
    let value = value.ok_or_else(|| SealError::component(name, "the signature has no such parameter"))?;
    unix_time(value, name)?;
    Ok(value.as_bytes().to_vec())
}

/// Seconds of Unix time. `expires` may have a fraction (section 2.1.5), which is left off: earlier is stricter.
fn unix_time(text: &str, name: &str) -> Result<i64, SealError> {
    let malformed =
        || SealError::malformed(FIELD, format!("its parameter {name} is not a number of seconds"));
    let whole = match text.split_once('.') {
        Some((whole, fraction))
            if name.contains("expires") && fraction.bytes().all(|octet| octet.is_ascii_digit()) =>
        {
            whole
        }
        Some(_) => return Err(malformed()),
        None => text,
    };
    if whole.is_empty() || !whole.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(malformed());
    }
    whole.parse().map_err(|_| malformed())
}

fn without(name: &str) -> SealError {
    SealError::malformed(FIELD, format!("it has no parameter {name}"))
}
