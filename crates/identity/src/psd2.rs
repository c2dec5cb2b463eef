//! The PSD2 statement: roles and competent authority.

use std::borrow::Cow;

use serde::Serialize;

use crate::der::{DerError, Element, OBJECT_IDENTIFIER, Reader, SEQUENCE, UTF8_STRING};
use crate::finding::{Finding, FindingCode};
use crate::oid;
use crate::organization_identifier::Authorisation;
use crate::role::{Role, role_name, role_oid};
use crate::roles::Roles;

/// Role entries that are read. Nine identifiers are defined under the arc, others may be registered elsewhere
/// (TS 119 495 GEN-5.2.2-4). With more, the statement is not read and a finding says so.
pub const MAX_ROLE_ENTRIES: usize = 16;

/// Characters of each string in the statement: `SIZE (1..256)`, TS 119 495 Annex A.
pub const MAX_STRING_CHARS: usize = 256;

/// The PSD2 statement, 0.4.0.19495.2 (TS 119 495 section 5.1 and Annex A), read whole or not at all.
///
/// Trust: what the issuer wrote. The strings may hold any characters; escape them where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Psd2Statement {
    /// The roles by identifier; names play no part. Empty if no entry is one of the four.
    pub roles: Roles,
    /// Every entry as it stands, in the certificate's order, also those that are no [`Role`].
    pub role_entries: Vec<RoleEntry>,
    /// nCAName: the competent authority's name.
    pub nca_name: String,
    /// nCAId: the competent authority's identifier, such as `GB-FCA`. Its syntax is not checked here.
    pub nca_id: String,
}

/// One entry of rolesOfPSP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RoleEntry {
    /// roleOfPspOid, dotted.
    pub oid: Cow<'static, str>,
    /// roleOfPspName.
    pub name: String,
}

/// The JSON of a statement, beside which stands the authorisation number that the subject has.
#[derive(Serialize)]
pub(crate) struct Psd2Json<'a> {
    roles: Roles,
    role_entries: &'a [RoleEntry],
    nca_name: &'a str,
    nca_id: &'a str,
    authorisation: Option<Authorisation<'a>>,
}

impl Psd2Statement {
    pub(crate) fn with_authorisation<'a>(&'a self, authorisation: Option<Authorisation<'a>>) -> Psd2Json<'a> {
        Psd2Json {
            roles: self.roles,
            role_entries: &self.role_entries,
            nca_name: &self.nca_name,
            nca_id: &self.nca_id,
            authorisation,
        }
    }

    /// Reads a statementInfo, with its tag and length; empty if the statement has none.
    pub(crate) fn read(info: &[u8], findings: &mut Vec<Finding>) -> Option<Self> {
        match read_statement(info) {
            Ok(statement) => {
                note_mismatched_names(&statement.role_entries, findings);
                Some(statement)
            }
            Err(finding) => {
                findings.push(finding);
                None
            }
        }
    }
}

fn read_statement(info: &[u8]) -> Result<Psd2Statement, Finding> {
    let mut outer = Reader::new(info);
    let mut statement = structure(&mut outer, "statementInfo")?;
    finish(outer, "statementInfo")?;
    let (roles, role_entries) = read_roles(structure(&mut statement, "rolesOfPSP")?)?;
    let nca_name = read_string(&mut statement, "nCAName")?;
    let nca_id = read_string(&mut statement, "nCAId")?;
    finish(statement, "PSD2QcType")?;
    Ok(Psd2Statement { roles, role_entries, nca_name, nca_id })
}

fn read_roles(mut list: Reader<'_>) -> Result<(Roles, Vec<RoleEntry>), Finding> {
    if list.is_empty() {
        return Err(Finding::new(FindingCode::Psd2NoRoles, "rolesOfPSP is empty"));
    }
    let mut roles = Roles::EMPTY;
    // Four is what fits the roles there are; one allocation in all but odd certificates.
    let mut entries = Vec::with_capacity(4);
    while !list.is_empty() {
        if entries.len() == MAX_ROLE_ENTRIES {
            let message = format!("rolesOfPSP has more than {MAX_ROLE_ENTRIES} entries");
            return Err(Finding::new(FindingCode::Psd2TooManyRoles, message));
        }
        let (role, entry) = read_role(&mut list)?;
        if let Some(role) = role {
            roles.insert(role);
        }
        entries.push(entry);
    }
    Ok((roles, entries))
}

