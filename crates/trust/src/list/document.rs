//! From bytes to XML, within bounds.

use bergshamra::xml::uppsala::{Document, Parser};

use super::error::ListError;

/// Bytes of a list that is read. The longest of 2023 has 2.4 MB; a document of this size takes some 200 MB as a tree.
pub const LIST_BYTES_MAX: usize = 16 << 20;
/// Depth of elements. Lists nest criteria within criteria, and reach 20.
const DEPTH_MAX: u32 = 64;

/// The text of a list: UTF-8, after a byte order mark and white space, which some publishers put in front of the declaration.
pub(super) fn text(bytes: &[u8]) -> Result<&str, ListError> {
    if bytes.len() > LIST_BYTES_MAX {
        return Err(ListError::TooLarge { bytes: bytes.len(), limit: LIST_BYTES_MAX });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| ListError::Xml {
        reason: format!("it is not UTF-8 from byte {}", error.valid_up_to()),
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text).trim_start_matches([' ', '\t', '\r', '\n']))
}

/// Reads the text. A document type is refused whole, and with it every entity that is not XML's own.
pub(super) fn parse(text: &str) -> Result<Document<'_>, ListError> {
    let parser = Parser::new().with_max_depth(DEPTH_MAX).with_forbid_dtd(true).with_max_entity_expansion(0);
    parser.parse(text).map_err(|error| ListError::Xml { reason: error.to_string() })
}
