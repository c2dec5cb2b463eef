//! Components of a message and their values (RFC 9421 section 2).

use sfv::{BareItem, Dictionary, FieldType as _, Item, KeyRef, List, ListEntry, Parameters, Parser};

use crate::error::SealError;
use crate::head::{Message, RequestHead};
use crate::query_param::query_param;

/// Fields that are known to be dictionaries, so that `sf` can be applied to them (section 2.1.1).
const DICTIONARIES: [&str; 5] = ["content-digest", "repr-digest", "signature", "signature-input", "priority"];

/// Bytes of a dictionary, or of a query, of which single members are covered. Each member that is covered costs a reading of
/// the whole; `Content-Digest` has under 200 bytes. A longer one can be covered whole.
const TAKEN_APART_BYTES_MAX: usize = 8192;

/// A component, as an item of `Signature-Input` names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Component<'a> {
    item: &'a Item,
    name: &'a str,
}

impl<'a> Component<'a> {
    pub(crate) fn of(item: &'a Item) -> Result<Self, SealError> {
        let name = item
            .bare_item
            .as_string()
            .ok_or_else(|| SealError::component(&item.serialize(), "a component's name is a string"))?;
        let component = Self { item, name: name.as_str() };
        if component.name.bytes().any(|octet| octet.is_ascii_uppercase()) {
            return Err(component.refused("a component's name is in lower case"));
        }
        Ok(component)
    }

    /// As it stands in a signature base.
    pub(crate) fn identifier(self) -> String {
        self.item.serialize()
    }

    pub(crate) fn has_parameters(self) -> bool {
        !self.item.params.is_empty()
    }

    /// The name, if the whole of what it names is covered.
    pub(crate) fn whole(self) -> Option<&'a str> {
        let is_whole = |key: &sfv::Key| matches!(key.as_str(), "sf" | "bs");
        self.item.params.keys().all(is_whole).then_some(self.name)
    }

    /// The value.
    ///
    /// # Errors
    /// The component, or a parameter of it, is not known, or the message does not have it (section 2.5).
    pub(crate) fn value(self, message: Message<'_>) -> Result<Vec<u8>, SealError> {
        if !self.name.starts_with('@') {
            return self.field_value(message);
        }
        match (self.name, message) {
            ("@query-param", Message::Request(head)) => self.query_param(head),
            _ if !self.item.params.is_empty() => Err(self.refused("it has a parameter that is not known")),
            ("@status", Message::Response(head)) => Ok(head.status.to_string().into_bytes()),
            (name, Message::Request(head)) => derived(name, head)
                .map(String::into_bytes)
                .ok_or_else(|| self.refused("no such component of a request is known")),
            _ => Err(self.refused("no such component of an answer is known")),
        }
    }

    fn query_param(self, head: &RequestHead<'_>) -> Result<Vec<u8>, SealError> {
        let name = match (self.item.params.len(), self.parameter("name").and_then(BareItem::as_string)) {
            (1, Some(name)) => name.as_str(),
            _ => return Err(self.refused("it needs the parameter name, and no other")),
        };
        let query = head.query.unwrap_or_default();
        if query.len() > TAKEN_APART_BYTES_MAX {
            return Err(self.refused("the query is too long to be taken apart; cover @query"));
        }
        query_param(query, name)
            .map(String::into_bytes)
            .ok_or_else(|| self.refused("the query does not have this parameter once"))
    }

    /// The value of a field (section 2.1), with the parameters `sf`, `key` and `bs`. `req` is for answers and `tr` for
    /// trailers, of which there are none here.
    fn field_value(self, message: Message<'_>) -> Result<Vec<u8>, SealError> {
        let joined = message
            .fields()
            .joined(self.name)?
            .ok_or_else(|| self.refused("the message has no such field"))?;
        let mut parameters = self.item.params.iter();
        match (parameters.next().map(|(key, value)| (key.as_str(), value)), parameters.next()) {
            (None, _) => Ok(joined),
            (Some(("sf", BareItem::Boolean(true))), None) => self.strict(&joined),
            (Some(("bs", BareItem::Boolean(true))), None) => self.wrapped(message),
            (Some(("key", BareItem::String(key))), None) => self.member(&joined, key.as_str()),
            _ => Err(self.refused("of sf, key and bs it may have one, and no other parameter")),
        }
    }

    fn strict(self, joined: &[u8]) -> Result<Vec<u8>, SealError> {
        if !DICTIONARIES.contains(&self.name) {
            return Err(self.refused("the type of this structured field is not known here"));
        }
        Ok(self.dictionary(joined)?.serialize().unwrap_or_default().into_bytes())
    }

    fn member(self, joined: &[u8], key: &str) -> Result<Vec<u8>, SealError> {
        match self.dictionary(joined)?.get(key) {
            Some(ListEntry::Item(item)) => Ok(item.serialize().into_bytes()),
            Some(list @ ListEntry::InnerList(_)) => {
                Ok(vec![list.clone()].serialize().unwrap_or_default().into_bytes())
            }
            None => Err(self.refused("the field has no such member")),
        }
    }

    fn dictionary(self, joined: &[u8]) -> Result<Dictionary, SealError> {
        if joined.len() > TAKEN_APART_BYTES_MAX {
            return Err(self.refused("the field is too long to be taken apart; cover it whole"));
        }
        Parser::new(joined).parse().map_err(|_| self.refused("the field is not a dictionary"))
    }

    /// Each value as a byte sequence, so that two cannot pass for one (section 2.1.3).
    fn wrapped(self, message: Message<'_>) -> Result<Vec<u8>, SealError> {
        let values =
            message.fields().values(self.name).map(|value| ListEntry::Item(Item::new(value.to_vec())));
        Ok(values.collect::<List>().serialize().unwrap_or_default().into_bytes())
    }

    fn parameter(self, name: &str) -> Option<&'a BareItem> {
        parameter(&self.item.params, name)
    }

    fn refused(self, reason: &'static str) -> SealError {
        SealError::component(&self.identifier(), reason)
    }
}

