//! What is known altogether, for the operator: in a file beside the answers that is read while a gate runs.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

/// The file in the folder of answers.
const FILE: &str = "state.json";

/// What a gate knows of revocation. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RevocationFacts {
    /// When this was so.
    pub as_of: i64,
    /// How many certificates are followed.
    pub certificates: usize,
    /// For how many of them an answer of a responder serves.
    pub answers: usize,
    /// The end of the answer that serves and ends first.
    pub next_update: Option<i64>,
    /// The CRLs that were believed.
    pub crls: Vec<CrlFacts>,
    /// Bytes of memory that they take.
    #[serde(default)]
    pub crl_memory_bytes: u64,
}

/// A CRL that was believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CrlFacts {
    /// Where it is from.
    pub url: String,
    /// Whose it is, as RFC 4514 writes names.
    pub issuer: String,
    /// When it was issued.
    pub this_update: i64,
    /// Until when it serves.
    pub next_update: i64,
    /// How many certificates are on it.
    pub revoked: usize,
}

impl RevocationFacts {
    /// Writes the file. Blocks on the disk.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let (file, unfinished) = (folder.join(FILE), folder.join("state.json.unfinished"));
        fs::write(&unfinished, serde_json::to_vec_pretty(self)?)?;
        fs::rename(unfinished, file)
    }

    /// Reads the file; nothing if there is none.
    pub(super) fn read(folder: &Path) -> io::Result<Option<Self>> {
        match fs::read(folder.join(FILE)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
