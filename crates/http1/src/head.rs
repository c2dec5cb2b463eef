//! The head of an HTTP/1.x request, judged before a parser sees it.
//!
//! RFC 9112 lets a recipient repair many malformed heads, and two recipients on one path that repair differently
//! disagree on where a request ends or what it asks for. A head that would need repair is refused here.

use thiserror::Error;

/// What a head may be at most.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// From the method to the end of the empty line.
    pub bytes_max: usize,
    /// Fields, repeated ones each.
    pub fields_max: usize,
    /// Whether a chunked body may end with trailer fields (RFC 9110 6.5).
    pub trailers: bool,
}

/// How the body after a head is delimited (RFC 9112 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No body: neither `Content-Length` nor `Transfer-Encoding`.
    None,
    /// As many bytes as `Content-Length` says.
    Length(u64),
    /// The chunked coding.
    Chunked,
}

/// Why the bytes of a connection were not taken as a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeadRefusal {
    /// No empty line ends the head, or something follows it.
    #[error("the head does not end with an empty line")]
    Unterminated,
    /// More bytes than [`HeadLimits::bytes_max`].
    #[error("the head is longer than {bytes_max} bytes")]
    TooLarge {
        /// The bound.
        bytes_max: usize,
    },
    /// More fields than [`HeadLimits::fields_max`].
    #[error("the head has more than {fields_max} fields")]
    TooManyFields {
        /// The bound.
        fields_max: usize,
    },
    /// Not three parts with one space between them (RFC 9112 3); also an empty line before it (RFC 9112 2.2).
    #[error("the request line is not a method, a target and a version with single spaces between them")]
    RequestLine,
    /// The method is no token (RFC 9110 9.1).
    #[error("the method is not a token")]
    Method,
    /// Neither `HTTP/1.0` nor `HTTP/1.1` (RFC 9112 2.3).
    #[error("the version is neither HTTP/1.0 nor HTTP/1.1")]
    Version,
    /// A form of target that the method has no use for (RFC 9112 3.2).
    #[error("the request target is in no form that its method may use")]
    TargetNotRooted,
    /// A backslash in the target: a separator to some readers.
    #[error("the request target has a backslash")]
    TargetBackslash,
    /// A fragment, or a byte that is not ASCII, in the target (RFC 9112 3.2, RFC 3986 2).
    #[error("the request target has a character that must be percent-encoded")]
    TargetIllegalByte,
    /// A control byte in the request line (RFC 9112 3).
    #[error("the request line has a control byte")]
    TargetControlByte,
    /// A control byte in a field's value (RFC 9110 5.5).
    #[error("the head has a control byte")]
    ControlByte,
    /// CR without LF (RFC 9112 2.2).
    #[error("a carriage return is not followed by a line feed")]
    BareCr,
    /// LF without CR, which RFC 9112 2.2 lets a recipient take for a line's end.
    #[error("a line feed does not follow a carriage return")]
    BareLf,
    /// A line that begins with white space (RFC 9112 2.2, 5.2).
    #[error("a field line begins with white space")]
    ObsFold,
    /// White space between a field's name and its colon (RFC 9112 5.1).
    #[error("a field name is followed by white space")]
    SpaceBeforeColon,
    /// A field name that is empty or no token, or a line without a colon (RFC 9110 5.1, RFC 9112 5).
    #[error("a field name is not a token")]
    FieldName,
    /// Both `Content-Length` and `Transfer-Encoding` (RFC 9112 6.1, 6.3).
    #[error("the request has both Content-Length and Transfer-Encoding")]
    TwoFramings,
    /// Several lengths, in several fields or in a list, equal ones too (RFC 9112 6.3).
    #[error("the request has more than one Content-Length")]
    ContentLengths,
    /// Not `1*DIGIT`, or more than [`CONTENT_LENGTH_MAX`] (RFC 9110 8.6).
    #[error("the Content-Length is not a number of bytes")]
    ContentLength,
    /// Anything else than one `chunked` (RFC 9112 6.1, 7).
    #[error("the Transfer-Encoding is not chunked alone")]
    TransferEncoding,
    /// A `Transfer-Encoding` in HTTP/1.0, where it has no meaning (RFC 9112 6.1).
    #[error("HTTP/1.0 has no Transfer-Encoding")]
    TransferEncodingVersion,
    /// No `Host` in HTTP/1.1 (RFC 9112 3.2).
    #[error("the request names no host")]
    HostMissing,
    /// Several `Host` fields (RFC 9112 3.2).
    #[error("the request names more than one host")]
    HostAmbiguous,
    /// A chunk size that is not 1 to 16 hex digits, or followed by neither an extension nor CRLF (RFC 9112 7.1).
    #[error("a chunk does not begin with its size")]
    ChunkSize,
    /// Extensions of a chunk that are too long or have a control byte (RFC 9112 7.1.1).
    #[error("the extensions of a chunk are too long or have a control byte")]
    ChunkExtension,
    /// Data of a chunk that does not end with CRLF where its size says (RFC 9112 7.1).
    #[error("a chunk does not end where its size says")]
    ChunkEnd,
    /// A field after the last chunk that may not stand there, or any where none may (RFC 9112 7.1.2, RFC 9110 6.5.1).
    #[error("the request has trailer fields that it may not have")]
    Trailer,
}

