//! `portcullis seal-request`: seals a request as a TPP does, to try routes that ask for it.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, value_parser};
use portcullis_seal::{Outcome, Profile, RequestHead, SealRules, Sealer, explain};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::inspect::{certificates, read};
use crate::verify_request::{DUMP_BYTES_MAX, Dump};

/// Bytes of a file with a key that are read.
const KEY_BYTES_MAX: u64 = 64 << 10;
/// `IMF-fixdate` (RFC 9110 section 5.6.7).
const DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
/// Fields that whoever sends a request writes itself.
const OF_THE_CONNECTION: [&str; 4] = ["host", "content-length", "connection", "transfer-encoding"];

/// What to seal, and with what.
#[derive(Debug, Args)]
pub(crate) struct SealRequest {
    /// The request: its line, its fields, an empty line and the body, as HTTP/1.1 has them; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The certificate for seals, in PEM or DER
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Its private key, in PEM as PKCS#8
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// How to seal it
    #[arg(long, default_value = "berlin-group", value_parser = profile())]
    profile: Profile,
    /// The scheme that it is sent by [default: that of its target, or https]
    #[arg(long, value_name = "SCHEME", value_parser = value_parser!(String))]
    scheme: Option<String>,
    /// The authority that it is sent to [default: that of its target, or its Host]
    #[arg(long, value_name = "HOST", value_parser = value_parser!(String))]
    authority: Option<String>,
}

fn profile() -> impl clap::builder::TypedValueParser<Value = Profile> {
    PossibleValuesParser::new(Profile::ALL.map(Profile::as_str))
        .try_map(|name| Profile::from_name(&name).ok_or("no such profile"))
}

impl SealRequest {
    /// The fields to send, a line each: those of the request but for what belongs to the connection, a `Date` and an `X-Request-ID`
    /// where it has none, and those of the seal.
    ///
    /// # Errors
    /// A file cannot be read, holds no request, or the seal would not hold, as where the key is of another certificate.
    pub(crate) fn run(&self) -> anyhow::Result<Vec<u8>> {
        let name = || self.file.display().to_string();
        let bytes = read(&self.file, DUMP_BYTES_MAX)?;
        let dump = Dump::parse(&bytes).with_context(name)?;
        let head = dump.head(self.scheme.as_deref(), self.authority.as_deref()).with_context(name)?;
        let now = OffsetDateTime::from(SystemTime::now());
        let missing = missing(&head, now)?;
        let mut fields = head.fields.to_vec();
        fields.extend(missing.iter().map(|(name, value)| (*name, value.as_bytes())));
        let sealer = self.sealer()?;
        let unsealed = RequestHead { fields: &fields, ..head };
        let seal = match self.profile {
            Profile::MessageSignatures => {
                sealer.message_signature(&unsealed, dump.body, now.unix_timestamp())
            }
            _ => sealer.berlin_group(&unsealed, dump.body),
        };
        let seal = seal.with_context(name)?;
        fields.extend(seal.iter().map(|(name, value)| (*name, value.as_bytes())));
        self.check(&RequestHead { fields: &fields, ..head }, dump.body, now)?;
        Ok(lines(&fields))
    }

    fn sealer(&self) -> anyhow::Result<Sealer> {
        let certificate = certificates(&self.certificate)?;
        let pem = read(&self.key, KEY_BYTES_MAX)?;
        let name = || self.key.display().to_string();
        let PrivateKeyDer::Pkcs8(key) = PrivateKeyDer::from_pem_slice(&pem).with_context(name)? else {
            bail!("{}: its key is not PKCS#8", self.key.display())
        };
        Sealer::of(self.profile, key.secret_pkcs8_der(), &certificate[0]).with_context(name)
    }

    /// Verifies the seal as a gate would that is asked to be as lenient as it may: what fails here holds nowhere.
    fn check(&self, head: &RequestHead<'_>, body: &[u8], now: OffsetDateTime) -> anyhow::Result<()> {
        let rules = SealRules { profiles: vec![self.profile], ..SealRules::default() };
        for step in explain(head, body, &rules, now.unix_timestamp()) {
            if let Outcome::Failed(error) = step.outcome {
                bail!("the seal would be refused: {}: {error}", error.code());
            }
        }
        Ok(())
    }
}

/// What a sealed request needs and this one has not.
fn missing(head: &RequestHead<'_>, now: OffsetDateTime) -> anyhow::Result<Vec<(&'static str, String)>> {
    let has = |name: &str| head.fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let mut missing = Vec::new();
    if !has("date") {
        missing.push(("date", now.format(DATE)?));
    }
    if !has("x-request-id") {
        missing.push(("x-request-id", uuid()?));
    }
    Ok(missing)
}

/// A UUID of version 4 (RFC 9562 section 5.4).
fn uuid() -> anyhow::Result<String> {
    let mut octets = [0; 16];
    aws_lc_rs::rand::fill(&mut octets).context("the system has no random numbers")?;
    let number = u128::from_be_bytes(octets) & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let text = format!("{number:032x}");
    Ok([&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-"))
}

fn lines(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let is_sent = |name: &str| !OF_THE_CONNECTION.iter().any(|other| other.eq_ignore_ascii_case(name));
    let sent = fields.iter().filter(|(name, _)| is_sent(name));
    sent.flat_map(|(name, value)| [name.as_bytes(), b": ", value.trim_ascii(), b"\n"].concat()).collect()
}