pub(crate) fn parameter<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a BareItem> {
    KeyRef::from_str(name).ok().and_then(|name| parameters.get(name))
}

/// The value of a component that is derived from a request (section 2.2).
fn derived(name: &str, head: &RequestHead<'_>) -> Option<String> {
    Some(match name {
        "@method" => head.method.to_owned(),
        "@target-uri" => {
            format!("{}://{}{}", head.scheme.to_ascii_lowercase(), authority(head), head.target())
        }
        "@authority" => authority(head),
        "@scheme" => head.scheme.to_ascii_lowercase(),
        "@request-target" => head.target(),
        "@path" if head.path.is_empty() => "/".to_owned(),
        "@path" => head.path.to_owned(),
        "@query" => format!("?{}", head.query.unwrap_or_default()),
        _ => return None,
    })
}

/// The authority in lower case and without the port that goes without saying (section 2.2.3).
fn authority(head: &RequestHead<'_>) -> String {
    let authority = head.authority.to_ascii_lowercase();
    let port = if head.scheme.eq_ignore_ascii_case("http") { ":80" } else { ":443" };
    authority.strip_suffix(port).map(str::to_owned).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[(&str, &[u8])] = &[
        ("Host", b"www.example.com"),
        ("X-OWS-Header", b"  Leading and trailing whitespace.   "),
        ("Cache-Control", b"max-age=60"),
        ("Cache-Control", b"   must-revalidate"),
        ("Example-Dict", b" a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
        ("Example-Header", b"value, with, lots"),
        ("Example-Header", b"of, commas"),
        ("Priority", b"u=1,   i"),
        ("X-Empty-Header", b""),
    ];

    const HEAD: RequestHead<'_> = RequestHead {
        method: "POST",
        scheme: "HTTPS",
        authority: "WWW.example.com:443",
        path: "/path",
        query: Some("param=value&foo=bar&baz=bat%2Dman"),
        fields: FIELDS,
    };

    fn of(head: &RequestHead<'_>, identifier: &str) -> Result<String, &'static str> {
        let item: Item = Parser::new(identifier).parse().unwrap();
        let value = Component::of(&item).and_then(|component| component.value(Message::Request(head)));
        value.map(|value| String::from_utf8(value).unwrap()).map_err(|error| error.code())
    }

    /// The examples of RFC 9421 sections 2.1 and 2.2, or nearly.
    #[test]
    fn components_have_their_values() {
        for (identifier, expected) in [
            (r#""host""#, "www.example.com"),
            (r#""x-ows-header""#, "Leading and trailing whitespace."),
            (r#""cache-control""#, "max-age=60, must-revalidate"),
            (r#""example-dict""#, "a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
            (r#""example-dict";key="a""#, "1"),
            (r#""example-dict";key="b""#, "2;x=1;y=2"),
            (r#""example-dict";key="c""#, "(a b c)"),
            (r#""example-dict";key="d""#, "?1"),
            (r#""priority";sf"#, "u=1, i"),
            (r#""example-header";bs"#, ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:"),
            (r#""x-empty-header""#, ""),
            (r#""@method""#, "POST"),
            (r#""@target-uri""#, "https://www.example.com/path?param=value&foo=bar&baz=bat%2Dman"),
            (r#""@authority""#, "www.example.com"),
            (r#""@scheme""#, "https"),
            (r#""@request-target""#, "/path?param=value&foo=bar&baz=bat%2Dman"),
            (r#""@path""#, "/path"),
            (r#""@query""#, "?param=value&foo=bar&baz=bat%2Dman"),
            (r#""@query-param";name="baz""#, "bat-man"),
        ] {
            assert_eq!(of(&HEAD, identifier).as_deref(), Ok(expected), "{identifier}");
        }
        let bare = RequestHead { path: "", query: None, authority: "a:8443", ..HEAD };
        assert_eq!(of(&bare, r#""@path""#).unwrap(), "/");
        assert_eq!(of(&bare, r#""@query""#).unwrap(), "?");
        assert_eq!(of(&bare, r#""@target-uri""#).unwrap(), "https://a:8443/");
    }

    #[test]
    fn what_is_long_is_not_taken_apart() {
        let long = "a=1,".repeat(TAKEN_APART_BYTES_MAX / 4) + "b";
        let fields: &[(&str, &[u8])] = &[("priority", long.as_bytes())];
        let head = RequestHead { query: Some(&long), fields, ..HEAD };
        for identifier in [r#""priority";key="b""#, r#""priority";sf"#, r#""@query-param";name="b""#] {
            assert_eq!(of(&head, identifier), Err("seal.component"), "{identifier}");
        }
        assert!(of(&head, r#""priority""#).is_ok() && of(&head, r#""@query""#).is_ok());
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for identifier in [
            r#""absent""#,
            r#""Host""#,
            "host",
            r#""@status""#,
            r#""@unknown""#,
            r#""@method";req"#,
            r#""@query-param""#,
            r#""@query-param";name="absent""#,
            r#""@query-param";name="baz";x"#,
            r#""host";req"#,
            r#""host";tr"#,
            r#""host";sf"#,
            r#""host";key="a""#,
            r#""priority";sf=?0"#,
            r#""priority";sf;bs"#,
            r#""example-dict";key="e""#,
            r#""example-dict";key=a"#,
        ] {
            assert_eq!(of(&HEAD, identifier), Err("seal.component"), "{identifier}");
        }
    }
}
