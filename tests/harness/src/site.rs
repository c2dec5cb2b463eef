//! A bank to test: its authority, the provider that it trusts, and the directory where its gate finds them.

use std::fs;
use std::path::{Path, PathBuf};

use portcullis_test_pki::{Authority, Credential, Role, ServerCertificate, TppCertificate};

use crate::Scratch;

/// The name under which the gate is reached unless a test says otherwise.
pub const HOST: &str = "tpp.bank.example";

/// Certificates and a directory that holds `server.pem`, `server.key` (for [`HOST`], localhost and the loopback addresses) and
/// `qtsp.pem`, the trust anchor of the clients.
#[derive(Debug)]
pub struct Site {
    directory: Scratch,
    /// Issues server certificates.
    pub bank: Authority,
    /// Issues the certificates of the clients that the gate trusts.
    pub qtsp: Authority,
}

impl Site {
    /// Makes everything anew.
    ///
    /// # Panics
    ///
    /// When a certificate cannot be made or a file not written.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "making keys and files is no default of anything")]
    pub fn new() -> Self {
        let bank = Authority::bank().expect("an authority");
        let qtsp = Authority::qtsp().expect("an authority");
        let site = Self { directory: Scratch::new(), bank, qtsp };
        site.write("qtsp.pem", &site.qtsp.root_pem());
        site.serve("server", &[HOST, "localhost", "127.0.0.1", "::1"]);
        site
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A file in the directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file into the directory.
    ///
    /// # Panics
    ///
    /// When it cannot.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Issues a server certificate for `names` and writes it to `FILE.pem` and `FILE.key`.
    ///
    /// # Panics
    ///
    /// When it cannot.
    pub fn serve(&self, file: &str, names: &[&str]) -> Credential {
        let credential =
            ServerCertificate::new(names.iter().copied()).issue(&self.bank).expect("a certificate");
        self.put(file, &credential);
        credential
    }

    /// Writes a credential to `FILE.pem` and `FILE.key`.
    ///
    /// # Panics
    ///
    /// When it cannot.
    pub fn put(&self, file: &str, credential: &Credential) {
        credential.write(self.directory(), file).expect("the site's directory can be written");
    }

    /// A certificate of the trusted provider for a TPP with these roles.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    #[must_use]
    pub fn tpp(&self, roles: &[Role]) -> Credential {
        self.issue(TppCertificate::new("Lindenblatt Kontodienst GmbH").roles(roles.iter().copied()))
    }

    /// A certificate of the trusted provider.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    #[must_use]
    pub fn issue(&self, certificate: TppCertificate) -> Credential {
        certificate.issue(&self.qtsp).expect("a certificate")
    }
}