impl HeadRefusal {
    /// Whether it concerns the body of a request whose head was accepted.
    pub const fn is_of_body(self) -> bool {
        matches!(self, Self::ChunkSize | Self::ChunkExtension | Self::ChunkEnd | Self::Trailer)
    }

    /// The stable code of this refusal.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unterminated => "head.unterminated",
            Self::TooLarge { .. } => "head.too-large",
            Self::TooManyFields { .. } => "head.too-many-fields",
            Self::RequestLine => "head.request-line",
            Self::Method => "head.method",
            Self::Version => "head.version",
            Self::TargetNotRooted => "path.not-rooted",
            Self::TargetBackslash => "path.backslash",
            Self::TargetIllegalByte => "path.illegal-byte",
            Self::TargetControlByte => "path.control-byte",
            Self::ControlByte => "head.control-byte",
            Self::BareCr => "head.bare-cr",
            Self::BareLf => "head.bare-lf",
            Self::ObsFold => "head.obs-fold",
            Self::SpaceBeforeColon => "head.space-before-colon",
            Self::FieldName => "head.field-name",
            Self::TwoFramings => "head.two-framings",
            Self::ContentLengths => "head.content-lengths",
            Self::ContentLength => "head.content-length",
            Self::TransferEncoding => "head.transfer-encoding",
            Self::TransferEncodingVersion => "head.transfer-encoding-version",
            Self::HostMissing => "host.missing",
            Self::HostAmbiguous => "host.ambiguous",
            Self::ChunkSize => "head.chunk-size",
            Self::ChunkExtension => "head.chunk-extension",
            Self::ChunkEnd => "head.chunk-end",
            Self::Trailer => "head.trailer",
        }
    }
}

/// The largest length that is taken: 2^63 - 1. Above it, readers that count in signed 64 bits see another number.
pub const CONTENT_LENGTH_MAX: u64 = i64::MAX as u64;

/// Judges one head, from its method to the end of its empty line, and says how its body is delimited. `head` is
/// hostile. Allocates nothing.
///
/// # Errors
/// The first [`HeadRefusal`] in reading order; what concerns several fields comes after all of them.
pub fn scan(head: &[u8], limits: &HeadLimits) -> Result<Framing, HeadRefusal> {
    if head.len() > limits.bytes_max {
        return Err(HeadRefusal::TooLarge { bytes_max: limits.bytes_max });
    }
    let (request_line, rest) = split_line(head)?;
    let mut fields = Fields::new(scan_request_line(request_line)?);
    scan_fields(rest, limits, |name, value| fields.take(name, value))?;
    fields.framing()
}

/// Judges the trailer section of a chunked body, its empty line included (RFC 9112 7.1.2). `section` is hostile.
///
/// # Errors
/// The first [`HeadRefusal`] in reading order. A field by which a message is framed or routed may not come after the
/// judgement (RFC 9110 6.5.1).
pub fn scan_trailers(section: &[u8], limits: &HeadLimits) -> Result<(), HeadRefusal> {
    scan_fields(section, limits, |name, _| if may_trail(name) { Ok(()) } else { Err(HeadRefusal::Trailer) })
}

/// Gives name and value of each field line to `take`, up to the empty line, which must be the last.
fn scan_fields(
    mut rest: &[u8],
    limits: &HeadLimits,
    mut take: impl FnMut(&[u8], &[u8]) -> Result<(), HeadRefusal>,
) -> Result<(), HeadRefusal> {
    let mut count = 0;
    loop {
        let (line, after) = split_line(rest)?;
        if line.is_empty() {
            return if after.is_empty() { Ok(()) } else { Err(HeadRefusal::Unterminated) };
        }
        count += 1;
        if count > limits.fields_max {
            return Err(HeadRefusal::TooManyFields { fields_max: limits.fields_max });
        }
        let (name, value) = split_field(line)?;
        take(name, value)?;
        rest = after;
    }
}

