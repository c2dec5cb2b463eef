//! Brings the EBA's register from where it is published.

use std::{fs::File, path::Path, time::Duration};

use reqwest::Url;
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::{RegisterFault, document::digest};
use crate::fetch::{Access, FetchLimits, Fetched, Fetcher};

/// Bytes of what is told of the newest version: five short texts.
const METADATA_BYTES_MAX: usize = 64 << 10;

/// What the EBA tells of the newest version. It tells its length and its time too.
#[derive(Deserialize)]
struct Metadata {
    golden_copy_path_context: String,
    latest_version_relative_zip_path: String,
    sha256_hash: String,
}

/// Fetches the newest version into `unfinished`, unless it is the one that is `kept`. Returns whether it did.
pub(super) async fn fetch(
    url: &str,
    roots: &[CertificateDer<'static>],
    kept: &Path,
    unfinished: &Path,
    bytes_max: u64,
) -> Result<bool, RegisterFault> {
    let metadata = metadata(url, roots).await?;
    let malformed = |detail: &str| RegisterFault::Metadata { url: url.to_owned(), detail: detail.to_owned() };
    let expected = metadata.sha256_hash.trim().to_ascii_lowercase();
    if expected.len() != 64 || !expected.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(malformed("its sha256_hash is none"));
    }
    if hex_digest(kept).await? == Some(expected.clone()) {
        return Ok(false);
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
        true => Ok(true),
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
}
