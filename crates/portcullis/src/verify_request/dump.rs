//! A request as it was dumped: request line, fields, an empty line, the body (RFC 9112 section 2.1).
//!
//! A dump is what somebody has saved, perhaps with an editor: its head may have line ends of either kind. Whatever else
//! could be read in two ways is refused, since the gate refuses it too.

use std::str;

use anyhow::{Context as _, bail, ensure};
use portcullis_seal::RequestHead;

/// Bytes of a head that are read. Servers take some ten thousand; what they refused for its length can still be looked
/// at. More is refused.
const HEAD_BYTES_MAX: usize = 1 << 20;

/// Fields that are read. Servers take about a hundred; each component of a signature is looked for in all of them.
const FIELDS_MAX: usize = 4096;

/// A request, borrowed from its dump. Hostile in every part.
#[derive(Debug)]
pub(crate) struct Dump<'a> {
    pub(crate) method: &'a str,
    target: Target<'a>,
    pub(crate) fields: Vec<(&'a str, &'a [u8])>,
    pub(crate) body: &'a [u8],
    /// Bytes behind the body: a line end that an editor has added, or the next request.
    pub(crate) left_off: usize,
}

/// The target, taken apart (RFC 9112 section 3.2).
#[derive(Debug)]
struct Target<'a> {
    /// Those of an absolute form.
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Dump<'a> {
    /// Takes a dump apart.
    ///
    /// # Errors
    /// It is no request, or one that could be read in two ways.
    pub(crate) fn parse(bytes: &'a [u8]) -> anyhow::Result<Self> {
        let (head, rest) = split_head(bytes)?;
        let mut lines = head.split(|octet| *octet == b'\n').map(without_cr);
        let (method, target) = request_line(lines.next().unwrap_or_default()).context("line 1")?;
        let mut fields = Vec::new();
        for (position, line) in lines.enumerate() {
            ensure!(fields.len() < FIELDS_MAX, "it has more than {FIELDS_MAX} fields");
            fields.push(field(line).with_context(|| format!("line {}", position + 2))?);
        }
        let body = body(&fields, rest)?;
        Ok(Self { method, target, fields, body, left_off: rest.len() - body.len() })
    }

    /// The head, as whoever received it has it. What the target itself says goes before `Host` (RFC 9112 section 3.2.2),
    /// and what is named here before both.
    ///
    /// # Errors
    /// Nothing says which authority it was sent to, or two fields do.
    pub(crate) fn head(
        &'a self,
        scheme: Option<&'a str>,
        authority: Option<&'a str>,
    ) -> anyhow::Result<RequestHead<'a>> {
        Ok(RequestHead {
            method: self.method,
            scheme: scheme.or(self.target.scheme).unwrap_or("https"),
            authority: match authority.or(self.target.authority) {
                Some(authority) => authority,
                None => self.host()?,
            },
            path: self.target.path,
            query: self.target.query,
            fields: &self.fields,
        })
    }

    fn host(&self) -> anyhow::Result<&'a str> {
        let value = single(&self.fields, "host")?.context("it has no field Host; name --authority")?;
        str::from_utf8(value).context("its field Host is not text")
    }
}

