//! What is signed under RFC 9421.

use sfv::{BareItem, Dictionary, FieldType as _, InnerList, ListEntry, Parameters, Parser};

use crate::algorithm;
use crate::claim::{COMPONENTS_MAX, Claim};
use crate::component::{Component, parameter};
use crate::error::SealError;
use crate::excerpt::excerpt;
use crate::head::{Message, RequestHead};
use crate::rules::{Profile, SealRules};

/// Signatures of a message that are taken notice of. A TPP, and perhaps a proxy of its, sign; more is refused.
pub const SIGNATURES_MAX: usize = 4;

/// Components with a parameter that are read. Each may cost a reading of what it is a part of, and a handful is seen.
const PARAMETERISED_MAX: usize = 16;

const INPUT: &str = "signature-input";
const SIGNATURE: &str = "signature";

/// Reads what a request claims of its seal.
pub(crate) fn claim(head: &RequestHead<'_>, rules: &SealRules) -> Result<Claim, SealError> {
    let message = Message::Request(head);
    let inputs = dictionary(message, INPUT)?;
    let signatures = dictionary(message, SIGNATURE)?;
    let label = choose(&inputs, rules.label.as_deref())?;
    let Some(ListEntry::InnerList(input)) = inputs.get(label) else {
        return Err(SealError::malformed(INPUT, format!("{} is not a list of components", excerpt(label))));
    };
    let signature = match signatures.get(label) {
        Some(ListEntry::Item(item)) => item.bare_item.as_byte_sequence(),
        _ => None,
    };
    let signature = signature
        .ok_or_else(|| SealError::malformed(SIGNATURE, format!("it has no signature {}", excerpt(label))))?;
    let named = text(&input.params, "alg")?;
    Ok(Claim {
        profile: Profile::MessageSignatures,
        key_id: text(&input.params, "keyid")?.map(Into::into),
        algorithm: algorithm::Claim::of_registry(named, &rules.algorithms)?,
        covered: covered(input)?,
        base: signature_base(message, input)?,
        signature: signature.to_vec(),
        created_s: seconds(&input.params, "created")?,
        created_is_covered: true,
        expires_s: seconds(&input.params, "expires")?,
    })
}

fn dictionary(message: Message<'_>, field: &'static str) -> Result<Dictionary, SealError> {
    let value = message.fields().joined(field)?.ok_or_else(|| SealError::Missing { field: field.into() })?;
    let members: Dictionary = Parser::new(&value)
        .parse()
        .map_err(|error| SealError::malformed(field, format!("it is not a dictionary: {error}")))?;
    if members.len() > SIGNATURES_MAX {
        return Err(SealError::TooMany { what: "signatures", limit: SIGNATURES_MAX });
    }
    Ok(members)
}

/// The label of the signature that is read: the one of the rules, or the first.
fn choose<'a>(inputs: &'a Dictionary, label: Option<&'a str>) -> Result<&'a str, SealError> {
    match label {
        Some(label) if inputs.contains_key(label) => Ok(label),
        Some(label) => Err(SealError::malformed(INPUT, format!("it has no signature {}", excerpt(label)))),
        None => inputs
            .keys()
            .next()
            .map(|key| key.as_str())
            .ok_or_else(|| SealError::Missing { field: INPUT.into() }),
    }
}

/// The names of components that are covered whole.
fn covered(input: &InnerList) -> Result<Vec<Box<str>>, SealError> {
    if input.items.len() > COMPONENTS_MAX {
        return Err(SealError::TooMany { what: "covered components", limit: COMPONENTS_MAX });
    }
    let (mut covered, mut parameterised) = (Vec::new(), 0);
    for item in &input.items {
        let component = Component::of(item)?;
        covered.extend(component.whole().map(Into::into));
        parameterised += usize::from(component.has_parameters());
    }
    if parameterised > PARAMETERISED_MAX {
        return Err(SealError::TooMany {
            what: "covered components with parameters",
            limit: PARAMETERISED_MAX,
        });
    }
    Ok(covered)
}

/// The signature base (section 2.5): a line for each component, and one for the parameters.
///
/// # Errors
/// A component comes twice, is unknown or absent, or has octets that are not ASCII.
pub(crate) fn signature_base(message: Message<'_>, input: &InnerList) -> Result<Vec<u8>, SealError> {
    let (mut base, mut identifiers) = (Vec::new(), Vec::new());
    for item in &input.items {
        let component = Component::of(item)?;
        let identifier = component.identifier();
        if identifiers.contains(&identifier) {
            return Err(SealError::component(&identifier, "it is listed twice"));
        }
        let value = component.value(message)?;
        if !value.is_ascii() {
            return Err(SealError::component(
                &identifier,
                "its value is not ASCII; cover it with the parameter bs",
            ));
        }
        base.extend(identifier.as_bytes());
        base.extend(b": ");
        base.extend(value);
        base.push(b'\n');
        identifiers.push(identifier);
    }
    base.extend(br#""@signature-params": "#);
    base.extend(serialize(input).as_bytes());
    Ok(base)
}

/// A list of components with its parameters, as `Signature-Input` has it behind a label.
pub(crate) fn serialize(input: &InnerList) -> String {
    vec![ListEntry::InnerList(input.clone())].serialize().unwrap_or_default()
}

fn text<'a>(parameters: &'a Parameters, name: &str) -> Result<Option<&'a str>, SealError> {
    match parameter(parameters, name) {
        None => Ok(None),
        Some(BareItem::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(SealError::malformed(INPUT, format!("its parameter {name} is not a string"))),
    }
}

fn seconds(parameters: &Parameters, name: &str) -> Result<Option<i64>, SealError> {
    match parameter(parameters, name) {
        None => Ok(None),
        Some(BareItem::Integer(seconds)) => Ok(Some(i64::from(*seconds))),
        Some(_) => Err(SealError::malformed(INPUT, format!("its parameter {name} is not an integer"))),
    }
}
