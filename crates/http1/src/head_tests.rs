use super::*;

const LIMITS: HeadLimits = HeadLimits { bytes_max: 4096, fields_max: 16, trailers: false };

fn read(head: impl AsRef<[u8]>) -> Result<Framing, HeadRefusal> {
    scan(head.as_ref(), &LIMITS)
}

/// A head with that request line and a host.
fn line(request_line: &str) -> Result<Framing, HeadRefusal> {
    read(format!("{request_line}\r\nHost: a\r\n\r\n"))
}

/// A head with a host and those lines, as they are.
fn fields(lines: &[u8]) -> Result<Framing, HeadRefusal> {
    read([b"POST / HTTP/1.1\r\nHost: a\r\n", lines, b"\r\n"].concat())
}

#[test]
fn ordinary_heads_are_accepted() {
    let curl = "POST /v1/payments?x=%5C HTTP/1.1\r\nHost: api.bank.example:8443\r\nUser-Agent: curl/8.5.0\r\n\
                Accept: */*\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n";
    let browser = "GET / HTTP/1.1\r\nHost: [::1]:8443\r\nConnection: keep-alive\r\n\
                   sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\n\
                   Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\nCookie: a=b; c=\"d\\e\"\r\n\r\n";
    let java = "PUT /v1/consents/1 HTTP/1.1\r\nTransfer-encoding: chunked\r\nhost: a\r\nExpect: 100-continue\r\n\
                User-Agent: Java-http-client/21.0.2\r\nX-Empty:\r\nX-Name: \ta\tb \u{e9} \t\r\n\r\n";
    assert_eq!(read(curl), Ok(Framing::Length(17)));
    assert_eq!(read(browser), Ok(Framing::None));
    assert_eq!(read(java), Ok(Framing::Chunked));
    assert_eq!(read("GET / HTTP/1.0\r\n\r\n"), Ok(Framing::None));
    assert_eq!(read("POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n"), Ok(Framing::Length(0)));
}

#[test]
fn every_form_of_target_goes_with_its_method() {
    for good in [
        "GET /",
        "GET //a",
        "GET /a:b@c",
        "OPTIONS *",
        "OPTIONS /",
        "GET http://a",
        "GET HTTPS://a/b?c",
        "CONNECT a.example:443",
        "CONNECT [::1]:443",
        "M-SEARCH /",
        "!#$%&'*+-.^_`|~09azAZ /",
    ] {
        assert_eq!(line(&format!("{good} HTTP/1.1")), Ok(Framing::None), "{good}");
    }
    for bad in [
        "GET *",
        "OPTIONS **",
        "GET a/b",
        "GET a:443",
        "GET ?a",
        "GET ftp://a",
        "GET http:/a",
        "GET http://",
        "GET http:///a",
        "GET https://?a",
        "CONNECT /",
        "CONNECT a",
        "CONNECT :443",
        "CONNECT a:",
        "CONNECT a:b",
        "CONNECT a:123456",
        "CONNECT u@a:1",
        "CONNECT [a b]:1",
        "CONNECT [x]:1",
        "CONNECT http://a:1",
        "connect a:443",
    ] {
        let refusal = if bad.matches(' ').count() > 1 {
            HeadRefusal::RequestLine
        } else {
            HeadRefusal::TargetNotRooted
        };
        assert_eq!(line(&format!("{bad} HTTP/1.1")), Err(refusal), "{bad}");
    }
}