fn read_role(list: &mut Reader<'_>) -> Result<(Option<Role>, RoleEntry), Finding> {
    refuse_flattened(list)?;
    let mut fields = structure(list, "a role")?;
    let content = element(&mut fields, OBJECT_IDENTIFIER, "roleOfPspOid")?.content;
    oid::check(content).map_err(|error| malformed("roleOfPspOid", &error))?;
    let name = read_string(&mut fields, "roleOfPspName")?;
    refuse_flattened(&fields)?;
    finish(fields, "a role")?;
    let role = Role::from_oid_content(content);
    Ok((role, RoleEntry { oid: role_oid(content), name }))
}

/// The commonest mis-encoding seen: `SEQUENCE { oid, name, oid, name }`, at either of two depths.
fn refuse_flattened(fields: &Reader<'_>) -> Result<(), Finding> {
    if fields.peek_tag() != Some(OBJECT_IDENTIFIER) {
        return Ok(());
    }
    let message = "the roles stand in one SEQUENCE side by side; each belongs into a SEQUENCE of its own, all within \
                   the SEQUENCE OF rolesOfPSP";
    Err(Finding::new(FindingCode::Psd2FlattenedRoles, message))
}

fn read_string(fields: &mut Reader<'_>, field: &'static str) -> Result<String, Finding> {
    let content = element(fields, UTF8_STRING, field)?.content;
    // Four octets a character at most: the comparison comes before the string is walked.
    let text = if content.len() > MAX_STRING_CHARS * 4 { None } else { Some(std::str::from_utf8(content)) };
    match text {
        Some(Err(_)) => Err(Finding::new(FindingCode::Psd2Malformed, format!("{field} is not UTF-8"))),
        Some(Ok(text)) if !text.is_empty() && text.chars().count() <= MAX_STRING_CHARS => Ok(text.to_owned()),
        Some(Ok(_)) | None => {
            let octets = content.len();
            let message =
                format!("{field} has {octets} octets; 1 to {MAX_STRING_CHARS} characters are allowed");
            Err(Finding::new(FindingCode::Psd2StringLength, message))
        }
    }
}

fn structure<'a>(fields: &mut Reader<'a>, field: &'static str) -> Result<Reader<'a>, Finding> {
    element(fields, SEQUENCE, field).map(|element| Reader::new(element.content))
}

/// Reads the element that must come next, and names what stands in its place if another does.
fn element<'a>(fields: &mut Reader<'a>, tag: u8, field: &'static str) -> Result<Element<'a>, Finding> {
    if fields.is_empty() {
        return Err(Finding::new(FindingCode::Psd2Malformed, format!("{field} is missing")));
    }
    let element = fields.read().map_err(|error| malformed(field, &error))?;
    if element.tag == tag {
        return Ok(element);
    }
    let found = element.tag;
    let (code, message) = if element.is_context_specific() {
        (FindingCode::Psd2StrayTag, format!("{field} is wrapped in a context-specific tag (0x{found:02x})"))
    } else if tag == UTF8_STRING && element.is_other_string() {
        (FindingCode::Psd2StringType, format!("{field} has string type 0x{found:02x}, not UTF8String (0x0c)"))
    } else {
        (FindingCode::Psd2Malformed, format!("{field} has tag 0x{found:02x}, not 0x{tag:02x}"))
    };
    Err(Finding::new(code, message))
}

fn finish(fields: Reader<'_>, field: &'static str) -> Result<(), Finding> {
    fields.finish().map_err(|error| {
        Finding::new(FindingCode::Psd2TrailingBytes, format!("{field} goes on after its last field: {error}"))
    })
}

fn malformed(field: &'static str, error: &DerError) -> Finding {
    Finding::new(FindingCode::Psd2Malformed, format!("{field} is not well-formed DER: {error}"))
}

fn note_mismatched_names(entries: &[RoleEntry], findings: &mut Vec<Finding>) {
    for entry in entries {
        if let Some(name) = role_name(&entry.oid).filter(|name| *name != entry.name) {
            let message = format!("role {} does not bear its name, {name}", entry.oid);
            findings.push(Finding::new(FindingCode::Psd2RoleNameMismatch, message));
        }
    }
}

#[cfg(test)]
#[path = "psd2_tests.rs"]
mod tests;
