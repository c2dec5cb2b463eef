//! `loadtest responder`: the OCSP responder (RFC 6960) of the CA whose clients are made, for a server that asks about each of them. It
//! says that they are good, or revoked if a file says so.

mod question;

use std::cell::Cell;
use std::collections::HashSet;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use portcullis_test_pki::IssuingCa;
use portcullis_test_pki::revocation::ocsp_answer;
use serde::Serialize;

use crate::arguments::ResponderArguments;
use crate::clients::issuing_ca;

use self::question::{Asked, QuestionError};

/// Bytes read at once: a question about one certificate has a hundred, and some three hundred of head.
const INBOX_BYTES: usize = 4 * 1024;

/// What was counted since the start. As JSON its keys are an interface, which the README lists.
#[derive(Debug, Default, Serialize)]
struct Stats {
    /// Questions that were answered.
    answered: Cell<u64>,
    /// Certificates that were called good in the answers.
    good: Cell<u64>,
    /// Certificates that were called revoked.
    revoked: Cell<u64>,
    /// Requests that were refused.
    refused: Cell<u64>,
}

/// What all connections share.
#[derive(Debug)]
struct Responder {
    ca: IssuingCa,
    valid_s: i64,
    /// Content octets of serial numbers.
    revoked: HashSet<Vec<u8>>,
    stats: Stats,
}

/// Serves until the process is ended, or accepting fails. The address is written to standard output, since port 0 lets the system
/// choose.
pub(crate) fn run(arguments: &ResponderArguments) -> Result<()> {
    arguments.serving.check()?;
    let responder = Responder {
        ca: issuing_ca(&arguments.issuer, &arguments.issuer_key)?,
        valid_s: i64::try_from(humantime::parse_duration(&arguments.valid).context("--valid")?.as_secs())?,
        revoked: arguments.revoked_serials.as_deref().map(revoked).transpose()?.unwrap_or_default(),
        stats: Stats::default(),
    };
    // A key that cannot answer is told of now and not with the first question.
    ocsp_answer(&responder.ca, &[], responder.valid_s).context("--issuer-key")?;
    arguments.serving.run(|listener, _| serve(Rc::new(responder), listener))
}

/// The serial numbers in a file that `--revoked-serials` of a load has written.
fn revoked(file: &Path) -> Result<HashSet<Vec<u8>>> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let octets = |line: &str| {
        let pairs = line
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()));
        pairs.collect::<Option<Vec<u8>>>().with_context(|| format!("{}: {line:?}", file.display()))
    };
    text.lines().map(octets).collect()
}

async fn serve(responder: Rc<Responder>, listener: TcpListener) -> Result<()> {
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await.context("accept")?;
        monoio::spawn(answer_all(stream, Rc::clone(&responder)));
    }
}

/// Answers until the peer closes or is refused.
async fn answer_all(mut stream: TcpStream, responder: Rc<Responder>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut received, mut inbox) = (Vec::new(), Vec::with_capacity(INBOX_BYTES));
    loop {
        let (reply, is_last) = match question::parse(&received) {
            Ok(None) => {
                let (result, read) = stream.read(inbox).await;
                inbox = read;
                let length = result?;
                if length == 0 {
                    return Ok(());
                }
                received.extend_from_slice(&inbox[..length]);
                continue;
            }
            Ok(Some((asked, length))) => {
                received.drain(..length);
                (responder.reply(&asked)?, false)
            }
            Err(error) => (responder.refuse(&error), true),
        };
        stream.write_all(reply).await.0?;
        if is_last {
            return Ok(());
        }
    }
}

impl Responder {
    fn reply(&self, asked: &Asked) -> io::Result<Vec<u8>> {
        let Asked::About(certificates) = asked else {
            // Counters of integers always serialize.
            let stats = serde_json::to_vec(&self.stats).unwrap_or_default();
            return Ok(message("200 OK", "application/json", &stats));
        };
        let about: Vec<_> = certificates
            .iter()
            .map(|certificate| (certificate.id.clone(), self.revoked.contains(&certificate.serial_number)))
            .collect();
        let answer = ocsp_answer(&self.ca, &about, self.valid_s).map_err(io::Error::other)?;
        add(&self.stats.answered, 1);
        let revoked = about.iter().filter(|(_, is_revoked)| *is_revoked).count();
        add(&self.stats.revoked, revoked);
        add(&self.stats.good, about.len() - revoked);
        Ok(message("200 OK", "application/ocsp-response", &answer))
    }

    fn refuse(&self, error: &QuestionError) -> Vec<u8> {
        add(&self.stats.refused, 1);
        message(error.status(), "text/plain", format!("{error}\n").as_bytes())
    }
}

fn message(status: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn add(counter: &Cell<u64>, count: usize) {
    counter.set(counter.get() + count as u64);
}
