//! OpenSSL, which had no part in making them, takes the certificates and keys: every kind of key verifies up to its own root and
//! to no other, and the files keep the key to their owner. Where there is no `openssl` the test says SKIPPED.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_test_pki::{Authority, Error, KeyType, Role, ServerCertificate, TppCertificate};

/// A directory of one test, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("test-pki-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory for the test");
        Self(path)
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file in the test's directory");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether the command succeeded, and what it said; `None` where there is no OpenSSL.
fn openssl(arguments: &[&str], files: &[&Path]) -> Option<(bool, String)> {
    match Command::new("openssl").args(arguments).args(files).output() {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Written to the descriptor itself: what goes through the macros is hidden when a test passes.
            let _ = writeln!(std::io::stderr(), "SKIPPED: there is no openssl");
            None
        }
        Err(error) => panic!("openssl does not start: {error}"),
    }
}

#[test]
fn every_kind_of_key_verifies_up_to_its_own_root_only() -> Result<(), Error> {
    let scratch = Scratch::new("verify");
    let (qtsp, foreign) = (Authority::qtsp()?, Authority::foreign()?);
    let root = scratch.put("root.pem", &qtsp.root_pem());
    let other_root = scratch.put("foreign.pem", &foreign.root_pem());
    let issuing = scratch.put("issuing.pem", &qtsp.issuing_pem());
    for key_type in KeyType::ALL {
        let builder = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
        let credential = builder.key_type(key_type).issue(&qtsp)?;
        credential.write(&scratch.0, "leaf")?;
        let leaf = scratch.0.join("leaf.pem");
        let verify = |root: &Path| {
            let arguments = ["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile"];
            openssl(&arguments, &[root, Path::new("-untrusted"), &issuing, &leaf])
        };
        let Some((verified, said)) = verify(&root) else { return Ok(()) };
        assert!(verified, "{key_type:?}: {said}");
        assert!(!verify(&other_root).expect("openssl was there").0, "{key_type:?}: {said}");

        let public = openssl(&["x509", "-noout", "-pubkey", "-in"], &[&leaf]).expect("openssl was there");
        let private = openssl(&["pkey", "-pubout", "-in"], &[&scratch.0.join("leaf.key")]);
        assert_eq!(private.expect("openssl was there"), public, "{key_type:?}");
    }
    Ok(())
}

#[test]
fn a_server_certificate_holds_for_its_names_and_no_others() -> Result<(), Error> {
    let scratch = Scratch::new("server");
    let bank = Authority::bank()?;
    let root = scratch.put("root.pem", &bank.root_pem());
    let credential =
        ServerCertificate::new(["localhost", "*.bank.example", "127.0.0.1", "::1"]).issue(&bank)?;
    credential.write(&scratch.0, "server")?;
    let leaf = scratch.0.join("server.pem");
    let verify = |option: &str, name: &str| {
        let arguments = ["verify", "-purpose", "sslserver", option, name, "-CAfile"];
        openssl(&arguments, &[&root, Path::new("-untrusted"), &leaf, &leaf])
    };
    let Some((verified, said)) = verify("-verify_hostname", "localhost") else { return Ok(()) };
    assert!(verified, "{said}");
    for (option, name, expected) in [
        ("-verify_hostname", "psd2.bank.example", true),
        ("-verify_hostname", "bank.example", false),
        ("-verify_ip", "127.0.0.1", true),
        ("-verify_ip", "::1", true),
        ("-verify_ip", "127.0.0.2", false),
    ] {
        let (verified, said) = verify(option, name).expect("openssl was there");
        assert_eq!(verified, expected, "{name}: {said}");
    }
    Ok(())
}

#[test]
fn a_key_file_is_its_owners_even_where_a_laxer_one_was() -> Result<(), Error> {
    let scratch = Scratch::new("mode");
    let old = scratch.put("tpp.key", "an earlier key");
    fs::set_permissions(&old, fs::Permissions::from_mode(0o644)).expect("the mode can be set");
    let credential = TppCertificate::new("Lindenblatt Kontodienst GmbH").issue(&Authority::qtsp()?)?;
    credential.write(&scratch.0, "tpp")?;
    let mode = fs::metadata(&old).expect("the key was written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_to_string(&old).expect("the key reads"), credential.key_pem());
    Ok(())
}

#[test]
fn a_directory_that_is_not_there_is_named() -> Result<(), Error> {
    let credential = TppCertificate::new("Lindenblatt Kontodienst GmbH").issue(&Authority::qtsp()?)?;
    let refused = credential.write(Path::new("/nowhere/at/all"), "tpp");
    assert!(matches!(refused, Err(Error::File { path, .. }) if path.ends_with("tpp.pem")));
    Ok(())
}