#[test]
fn malformed_request_lines_are_refused() {
    use HeadRefusal::{
        Method, RequestLine, TargetBackslash, TargetControlByte, TargetIllegalByte, TargetNotRooted, Version,
    };
    for (bad, refusal) in [
        ("", RequestLine),
        ("GET", RequestLine),
        ("GET /", RequestLine),
        ("GET  / HTTP/1.1", RequestLine),
        ("GET /  HTTP/1.1", RequestLine),
        (" GET / HTTP/1.1", RequestLine),
        ("GET / HTTP/1.1 ", RequestLine),
        ("GET /a b HTTP/1.1", RequestLine),
        (" / HTTP/1.1", RequestLine),
        ("\r\nGET / HTTP/1.1", RequestLine),
        ("G(T / HTTP/1.1", Method),
        ("GET: / HTTP/1.1", Method),
        ("G\u{e9}T / HTTP/1.1", Method),
        ("GET / HTTP/1.2", Version),
        ("GET / HTTP/2.0", Version),
        ("PRI * HTTP/2.0", TargetNotRooted),
        ("GET / HTTP/0.9", Version),
        ("GET / http/1.1", Version),
        ("GET / HTTP/1.10", Version),
        ("GET / HTTP/01.1", Version),
        ("GET / HTTPS/1.1", Version),
        ("GET\t/ HTTP/1.1", TargetControlByte),
        ("GET /\0 HTTP/1.1", TargetControlByte),
        ("GET /\u{7f} HTTP/1.1", TargetControlByte),
        ("GET /\u{b} HTTP/1.1", TargetControlByte),
        ("GET /a\\b HTTP/1.1", TargetBackslash),
        ("GET /?a\\b HTTP/1.1", TargetBackslash),
        ("GET \\ HTTP/1.1", TargetBackslash),
        ("GET /#a HTTP/1.1", TargetIllegalByte),
        ("GET # HTTP/1.1", TargetIllegalByte),
        ("GET /\u{e9} HTTP/1.1", TargetIllegalByte),
    ] {
        assert_eq!(line(bad), Err(refusal), "{bad:?}");
    }
}