/// Fields that belong to one connection and are never passed on (RFC 9110 7.6.1, 11.7, RFC 9113 8.2.2).
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a field belongs to one connection and is never passed on. `name` is in lower case. Fields that `Connection`
/// names belong to it as well; that is for the caller.
pub fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
}

/// Whether a field of this name, in any case, may come behind a body: none does by which a message is framed, routed,
/// authenticated or read (RFC 9110 6.5.1), or that belongs to the connection.
pub fn may_trail(name: &[u8]) -> bool {
    const NAMES: [&str; 12] = [
        "authorization",
        "cache-control",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "expect",
        "host",
        "range",
        "set-cookie",
        "www-authenticate",
    ];
    let is = |forbidden: &&str| name.eq_ignore_ascii_case(forbidden.as_bytes());
    !NAMES.iter().chain(&HOP_BY_HOP).any(is)
}

/// Looks for the end of a head that comes in pieces; no byte is looked at twice but a CR at the end of a piece.
#[derive(Debug, Default)]
pub struct HeadEnd {
    line_start: usize,
    searched: usize,
}

impl HeadEnd {
    /// Nothing has come yet.
    pub const fn new() -> Self {
        Self { line_start: 0, searched: 0 }
    }

    /// The length of the head that `bytes` begin with, once its empty line is there. `bytes` are what they were at
    /// the last call, and more.
    ///
    /// # Errors
    /// [`HeadRefusal::TooLarge`] when no end can come within `bytes_max`; a bare CR or LF at once, because who ends
    /// lines with them may never send the CRLF that the search would wait for.
    pub fn find(&mut self, bytes: &[u8], bytes_max: usize) -> Result<Option<usize>, HeadRefusal> {
        let bytes = &bytes[..bytes.len().min(bytes_max)];
        while let Some(line_end) = find_crlf(&bytes[self.searched..])? {
            let line_end = self.searched + line_end;
            let is_last = line_end == self.line_start;
            self.line_start = line_end + 2;
            self.searched = self.line_start;
            if is_last {
                return Ok(Some(self.searched));
            }
        }
        if bytes.len() == bytes_max {
            return Err(HeadRefusal::TooLarge { bytes_max });
        }
        self.searched = if bytes.ends_with(b"\r") { bytes.len() - 1 } else { bytes.len() };
        Ok(None)
    }
}

/// What the fields say that concerns where the request ends and whom it is for.
struct Fields {
    version: Version,
    content_length: Option<u64>,
    is_chunked: bool,
    has_host: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

impl Fields {
    const fn new(version: Version) -> Self {
        Self { version, content_length: None, is_chunked: false, has_host: false }
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadRefusal> {
        if name.eq_ignore_ascii_case(b"host") {
            if std::mem::replace(&mut self.has_host, true) {
                return Err(HeadRefusal::HostAmbiguous);
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            if self.content_length.is_some() || value.contains(&b',') {
                return Err(HeadRefusal::ContentLengths);
            }
            self.content_length = Some(parse_length(value)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.version == Version::Http10 {
                return Err(HeadRefusal::TransferEncodingVersion);
            }
            if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(HeadRefusal::TransferEncoding);
            }
            self.is_chunked = true;
        }
        Ok(())
    }

    fn framing(&self) -> Result<Framing, HeadRefusal> {
        if self.version == Version::Http11 && !self.has_host {
            return Err(HeadRefusal::HostMissing);
        }
        match (self.content_length, self.is_chunked) {
            (None, false) => Ok(Framing::None),
            (Some(length), false) => Ok(Framing::Length(length)),
            (None, true) => Ok(Framing::Chunked),
            (Some(_), true) => Err(HeadRefusal::TwoFramings),
        }
    }
}

/// `method SP request-target SP HTTP-version` (RFC 9112 3).
fn scan_request_line(line: &[u8]) -> Result<Version, HeadRefusal> {
    if line.iter().any(u8::is_ascii_control) {
        return Err(HeadRefusal::TargetControlByte);
    }
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(HeadRefusal::RequestLine);
    };
    if method.is_empty() || target.is_empty() || version.is_empty() {
        return Err(HeadRefusal::RequestLine);
    }
    if !is_token(method) {
        return Err(HeadRefusal::Method);
    }
    scan_target(method, target)?;
    match version {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        _ => Err(HeadRefusal::Version),
    }
}

/// The four forms of RFC 9112 3.2, each where its method may use it.
fn scan_target(method: &[u8], target: &[u8]) -> Result<(), HeadRefusal> {
    if target.contains(&b'\\') {
        return Err(HeadRefusal::TargetBackslash);
    }
    if target.iter().any(|byte| *byte == b'#' || !byte.is_ascii()) {
        return Err(HeadRefusal::TargetIllegalByte);
    }
    let is_allowed = match method {
        b"CONNECT" => is_authority_form(target),
        b"OPTIONS" if target == b"*" => true,
        _ => target[0] == b'/' || is_absolute_form(target),
    };
    if is_allowed { Ok(()) } else { Err(HeadRefusal::TargetNotRooted) }
}

/// A scheme of HTTP with an authority that is not empty (RFC 9112 3.2.2, RFC 9110 4.2.1). Who the authority is, and
/// whether `Host` agrees, is for the reader of the host.
fn is_absolute_form(target: &[u8]) -> bool {
    [&b"http://"[..], b"https://"].into_iter().any(|scheme| {
        target.split_at_checked(scheme.len()).is_some_and(|(start, authority)| {
            start.eq_ignore_ascii_case(scheme) && !matches!(authority.first(), None | Some(b'/' | b'?'))
        })
    })
}

/// `uri-host ":" port` (RFC 9112 3.2.3).
fn is_authority_form(target: &[u8]) -> bool {
    let Some(colon) = target.iter().rposition(|byte| *byte == b':') else { return false };
    let (host, port) = (&target[..colon], &target[colon + 1..]);
    let is_host = match host {
        [b'[', address @ .., b']'] => {
            address.iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte))
        }
        _ => host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)),
    };
    is_host && !host.is_empty() && (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit)
}

