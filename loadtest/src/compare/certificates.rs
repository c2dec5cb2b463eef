//! The certificates of a comparison: one authority, servers with two kinds of key, a third party with a PSD2 statement.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use portcullis_test_pki::{Authority, Credential, KeyType, Role, ServerCertificate, TppCertificate};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::measure::ServerKey;
use crate::peers::Peer;

/// The name of every server.
pub(crate) const SERVER_NAME: &str = "localhost";

/// Names of the servers' files. The second certificate on P-256 is for servers that reload.
const P256: &str = "server-p256";
const NEXT: &str = "server-p256-next";
const RSA2048: &str = "server-rsa2048";

/// `X509_CERT_AUX` of OpenSSL: SEQUENCE { trust SEQUENCE { OID clientAuth } } (`man openssl-x509`, "trust settings").
const TRUSTED_FOR_CLIENTS: [u8; 14] =
    [0x30, 0x0c, 0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

/// The certificate that servers are told to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Anchor {
    /// The root, so that two signatures stand on the client's path
    Root,
    /// The CA that issued the client's certificate, as a trusted list has it
    Intermediate,
}

/// A directory of PEM files.
#[derive(Clone, Debug)]
pub(crate) struct Certificates {
    directory: PathBuf,
    anchor: Anchor,
}

impl Certificates {
    /// Takes the directory's certificates, which are made if there are none.
    pub(crate) fn in_directory(directory: &Path, anchor: Anchor) -> Result<Self> {
        fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        // Servers are started elsewhere.
        let directory = directory.canonicalize().with_context(|| directory.display().to_string())?;
        let certificates = Self { directory, anchor };
        // The client's are written last, so a directory that has them has all.
        if !certificates.client_key().exists() {
            certificates.make()?;
        }
        Ok(certificates)
    }

    fn make(&self) -> Result<()> {
        let authority = Authority::qtsp()?;
        let server = |key_type| ServerCertificate::new([SERVER_NAME]).key_type(key_type).issue(&authority);
        for (name, key_type) in [(P256, KeyType::P256), (NEXT, KeyType::P256), (RSA2048, KeyType::Rsa2048)] {
            let credential = server(key_type)?;
            self.write(name, &credential)?;
            // HAProxy wants the chain and the key in one file.
            self.file(&format!("{name}.bundle.pem"), credential.chain_pem() + &credential.key_pem())?;
        }
        self.file("root.pem", authority.root_pem())?;
        self.file("intermediate.pem", authority.issuing_pem())?;
        // OpenSSL ends a path only at a root, unless a certificate is marked as trusted for a purpose. The mark stands in a
        // PEM block of its own kind, which is taken as an anchor; the plain block after it is what nginx names to clients,
        // since it reads no others for that.
        self.file("intermediate.trusted.pem", trusted(authority.issuing_der()) + &authority.issuing_pem())?;
        let client = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi, Role::PspPi]);
        self.write("client", &client.issue(&authority)?)
    }

    fn write(&self, name: &str, credential: &Credential) -> Result<()> {
        credential.write(&self.directory, name).with_context(|| self.directory.display().to_string())
    }

    fn file(&self, name: &str, text: String) -> Result<()> {
        let path = self.directory.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())
    }

    /// The root, which the load holds servers to.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.join("root.pem")
    }

    /// The client's chain.
    pub(crate) fn client(&self) -> PathBuf {
        self.directory.join("client.pem")
    }

    /// The client's key.
    pub(crate) fn client_key(&self) -> PathBuf {
        self.directory.join("client.key")
    }

    /// The client's own certificate.
    pub(crate) fn client_leaf(&self) -> Result<CertificateDer<'static>> {
        let file = self.client();
        CertificateDer::from_pem_file(&file).with_context(|| file.display().to_string())
    }

    /// The path of a server's files, but for `.pem`, `.key` and `.bundle.pem`.
    pub(crate) fn server(&self, key: ServerKey) -> PathBuf {
        self.directory.join(match key {
            ServerKey::P256 => P256,
            ServerKey::Rsa2048 => RSA2048,
        })
    }

    /// Puts one of two certificates in the place that a server that reloads has for its own, each in its turn.
    pub(crate) fn renew(&self, stem: &Path, turn: u32) -> Result<()> {
        let source = self.directory.join(if turn.is_multiple_of(2) { P256 } else { NEXT });
        for extension in ["pem", "key", "bundle.pem"] {
            let to = stem.with_extension(extension);
            fs::copy(source.with_extension(extension), &to).with_context(|| to.display().to_string())?;
        }
        Ok(())
    }

    /// The file of anchors as a server wants it.
    pub(crate) fn anchor(&self, peer: Peer) -> PathBuf {
        self.directory.join(match self.anchor {
            Anchor::Root => "root.pem",
            Anchor::Intermediate if peer.links_openssl() => "intermediate.trusted.pem",
            Anchor::Intermediate => "intermediate.pem",
        })
    }
}

/// The PEM block of a certificate that OpenSSL takes as an anchor for clients.
fn trusted(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode([certificate.as_ref(), &TRUSTED_FOR_CLIENTS].concat());
    let mut block = "-----BEGIN TRUSTED CERTIFICATE-----\n".to_owned();
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            block.push('\n');
        }
        block.push(character);
    }
    block + "\n-----END TRUSTED CERTIFICATE-----\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::WorkDirectory;

    #[test]
    fn certificates_are_made_once() {
        let work = WorkDirectory::make().unwrap();
        let make = || Certificates::in_directory(work.path(), Anchor::Root).unwrap();
        let first = make().client_leaf().unwrap();
        assert_eq!(make().client_leaf().unwrap(), first);
        assert!(make().server(ServerKey::Rsa2048).with_extension("bundle.pem").exists());
        let read = |turn| {
            make().renew(&work.path().join("own"), turn).unwrap();
            ["pem", "key", "bundle.pem"]
                .map(|kind| fs::read(work.path().join("own").with_extension(kind)).unwrap())
        };
        assert!(read(0) == read(2) && read(0) != read(1), "two certificates take turns");
    }

    #[test]
    fn openssl_is_told_that_an_intermediate_is_an_anchor() {
        let work = WorkDirectory::make().unwrap();
        let certificates = Certificates::in_directory(work.path(), Anchor::Intermediate).unwrap();
        let text = fs::read_to_string(certificates.anchor(Peer::Nginx)).unwrap();
        assert!(text.starts_with("-----BEGIN TRUSTED CERTIFICATE-----\n"));
        assert!(text.lines().all(|line| line.len() <= 64));
        // The plain reader skips the marked block and finds the certificate itself.
        let plain = CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
        let body: String = text.lines().skip(1).take_while(|line| !line.starts_with('-')).collect();
        let marked = STANDARD.decode(body).unwrap();
        assert_eq!(marked, [plain.as_ref(), &TRUSTED_FOR_CLIENTS].concat());
        assert!(certificates.anchor(Peer::Envoy).ends_with("intermediate.pem"));
    }
}