#[test]
fn malformed_fields_are_refused() {
    use HeadRefusal::{BareCr, BareLf, ControlByte, FieldName, ObsFold, SpaceBeforeColon};
    for (bad, refusal) in [
        (&b"A: b\n"[..], BareLf),
        (b"A: b\nC: d\r\n", BareLf),
        (b"A: b\rC: d\r\n", BareCr),
        (b"A: b\r\r\n", BareCr),
        (b"\r", BareCr),
        (b"A: b\0\r\n", ControlByte),
        (b"A: b\x0bc\r\n", ControlByte),
        (b"A: \x7f\r\n", ControlByte),
        (b"A: \x1b[0m\r\n", ControlByte),
        (b"A: b\r\n c\r\n", ObsFold),
        (b"A: b\r\n\tc: d\r\n", ObsFold),
        (b" A: b\r\n", ObsFold),
        (b"A : b\r\n", SpaceBeforeColon),
        (b"A\t: b\r\n", SpaceBeforeColon),
        (b"A B: c\r\n", FieldName),
        (b": b\r\n", FieldName),
        (b"A\r\n", FieldName),
        (b"A\0: b\r\n", FieldName),
        (b"A(: b\r\n", FieldName),
        (b"\xe9: b\r\n", FieldName),
    ] {
        assert_eq!(fields(bad), Err(refusal), "{:?}", String::from_utf8_lossy(bad));
    }
    // White space before the first field is the trick that RFC 9112 2.2 names.
    assert_eq!(read("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), Err(ObsFold));
}

#[test]
fn doubtful_framing_is_refused() {
    use HeadRefusal::{
        ContentLength, ContentLengths, SpaceBeforeColon, TransferEncoding, TransferEncodingVersion,
        TwoFramings,
    };
    for (bad, refusal) in [
        ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", TwoFramings),
        ("transfer-encoding: chunked\r\ncontent-length: 0\r\n", TwoFramings),
        ("Content-Length: 1\r\nContent-Length: 1\r\n", ContentLengths),
        ("Content-Length: 1\r\nA: b\r\ncONTENT-lENGTH: 2\r\n", ContentLengths),
        ("Content-Length: 1, 1\r\n", ContentLengths),
        ("Content-Length: 1,\r\n", ContentLengths),
        ("Content-Length:\r\n", ContentLength),
        ("Content-Length: +1\r\n", ContentLength),
        ("Content-Length: -1\r\n", ContentLength),
        ("Content-Length: 1 1\r\n", ContentLength),
        ("Content-Length: 1\t1\r\n", ContentLength),
        ("Content-Length: 0x1\r\n", ContentLength),
        ("Content-Length: 1.0\r\n", ContentLength),
        ("Content-Length: \u{661}\r\n", ContentLength),
        ("Content-Length: 9223372036854775808\r\n", ContentLength),
        ("Content-Length: 18446744073709551616\r\n", ContentLength),
        ("Content-Length: 99999999999999999999999999\r\n", ContentLength),
        ("Content-Length : 1\r\n", SpaceBeforeColon),
        ("Transfer-Encoding:\r\n", TransferEncoding),
        ("Transfer-Encoding: identity\r\n", TransferEncoding),
        ("Transfer-Encoding: gzip, chunked\r\n", TransferEncoding),
        ("Transfer-Encoding: chunked, chunked\r\n", TransferEncoding),
        ("Transfer-Encoding: chunked,\r\n", TransferEncoding),
        ("Transfer-Encoding: chunked;a=b\r\n", TransferEncoding),
        ("Transfer-Encoding: \"chunked\"\r\n", TransferEncoding),
        ("Transfer-Encoding: xchunked\r\n", TransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", TransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", TransferEncoding),
    ] {
        assert_eq!(fields(bad.as_bytes()), Err(refusal), "{bad:?}");
    }
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(read(old), Err(TransferEncodingVersion));
    assert_eq!(fields(b"Transfer-Encoding: \t CHUNKED \r\n"), Ok(Framing::Chunked));
    assert_eq!(fields(b"Content-Length: 9223372036854775807\r\n"), Ok(Framing::Length(i64::MAX as u64)));
    assert_eq!(fields(b"Content-Length: 007\r\n"), Ok(Framing::Length(7)));
}

#[test]
fn one_host_is_named() {
    assert_eq!(read("GET / HTTP/1.1\r\n\r\n"), Err(HeadRefusal::HostMissing));
    assert_eq!(read("GET http://a/ HTTP/1.1\r\nA: b\r\n\r\n"), Err(HeadRefusal::HostMissing));
    assert_eq!(fields(b"host: a\r\n"), Err(HeadRefusal::HostAmbiguous));
    let old = "GET / HTTP/1.0\r\nHost: a\r\nHOST: a\r\n\r\n";
    assert_eq!(read(old), Err(HeadRefusal::HostAmbiguous));
}

#[test]
fn limits_are_met_exactly() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n";
    let limits = |bytes_max, fields_max| HeadLimits { bytes_max, fields_max, trailers: false };
    assert_eq!(scan(head, &limits(head.len(), 2)), Ok(Framing::None));
    let too_large = HeadRefusal::TooLarge { bytes_max: head.len() - 1 };
    assert_eq!(scan(head, &limits(head.len() - 1, 2)), Err(too_large));
    assert_eq!(scan(head, &limits(head.len(), 1)), Err(HeadRefusal::TooManyFields { fields_max: 1 }));
}

#[test]
fn only_a_whole_head_is_accepted() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for len in 0..head.len() {
        assert_eq!(read(&head[..len]), Err(HeadRefusal::Unterminated), "{len}");
    }
    assert_eq!(read([&head[..], b"G"].concat()), Err(HeadRefusal::Unterminated));
}

#[test]
fn the_end_of_a_head_is_found_however_it_is_cut() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /";
    let len = bytes.len() - 5;
    for cut in 0..len {
        let mut end = HeadEnd::new();
        assert_eq!(end.find(&bytes[..cut], 100), Ok(None), "{cut}");
        assert_eq!(end.find(bytes, 100), Ok(Some(len)), "{cut}");
    }
    let mut end = HeadEnd::new();
    for come in 0..len {
        assert_eq!(end.find(&bytes[..come], len), Ok(None), "{come}");
    }
    assert_eq!(end.find(bytes, len), Ok(Some(len)));
    let too_large = Err(HeadRefusal::TooLarge { bytes_max: len - 1 });
    assert_eq!(HeadEnd::new().find(bytes, len - 1), too_large);
    assert_eq!(HeadEnd::new().find(&bytes[..len - 1], len - 1), too_large);
    assert_eq!(HeadEnd::new().find(b"GET / HTTP/1.1\n", 100), Err(HeadRefusal::BareLf));
    assert_eq!(HeadEnd::new().find(b"GET / HTTP/1.1\rH", 100), Err(HeadRefusal::BareCr));
}