/// Splits behind the first empty line. The line end before it is left off both.
fn split_head(bytes: &[u8]) -> anyhow::Result<(&[u8], &[u8])> {
    let window = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    let mut begin = 0;
    while let Some(length) = window[begin..].iter().position(|octet| *octet == b'\n') {
        let end = begin + length;
        if without_cr(&window[begin..end]).is_empty() {
            ensure!(begin > 0, "it begins with an empty line");
            return Ok((without_cr(&bytes[..begin - 1]), &bytes[end + 1..]));
        }
        begin = end + 1;
    }
    match bytes.len() > HEAD_BYTES_MAX {
        true => bail!("its head is longer than {HEAD_BYTES_MAX} bytes"),
        false => bail!("its head has no end: an empty line stands behind the fields"),
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn request_line(line: &[u8]) -> anyhow::Result<(&str, Target<'_>)> {
    let line = str::from_utf8(line).context("the request line is not text")?;
    let mut parts = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        bail!("it is not a request line, as in: POST /v1/payments HTTP/1.1");
    };
    ensure!(is_token(method.as_bytes()), "the method is not a token");
    ensure!(version.starts_with("HTTP/"), "the version is not as in: HTTP/1.1");
    ensure!(
        target.bytes().all(|octet| octet.is_ascii_graphic()),
        "the target has characters that are not visible"
    );
    Ok((method, take_apart(target)?))
}

fn take_apart(target: &str) -> anyhow::Result<Target<'_>> {
    let (rest, query) = match target.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (target, None),
    };
    if rest.starts_with('/') || target == "*" {
        return Ok(Target { scheme: None, authority: None, path: rest, query });
    }
    let (scheme, rest) = rest.split_once("://").context("the target is neither a path nor a URI")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    ensure!(!authority.is_empty(), "the target has no authority");
    Ok(Target { scheme: Some(scheme), authority: Some(authority), path, query })
}

fn field(line: &[u8]) -> anyhow::Result<(&str, &[u8])> {
    ensure!(!line.starts_with(b" ") && !line.starts_with(b"\t"), "it continues a field, which is obsolete");
    let colon = line.iter().position(|octet| *octet == b':').context("it is no field: it has no colon")?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    ensure!(is_token(name), "the field's name is not a token");
    ensure!(
        !value.iter().any(|octet| matches!(octet, b'\r' | 0)),
        "the field's value has a control character"
    );
    Ok((str::from_utf8(name).context("the field's name is not text")?, value))
}

/// RFC 9110 section 5.6.2.
fn is_token(octets: &[u8]) -> bool {
    let is_token = |octet: &u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(octet);
    !octets.is_empty() && octets.iter().all(is_token)
}

/// The body: as long as `Content-Length` says, or all that is there. Chunks are not taken apart, since most of what
/// dumps requests has done it and leaves `Transfer-Encoding` as it was.
fn body<'a>(fields: &[(&str, &[u8])], rest: &'a [u8]) -> anyhow::Result<&'a [u8]> {
    let Some(value) = single(fields, "content-length")? else { return Ok(rest) };
    let length = str::from_utf8(value).ok().filter(|text| text.bytes().all(|octet| octet.is_ascii_digit()));
    let length: usize =
        length.and_then(|text| text.parse().ok()).context("its field Content-Length is not a number")?;
    rest.get(..length)
        .with_context(|| format!("its body has {} bytes; Content-Length says {length}", rest.len()))
}