/// `field-name ":" OWS field-value OWS` (RFC 9112 5); the value comes without the white space around it.
fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), HeadRefusal> {
    if matches!(line[0], b' ' | b'\t') {
        return Err(HeadRefusal::ObsFold);
    }
    let colon = line.iter().position(|byte| *byte == b':').ok_or(HeadRefusal::FieldName)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if matches!(name.last(), Some(b' ' | b'\t')) {
        return Err(HeadRefusal::SpaceBeforeColon);
    }
    if !is_token(name) {
        return Err(HeadRefusal::FieldName);
    }
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(HeadRefusal::ControlByte);
    }
    Ok((name, trim_ows(value)))
}

/// SP and HTAB only: the standard library's trim also takes form feeds.
fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The value of a `Content-Length` (RFC 9110 8.6). The digits by hand, because `u64::from_str` takes a plus sign.
///
/// # Errors
/// [`HeadRefusal::ContentLength`] for anything else than digits, and above [`CONTENT_LENGTH_MAX`].
pub fn parse_length(value: &[u8]) -> Result<u64, HeadRefusal> {
    if value.is_empty() {
        return Err(HeadRefusal::ContentLength);
    }
    value
        .iter()
        .try_fold(0_u64, |length, byte| {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            length.checked_mul(10)?.checked_add(digit)
        })
        .filter(|length| *length <= CONTENT_LENGTH_MAX)
        .ok_or(HeadRefusal::ContentLength)
}

/// Whether this is a token (RFC 9110 5.6.2), as field names are.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| TCHAR[usize::from(*byte)])
}

/// `tchar` of RFC 9110 5.6.2.
static TCHAR: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let marks = b"!#$%&'*+-.^_`|~";
    let mut index = 0;
    while index < marks.len() {
        table[marks[index] as usize] = true;
        index += 1;
    }
    table
};

/// The first line without its CRLF, and what follows.
fn split_line(bytes: &[u8]) -> Result<(&[u8], &[u8]), HeadRefusal> {
    let end = find_crlf(bytes)?.ok_or(HeadRefusal::Unterminated)?;
    Ok((&bytes[..end], &bytes[end + 2..]))
}

/// Where the first CRLF begins, if it is all there.
fn find_crlf(bytes: &[u8]) -> Result<Option<usize>, HeadRefusal> {
    let Some(index) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else { return Ok(None) };
    match (bytes[index], bytes.get(index + 1)) {
        (b'\n', _) => Err(HeadRefusal::BareLf),
        (_, None) => Ok(None),
        (_, Some(b'\n')) => Ok(Some(index)),
        (_, Some(_)) => Err(HeadRefusal::BareCr),
    }
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
