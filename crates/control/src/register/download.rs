//! Brings the EBA's register from where it is published.

use std::{
    fs::File,
    path::Path,
    time::{Duration, SystemTime},
};

use reqwest::Url;
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use time::{PrimitiveDateTime, macros::format_description};
use tokio::task::spawn_blocking;

use super::{RegisterFault, document::digest};
use crate::fetch::{Access, FetchLimits, Fetched, Fetcher};

/// Bytes of what is told of the newest version: five short texts.
const METADATA_BYTES_MAX: usize = 64 << 10;

/// Words of a timestamp that are looked at: one more than it has.
const WORDS_MAX: usize = 7;

/// What the EBA tells of the newest version. It tells its length too.
#[derive(Deserialize)]
struct Metadata {
    golden_copy_path_context: String,
    latest_version_relative_zip_path: String,
    sha256_hash: String,
    timestamp: String,
}

/// What came of a fetch.
pub(super) struct Download {
    /// Whether it is another version than the one that was kept.
    pub(super) is_new: bool,
    /// When its publisher says that it was published.
    pub(super) published: SystemTime,
}

/// Fetches the newest version into `unfinished`, unless it is the one that is `kept`.
pub(super) async fn fetch(
    url: &str,
    roots: &[CertificateDer<'static>],
    kept: &Path,
    unfinished: &Path,
    bytes_max: u64,
) -> Result<Download, RegisterFault> {
    let metadata = metadata(url, roots).await?;
    let malformed = |detail: &str| RegisterFault::Metadata { url: url.to_owned(), detail: detail.to_owned() };
    let expected = metadata.sha256_hash.trim().to_ascii_lowercase();
    if expected.len() != 64 || !expected.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(malformed("its sha256_hash is none"));
    }
    let published = published(&metadata.timestamp).ok_or_else(|| malformed("its timestamp is none"))?;
    if hex_digest(kept).await? == Some(expected.clone()) {
        return Ok(Download { is_new: false, published });
    }
    let location = location(url, &metadata).ok_or_else(|| malformed("it is not on the same server"))?;
    let limits = FetchLimits {
        bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX),
        // Twenty megabytes at 1 Mbit/s, and some.
        total_timeout: Duration::from_secs(5 * 60),
        ..FetchLimits::default()
    };
    let mut out = File::create(unfinished).map_err(RegisterFault::file(unfinished))?;
    Fetcher::new(Access::Https, limits, roots)?.get_into(location.as_str(), None, &mut out).await?;
    spawn_blocking(move || out.sync_all()).await?.map_err(RegisterFault::file(unfinished))?;
    match hex_digest(unfinished).await? == Some(expected) {
        true => Ok(Download { is_new: true, published }),
        false => Err(RegisterFault::Digest),
    }
}

async fn metadata(url: &str, roots: &[CertificateDer<'static>]) -> Result<Metadata, RegisterFault> {
    let limits = FetchLimits { bytes_max: METADATA_BYTES_MAX, ..FetchLimits::default() };
    match Fetcher::new(Access::Https, limits, roots)?.get(url, None).await? {
        Fetched::New { bytes, .. } => serde_json::from_slice(&bytes)
            .map_err(|error| RegisterFault::Metadata { url: url.to_owned(), detail: error.to_string() }),
        // Nothing was asked that could be unchanged.
        Fetched::Unchanged => Err(RegisterFault::NotFetched),
    }
}

/// The time in a text as in `Mon Aug 24 16:00:29 UTC 2026`, which is how Java writes one. A zone is at most some hours off, and
/// taken for UTC.
fn published(timestamp: &str) -> Option<SystemTime> {
    let words: Vec<&str> = timestamp.split_ascii_whitespace().take(WORDS_MAX).collect();
    let [weekday, month, day, time, zone, year] = words[..] else { return None };
    let format =
        format_description!("[weekday repr:short] [month repr:short] [day] [hour]:[minute]:[second] [year]");
    let time = PrimitiveDateTime::parse(&format!("{weekday} {month} {day} {time} {year}"), format).ok()?;
    let is_zone = zone.bytes().all(|letter| letter.is_ascii_uppercase());
    is_zone.then(|| time.assume_utc().into())
}

/// Where the newest version is: on the server that tells of it, or nowhere.
fn location(url: &str, metadata: &Metadata) -> Option<Url> {
    let told_at = Url::parse(url).ok()?;
    let path = format!("{}{}", metadata.golden_copy_path_context, metadata.latest_version_relative_zip_path);
    let location = told_at.join(&path).ok()?;
    (location.origin() == told_at.origin()).then_some(location)
}

/// The SHA-256 of a file in hexadecimal; nothing if it is not there.
async fn hex_digest(file: &Path) -> Result<Option<String>, RegisterFault> {
    let path = file.to_owned();
    let digest = spawn_blocking(move || match File::open(&path) {
        Ok(file) => digest(&file).map(Some).map_err(RegisterFault::file(&path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(RegisterFault::file(&path)(error)),
    });
    Ok(digest.await??.map(|digest| digest.iter().map(|octet| format!("{octet:02x}")).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_register_is_where_its_publisher_says_and_nowhere_else() {
        let at = |context: &str, path: &str| {
            let metadata = Metadata {
                golden_copy_path_context: context.to_owned(),
                latest_version_relative_zip_path: path.to_owned(),
                sha256_hash: String::new(),
                timestamp: String::new(),
            };
            location("https://a.example/register/api/filemetadata", &metadata).map(|url| url.to_string())
        };
        let expected = Some("https://a.example/register/downloads/PSDMD/1/x.zip".to_owned());
        assert_eq!(at("https://a.example/register/downloads/PSDMD/", "1/x.zip"), expected);
        assert_eq!(at("/register/downloads/PSDMD/", "1/x.zip"), expected);
        for elsewhere in
            ["https://b.example/", "http://a.example/", "https://a.example:444/", "//b.example/", "file:///"]
        {
            assert_eq!(at(elsewhere, "1/x.zip"), None, "{elsewhere}");
        }
    }

    #[test]
    fn a_version_is_as_old_as_it_says() {
        let at = |text: &str| published(text).map(crate::clock::unix_s);
        assert_eq!(at("Mon Aug 24 16:00:29 UTC 2026"), Some(1_787_587_229));
        assert_eq!(at(" Sat Jul 04  00:00:16 CEST 2026 "), Some(1_783_123_216));
        for wrong in [
            "",
            "2026-08-24T16:00:29Z",
            "Mon Aug 24 16:00:29 2026",
            "Mon Aug 32 16:00:29 UTC 2026",
            "Mon Aug 24 16:00:29 UTC 2026 2027",
            "Mon Aug 24 16:00:29 +0200 2026",
            "Mon aug 24 16:00:29 UTC 2026",
        ] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }
}