/// The value of a field that may come once, without the white space around it.
fn single<'a>(fields: &[(&str, &'a [u8])], name: &str) -> anyhow::Result<Option<&'a [u8]>> {
    let mut values = fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    let Some((_, value)) = values.next() else { return Ok(None) };
    ensure!(values.next().is_none(), "its field {name} comes more than once");
    Ok(Some(value.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(dump: &[u8]) -> String {
        match Dump::parse(dump) {
            Ok(_) => "a request".to_owned(),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn line_ends_of_either_kind_are_taken() {
        for end in ["\r\n", "\n"] {
            let text =
                ["POST /a/b?c=d HTTP/1.1", "Host: a.example", "x-empty:", "", "body\r\n\r\n"].join(end);
            let dump = Dump::parse(text.as_bytes()).unwrap();
            let head = dump.head(None, None).unwrap();
            assert_eq!((head.method, head.scheme, head.authority), ("POST", "https", "a.example"));
            assert_eq!((head.path, head.query), ("/a/b", Some("c=d")));
            assert_eq!(head.fields, [("Host", &b" a.example"[..]), ("x-empty", b"")]);
            assert_eq!((dump.body, dump.left_off), (&b"body\r\n\r\n"[..], 0));
        }
    }

    #[test]
    fn the_body_is_as_long_as_it_says() {
        let dump = Dump::parse(b"PUT / HTTP/1.1\nContent-Length: 4\n\nbody\n").unwrap();
        assert_eq!((dump.body, dump.left_off), (&b"body"[..], 1));
        assert_eq!(Dump::parse(b"GET / HTTP/1.1\nHost: a\n\n").unwrap().body, b"");
        for (wrong, words) in [
            ("5", "its body has 4 bytes; Content-Length says 5"),
            ("+4", "not a number"),
            ("", "not a number"),
            ("99999999999999999999", "not a number"),
            ("4\nContent-Length: 4", "comes more than once"),
        ] {
            let error = told(format!("PUT / HTTP/1.1\nContent-Length: {wrong}\n\nbody").as_bytes());
            assert!(error.contains(words), "{wrong}: {error}");
        }
    }

    #[test]
    fn the_target_may_say_whom_it_is_for() {
        let dump = Dump::parse(b"GET http://A.example:80?x HTTP/1.1\nHost: b\n\n").unwrap();
        let head = dump.head(None, None).unwrap();
        assert_eq!(
            (head.scheme, head.authority, head.path, head.query),
            ("http", "A.example:80", "", Some("x"))
        );
        let head = dump.head(Some("https"), Some("c")).unwrap();
        assert_eq!((head.scheme, head.authority), ("https", "c"));
        let silent = Dump::parse(b"OPTIONS * HTTP/1.1\nA: b\n\n").unwrap();
        assert!(silent.head(None, None).unwrap_err().to_string().contains("--authority"));
        assert_eq!(silent.head(None, Some("a")).unwrap().path, "*");
        let two = Dump::parse(b"GET / HTTP/1.1\nHost: a\nhost: b\n\n").unwrap();
        assert!(two.head(None, None).unwrap_err().to_string().contains("more than once"));
    }

    #[test]
    fn what_is_no_request_is_told_with_its_line() {
        for (dump, words) in [
            (&b""[..], "no end"),
            (b"\n", "begins with an empty line"),
            (b"GET / HTTP/1.1", "no end"),
            (b"GET / HTTP/1.1\nHost: a\n", "no end"),
            (b"GET /\n\n", "line 1: it is not a request line"),
            (b"GET  / HTTP/1.1\n\n", "line 1: it is not a request line"),
            (b"G\"T / HTTP/1.1\n\n", "line 1: the method"),
            (b"GET / FTP/1.1\n\n", "line 1: the version"),
            (b"GET a HTTP/1.1\n\n", "line 1: the target is neither"),
            (b"GET http:///a HTTP/1.1\n\n", "line 1: the target has no authority"),
            (b"GET /\x07 HTTP/1.1\n\n", "line 1: the target has characters"),
            (b"GET /\xff HTTP/1.1\n\n", "line 1: the request line is not text"),
            (b"GET / HTTP/1.1\nno field\n\n", "line 2: it is no field"),
            (b"GET / HTTP/1.1\na: b\n c\n\n", "line 3: it continues a field"),
            (b"GET / HTTP/1.1\na : b\n\n", "line 2: the field's name"),
            (b"GET / HTTP/1.1\n: b\n\n", "line 2: the field's name"),
            (b"GET / HTTP/1.1\na: b\rc\n\n", "line 2: the field's value"),
            (b"GET / HTTP/1.1\na: \0\n\n", "line 2: the field's value"),
        ] {
            let error = told(dump);
            assert!(error.contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn a_huge_head_is_refused() {
        let many = format!("GET / HTTP/1.1\n{}\n", "a: b\n".repeat(FIELDS_MAX));
        assert_eq!(told(many.as_bytes()), "a request");
        let more = format!("GET / HTTP/1.1\n{}\n", "a: b\n".repeat(FIELDS_MAX + 1));
        assert!(told(more.as_bytes()).contains("more than 4096 fields"));
        let long = format!("GET / HTTP/1.1\na: {}\n\n", "b".repeat(HEAD_BYTES_MAX));
        assert!(told(long.as_bytes()).contains("longer than 1048576 bytes"));
    }
}
