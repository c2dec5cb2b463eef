//! The files that a register is read from.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::SystemTime,
};

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use portcullis_policy::resolve_authority;
use portcullis_trust::{Register, RegisterBuilder, RegisterError, TableForm};
use zip::{ZipArchive, result::ZipError};

use super::RegisterFault;
use crate::TABLE_BYTES_MAX;

/// What a ZIP archive begins with (APPNOTE 4.3.7).
const ZIP_MAGIC: [u8; 4] = *b"PK\x03\x04";

/// The SHA-256 of everything that a register was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content([u8; SHA256_OUTPUT_LEN]);

/// The files, open: what is hashed is what is read.
pub(super) struct Documents {
    eba: Option<(PathBuf, File)>,
    tables: Vec<(PathBuf, TableForm, File)>,
}

impl Documents {
    pub(super) fn open(eba: Option<&Path>, tables: &[(PathBuf, TableForm)]) -> Result<Self, RegisterFault> {
        let open = |path: &Path| File::open(path).map_err(RegisterFault::file(path));
        let eba = match eba {
            Some(path) => Some((path.to_owned(), open(path)?)),
            None => None,
        };
        let tables = tables.iter().map(|(path, form)| open(path).map(|file| (path.clone(), *form, file)));
        Ok(Self { eba, tables: tables.collect::<Result<_, _>>()? })
    }

    pub(super) fn content(&self) -> Result<Content, RegisterFault> {
        let mut hash = Context::new(&SHA256);
        let eba = self.eba.iter().map(|(path, file)| (path, file));
        for (path, file) in eba.chain(self.tables.iter().map(|(path, _, file)| (path, file))) {
            hash.update(&digest(file).map_err(RegisterFault::file(path))?);
        }
        Ok(Content(octets(hash)))
    }

    /// When the EBA's register was published: whoever keeps the file says so by its time.
    pub(super) fn as_of(&self) -> Result<Option<SystemTime>, RegisterFault> {
        let modified = |(path, file): &(PathBuf, File)| {
            file.metadata().and_then(|metadata| metadata.modified()).map_err(RegisterFault::file(path))
        };
        self.eba.as_ref().map(modified).transpose()
    }

    pub(super) fn read(self, bytes_max: u64) -> Result<Register, RegisterFault> {
        let mut builder = RegisterBuilder::new(resolve_authority);
        if let Some((path, file)) = self.eba {
            read_eba(&mut builder, &path, file, bytes_max)?;
        }
        for (path, form, file) in self.tables {
            builder.read_table(file, form, TABLE_BYTES_MAX).map_err(|error| not_understood(&path, error))?;
        }
        Ok(builder.build())
    }
}

fn read_eba(
    builder: &mut RegisterBuilder,
    path: &Path,
    mut file: File,
    bytes_max: u64,
) -> Result<(), RegisterFault> {
    let mut magic = [0; ZIP_MAGIC.len()];
    let begins = file.read_exact(&mut magic).and_then(|()| file.rewind());
    if begins.is_err() || magic != ZIP_MAGIC {
        file.rewind().map_err(RegisterFault::file(path))?;
        return builder.read_eba(file, bytes_max).map_err(|error| not_understood(path, error));
    }
    let damaged = |source| RegisterFault::Archive { path: path.display().to_string(), source };
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
    let is_json = |name: &&str| name.rsplit('.').next().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let name = archive.file_names().find(is_json).map(str::to_owned);
    let document = archive.by_name(&name.ok_or(ZipError::FileNotFound).map_err(damaged)?).map_err(damaged)?;
    builder.read_eba(document, bytes_max).map_err(|error| not_understood(path, error))
}

fn not_understood(path: &Path, source: RegisterError) -> RegisterFault {
    RegisterFault::Register { path: path.display().to_string(), source }
}

/// The SHA-256 of a file from its beginning; it stands at its beginning then.
pub(super) fn digest(mut file: &File) -> io::Result<[u8; SHA256_OUTPUT_LEN]> {
    let mut hash = Context::new(&SHA256);
    let mut piece = vec![0; 64 << 10];
    file.seek(SeekFrom::Start(0))?;
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            break;
        }
        hash.update(&piece[..read]);
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(octets(hash))
}

fn octets(hash: Context) -> [u8; SHA256_OUTPUT_LEN] {
    let mut octets = [0; SHA256_OUTPUT_LEN];
    octets.copy_from_slice(hash.finish().as_ref());
    octets
}
