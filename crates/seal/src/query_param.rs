//! Single parameters of a query, as RFC 9421 section 2.2.8 has them.

/// What octets a form's serializer leaves as they are, beside letters and digits (WHATWG URL, the
/// application/x-www-form-urlencoded percent-encode set). A space becomes `%20`: RFC 9421 asks for the encoding without
/// the plus sign.
const PLAIN: &[u8] = b"*-._";

/// The value of the one parameter with a name, both encoded; `None` if there is none, or several.
pub(crate) fn query_param(query: &str, name: &str) -> Option<String> {
    let mut values = query.split('&').filter(|pair| !pair.is_empty()).filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (encoded(key) == name).then_some(value)
    });
    match (values.next(), values.next()) {
        (Some(value), None) => Some(encoded(value)),
        _ => None,
    }
}

/// A name or value decoded as a form's, and encoded again.
fn encoded(text: &str) -> String {
    let spaced: Vec<u8> = text.bytes().map(|octet| if octet == b'+' { b' ' } else { octet }).collect();
    let decoded = percent_decoded(&spaced);
    let mut encoded = String::with_capacity(text.len());
    // What is not UTF-8 is replaced, as the URL standard decodes.
    for octet in String::from_utf8_lossy(&decoded).bytes() {
        if octet.is_ascii_alphanumeric() || PLAIN.contains(&octet) {
            encoded.push(char::from(octet));
        } else {
            encoded.push_str(&format!("%{octet:02X}"));
        }
    }
    encoded
}

/// Undoes percent-encoding; a percent sign without two digits stays.
pub(crate) fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%'
            && let [high, low, behind @ ..] = after
            && let (Some(high), Some(low)) = (digit(high), digit(low))
        {
            decoded.push(high << 4 | low);
            rest = behind;
        } else {
            decoded.push(*first);
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 9421 section 2.2.8.
    #[test]
    fn a_parameter_is_encoded_in_one_way() {
        let query = "param=value&foo=bar&baz=batman&qux=";
        assert_eq!(query_param(query, "baz").as_deref(), Some("batman"));
        assert_eq!(query_param(query, "qux").as_deref(), Some(""));
        let query = "var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something";
        assert_eq!(query_param(query, "var").as_deref(), Some("this%20is%20a%20big%0Amultiline%20value"));
        assert_eq!(query_param(query, "bar").as_deref(), Some("with%20plus%20whitespace"));
        assert_eq!(query_param(query, "fa%C3%A7ade%22%3A%20").as_deref(), Some("something"));
    }

    #[test]
    fn a_parameter_is_there_once() {
        assert_eq!(query_param("a=1&a=2", "a"), None);
        assert_eq!(query_param("a=1&%61=2", "a"), None, "by any spelling");
        assert_eq!(query_param("b=1", "a"), None);
        assert_eq!(query_param("&&a", "a").as_deref(), Some(""));
        assert_eq!(percent_decoded(b"%4%zz%41%"), b"%4%zzA%");
    }
}
