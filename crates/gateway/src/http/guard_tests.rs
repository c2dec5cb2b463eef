use std::{
    collections::VecDeque,
    future::{Future, pending, ready},
    task::Waker,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};

use super::*;

const LIMITS: HeadLimits = HeadLimits { bytes_max: 256, fields_max: 8, trailers: false };
const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &[u8] = b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n\r\n\r\n5";
const CHUNKED: &[u8] =
    b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\r\n0\r\n0000aA;x=\"y\"\r\n..........\
      ..........................................................................................................\
      ......................................................\r\n0;z\r\n\r\n";

/// A stream in memory: each piece is one read, then there is nothing, or the end.
#[derive(Debug, Default)]
struct Memory {
    pieces: VecDeque<Vec<u8>>,
    ended: bool,
    written: Vec<u8>,
}

impl Memory {
    fn new<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty()).map(<[u8]>::to_vec).collect();
        Self { pieces, ..Self::default() }
    }
}

impl Read for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(cursor.remaining() > 0, "a read of nothing looks like the end");
        let Some(mut piece) = self.pieces.pop_front() else {
            return if self.ended { Poll::Ready(Ok(())) } else { Poll::Pending };
        };
        let rest = piece.split_off(piece.len().min(cursor.remaining()));
        cursor.put_slice(&piece);
        if !rest.is_empty() {
            self.pieces.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Memory {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn guard<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Guard<Memory> {
    Guard::new(Memory::new(pieces), LIMITS)
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[derive(Debug, PartialEq, Eq)]
enum Last {
    Pending,
    End,
}

/// Reads, at most `size` bytes at once, until there is no more for now.
fn read_all(guard: &mut Guard<Memory>, size: usize) -> (Vec<u8>, Last) {
    let mut all = Vec::new();
    loop {
        let mut storage = vec![0; size];
        let mut read = ReadBuf::new(&mut storage);
        match Pin::new(&mut *guard).poll_read(&mut context(), read.unfilled()) {
            Poll::Pending => return (all, Last::Pending),
            Poll::Ready(result) => result.unwrap(),
        }
        if read.filled().is_empty() {
            return (all, Last::End);
        }
        all.extend_from_slice(read.filled());
    }
}

/// What is handed on of `bytes` in one piece, and why no more is.
fn refused(bytes: &[u8]) -> (Vec<u8>, Option<HeadRefusal>) {
    let mut guard = guard([bytes]);
    let (handed_on, last) = read_all(&mut guard, 4096);
    let refusal = guard.take_refusal();
    assert_eq!(last, if refusal.is_some() { Last::End } else { Last::Pending });
    assert_eq!(guard.take_refusal(), None);
    let again = if refusal.is_some() { Last::End } else { Last::Pending };
    assert_eq!(read_all(&mut guard, 4096), (Vec::new(), again), "it stays refused");
    assert_eq!(guard.into_parts().1, bytes[handed_on.len()..]);
    (handed_on, refusal)
}

#[test]
fn requests_come_through_however_they_are_cut() {
    let all = [GET, POST, CHUNKED, GET].concat();
    for size in [1, 7, 4096] {
        for cut in 0..=all.len() {
            let mut guard = guard([&all[..cut], &all[cut..]]);
            assert_eq!(read_all(&mut guard, size), (all.clone(), Last::Pending), "{cut}");
            assert!(guard.is_between_requests());
            assert_eq!(guard.buffer.capacity(), 0);
        }
        let mut guard = guard(all.chunks(1));
        assert_eq!(read_all(&mut guard, size), (all.clone(), Last::Pending));
    }
}

#[test]
fn a_head_is_held_back_until_it_is_complete() {
    for cut in 1..GET.len() {
        let mut guard = guard([&GET[..cut]]);
        assert_eq!(read_all(&mut guard, 64), (Vec::new(), Last::Pending));
        guard.inner.ended = true;
        assert_eq!(read_all(&mut guard, 64), (Vec::new(), Last::End));
        assert_eq!(guard.take_refusal(), None);
        let (_, rest) = guard.into_parts();
        assert_eq!(rest, GET[..cut]);
    }
}

#[test]
fn a_body_is_handed_on_as_it_comes() {
    for request in [POST, CHUNKED] {
        let body = request.windows(4).position(|at| at == b"\r\n\r\n").unwrap() + 4;
        for cut in body..request.len() {
            let mut guard = guard([&request[..cut]]);
            assert_eq!(read_all(&mut guard, 4096), (request[..cut].to_vec(), Last::Pending));
            assert!(!guard.is_between_requests());
            assert_eq!(guard.buffer.capacity(), 0);
        }
    }
}

#[test]
fn nothing_is_held_while_idle() {
    let mut guard = guard([GET, &GET[..5], &GET[5..]]);
    assert_eq!(read_all(&mut guard, 4096).0, [GET, GET].concat());
    assert_eq!(guard.buffer.capacity(), 0);
    assert_eq!(guard.into_parts().1, b"");
}

#[test]
fn what_was_not_handed_on_comes_back() {
    let bytes = [GET, GET, &GET[..9]].concat();
    let mut guard = guard([&bytes[..3], &bytes[3..]]);
    let mut storage = [0; 10];
    let mut read = ReadBuf::new(&mut storage);
    assert!(Pin::new(&mut guard).poll_read(&mut context(), read.unfilled()).is_ready());
    assert!(!read.filled().is_empty());
    let (inner, rest) = guard.into_parts();
    let unread = inner.pieces.into_iter().flatten();
    assert_eq!(read.filled().iter().copied().chain(rest).chain(unread).collect::<Vec<_>>(), bytes);
}

#[test]
fn nothing_comes_after_a_refusal() {
    for bad in [&b"GET /\\ HTTP/1.1\r\nHost: a\r\n\r\n"[..], b"GET / HTTP/1.1\n", b"\r\n", b"\0\r\n"] {
        for before in [&b""[..], GET, POST, CHUNKED] {
            let (handed_on, refusal) = refused(&[before, bad, GET].concat());
            assert_eq!(handed_on, before);
            assert!(refusal.is_some());
        }
    }
}

#[test]
fn a_head_in_gathering_is_bounded() {
    let too_large = Some(HeadRefusal::TooLarge { bytes_max: LIMITS.bytes_max });
    let start = b"GET / HTTP/1.1\r\nHost: a\r\nA: ";
    let padding = |end: &[u8]| vec![b'x'; LIMITS.bytes_max - start.len() - end.len()];
    let exact = [&start[..], &padding(b"\r\n\r\n"), b"\r\n\r\n"].concat();
    assert_eq!(refused(&[&exact[..], GET].concat()), ([&exact[..], GET].concat(), None));
    let over = [&start[..], &padding(b"\r\n\r"), b"\r\n\r\n"].concat();
    assert_eq!(refused(&over), (Vec::new(), too_large));
    let mut guard = guard(std::iter::repeat_n(&b"x"[..], 10_000));
    assert_eq!(read_all(&mut guard, 4096), (Vec::new(), Last::End));
    assert_eq!(guard.take_refusal(), too_large);
    assert_eq!(guard.buffer.len(), LIMITS.bytes_max);
}

#[test]
fn malformed_chunks_are_refused() {
    use HeadRefusal::{ChunkEnd, ChunkExtension, ChunkSize, Trailer};
    let long = |bytes: usize| ["1;".as_bytes(), &vec![b'x'; bytes], b"\r\n"].concat();
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (good, bad, refusal) in [
        (&b""[..], &b"\r\n"[..], ChunkSize),
        (b"", b"g\r\n", ChunkSize),
        (b"", b"-1\r\n", ChunkSize),
        (b"0", b"x1\r\n", ChunkSize),
        (b"", b" 1\r\n", ChunkSize),
        (b"1", b" \r\n", ChunkSize),
        (b"1", b" ;a\r\n", ChunkSize),
        (b"1", b"\n", ChunkSize),
        (b"1\r", b"a", ChunkSize),
        (b"", b";a\r\n", ChunkSize),
        (b"00000000000000001"[..16].as_ref(), b"1\r\n", ChunkSize),
        (b"1;a", b"\n", ChunkExtension),
        (b"1;", b"\0\r\n", ChunkExtension),
        (b"1;a\r", b"b", ChunkSize),
        (&long(257)[..258], &b"x\r\n"[..], ChunkExtension),
        (b"1\r\na", b"b\r\n", ChunkEnd),
        (b"1\r\na", b"\n", ChunkEnd),
        (b"1\r\na\r", b"1", ChunkEnd),
        (b"0\r\n", b"A: b\r\n\r\n", Trailer),
        (b"0\r\n", b"\n", Trailer),
        (b"0\r\n\r", b"a", ChunkEnd),
    ] {
        let accepted = [head, good].concat();
        let (handed_on, refusal_met) = refused(&[&accepted, bad, GET].concat());
        assert_eq!((handed_on, refusal_met), (accepted, Some(refusal)), "{:?}", String::from_utf8_lossy(bad));
    }
    let good = [&head[..], &long(256), b"a\r\nffffffffffffffff\r\naaaa"].concat();
    assert_eq!(refused(&good), (good, None));
}

#[test]
fn trailers_are_judged_where_they_are_allowed() {
    let limits = HeadLimits { trailers: true, ..LIMITS };
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let read = |section: &[u8]| {
        let all = [&head[..], b"1\r\na\r\n0\r\n", section, GET].concat();
        // Byte by byte, so that a section that comes in pieces is looked at as one.
        let mut guard = Guard::new(Memory::new(all.chunks(1)), limits);
        let (handed_on, _) = read_all(&mut guard, 4096);
        (handed_on == all, guard.take_refusal())
    };
    assert_eq!(read(b"Digest: x\r\nX-B:\r\n\r\n"), (true, None));
    assert_eq!(read(b"\r\n"), (true, None));
    for (section, refusal) in [
        (&b"Content-Length: 3\r\n\r\n"[..], HeadRefusal::Trailer),
        (b"host: b\r\n\r\n", HeadRefusal::Trailer),
        (b"Transfer-Encoding: chunked\r\n\r\n", HeadRefusal::Trailer),
        (b"A : b\r\n\r\n", HeadRefusal::SpaceBeforeColon),
        (b"A: b\n\r\n", HeadRefusal::BareLf),
        (b"A: b\r\n c\r\n\r\n", HeadRefusal::ObsFold),
        (&b"a:\r\n".repeat(9), HeadRefusal::TooManyFields { fields_max: LIMITS.fields_max }),
        (&b"a: 123456789\r\n".repeat(30), HeadRefusal::TooLarge { bytes_max: LIMITS.bytes_max }),
    ] {
        assert_eq!(read(section), (false, Some(refusal)), "{:?}", String::from_utf8_lossy(section));
    }
}

/// Serves `guard` with hyper as the gate does, every answer being the body that came.
fn serve<F: Future<Output = ()>>(
    guard: Guard<Memory>,
    half_close: bool,
    wait: impl Fn() -> F,
) -> (Guard<Memory>, Poll<hyper::Result<()>>) {
    let service = service_fn(|request: Request<Incoming>| {
        let wait = wait();
        Box::pin(async {
            wait.await;
            let body = request.into_body().collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Response::new(Full::<Bytes>::new(body)))
        })
    });
    let mut connection = http1::Builder::new().half_close(half_close).serve_connection(guard, service);
    let mut result = Poll::Pending;
    // hyper yields after some turns and wakes itself; nothing else would wake it here.
    for _ in 0..1000 {
        result = connection.poll_without_shutdown(&mut context());
        if result.is_ready() {
            break;
        }
    }
    (connection.into_parts().io, result)
}

fn answers(guard: &Guard<Memory>) -> usize {
    String::from_utf8_lossy(&guard.inner.written).matches("HTTP/1.1 200 OK").count()
}

#[test]
fn hyper_answers_what_came_before_a_refusal() {
    let bytes = [GET, POST, CHUNKED, b"GET / HTTP/1.1\n", GET].concat();
    for pieces in [vec![&bytes[..]], bytes.chunks(1).collect(), bytes.chunks(50).collect()] {
        let (mut guard, result) = serve(guard(pieces), true, || ready(()));
        assert!(matches!(result, Poll::Ready(Ok(()))), "{result:?}");
        assert_eq!(answers(&guard), 3);
        assert!(guard.inner.written.ends_with(&[b'.'; 170]));
        assert_eq!(guard.take_refusal(), Some(HeadRefusal::BareLf));
    }
}

#[test]
fn hyper_keeps_a_slow_answer_only_with_half_close() {
    for half_close in [false, true] {
        let (mut guard, result) = serve(guard([GET, b"GET / HTTP/1.1\n"]), half_close, pending);
        assert_eq!(result.is_pending(), half_close, "{result:?}");
        assert_eq!(guard.take_refusal().is_some(), !half_close);
    }
}

/// Holds for all bytes, however they are cut: what is handed on is their start, what is not comes back, and the cuts
/// change neither.
fn check(bytes: &[u8], piece: usize, size: usize) -> usize {
    let (handed_on, refusal) = refused(bytes);
    assert!(bytes.starts_with(&handed_on));
    let mut guard = guard(bytes.chunks(piece));
    assert_eq!(read_all(&mut guard, size).0, handed_on);
    assert_eq!(guard.take_refusal(), refusal);
    let held = guard.buffer.len();
    let (inner, rest) = guard.into_parts();
    assert!(held <= LIMITS.bytes_max + piece.max(1));
    assert_eq!([handed_on.clone(), rest, inner.pieces.into_iter().flatten().collect()].concat(), bytes);
    handed_on.len()
}

/// What arbitrary input is made of: whole requests, their parts, and what breaks them.
const PARTS: [&[u8]; 24] = [
    GET,
    POST,
    CHUNKED,
    b"GET / HTTP/1.1\r\n",
    b"POST /x HTTP/1.0\r\n",
    b"Host: a\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"A: b\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"a;b\r\n",
    b"abc",
    b"\r",
    b"\n",
    b" ",
    b":",
    b"\0",
    b"\\",
    b"\xff",
    b"0",
];

#[test]
fn no_bytes_are_lost_invented_or_panicked_over() {
    // SplitMix64 with a fixed seed: the same input at every run.
    let mut seed = 0x5eed_u64;
    let mut next = move |below: usize| {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % below as u64).unwrap()
    };
    let mut handed_on = 0;
    for _ in 0..20_000 {
        let mut bytes =
            (0..next(12)).flat_map(|_| PARTS[next(PARTS.len())].iter().copied()).collect::<Vec<_>>();
        if !bytes.is_empty() && next(4) == 0 {
            let at = next(bytes.len());
            bytes[at] = u8::try_from(next(256)).unwrap();
        }
        handed_on += check(&bytes, 1 + next(40), 1 + next(80));
    }
    assert!(handed_on > 100_000, "{handed_on}: the generator makes too few requests that are accepted");
}
