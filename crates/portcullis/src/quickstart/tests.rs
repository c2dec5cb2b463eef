//! A directory that is prepared again and again, cut short, aged and moved to another port.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use portcullis_test_pki::{Authority, ServerCertificate, Validity};

use super::prepare;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("quickstart-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    /// Every file below the directory with what it holds.
    fn content(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut content = BTreeMap::new();
        for directory in [self.0.clone(), self.0.join("tpp")] {
            for entry in fs::read_dir(directory).expect("the directory was made") {
                let path = entry.expect("an entry").path();
                if path.is_file() {
                    let bytes = fs::read(&path).expect("a readable file");
                    content.insert(path, bytes);
                }
            }
        }
        content
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_first_run_makes_every_file_of_the_interface() {
    let scratch = Scratch::new("first");
    let prepared = prepare(&scratch.0, 8443).expect("a first run");
    assert!(!prepared.reused);
    assert_eq!(prepared.admin_port, 9443);
    assert!(prepared.configuration().is_file() && scratch.0.join("ca.pem").is_file());
    for name in ["aisp", "pisp", "all", "expired", "noroles", "foreign"] {
        let chain = fs::read_to_string(scratch.0.join(format!("tpp/{name}.pem"))).expect("a chain");
        assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2, "{name}");
        let key = fs::metadata(scratch.0.join(format!("tpp/{name}.key"))).expect("a key");
        assert_eq!(key.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_second_run_changes_nothing() {
    let scratch = Scratch::new("second");
    prepare(&scratch.0, 8443).expect("a first run");
    let before = scratch.content();
    assert!(prepare(&scratch.0, 8443).expect("a second run").reused);
    assert_eq!(scratch.content(), before);
}

#[test]
fn an_edited_configuration_is_kept() {
    let scratch = Scratch::new("edited");
    let configuration = prepare(&scratch.0, 8443).expect("a first run").configuration();
    let edited = fs::read_to_string(&configuration).expect("readable").replace("\"http\"", "\"handshake\"");
    fs::write(&configuration, &edited).expect("writable");
    prepare(&scratch.0, 8443).expect("a second run");
    assert_eq!(fs::read_to_string(&configuration).expect("readable"), edited);
}

#[test]
fn another_port_rewrites_the_configuration_alone() {
    let scratch = Scratch::new("port");
    let configuration = prepare(&scratch.0, 8443).expect("a first run").configuration();
    let mut before = scratch.content();
    assert!(prepare(&scratch.0, 18443).expect("a second run").reused);
    let mut after = scratch.content();
    let text = String::from_utf8(after.remove(&configuration).expect("it is there")).expect("text");
    assert!(
        text.contains("\"127.0.0.1:18443\"")
            && text.contains("\"127.0.0.1:19443\"")
            && text.contains("\"127.0.0.1:20443\""),
        "{text}"
    );
    before.remove(&configuration);
    assert_eq!(after, before);
}

#[test]
fn a_run_cut_short_does_not_wedge_the_next() {
    let scratch = Scratch::new("cut");
    fs::create_dir_all(scratch.0.join("tpp")).expect("a directory");
    fs::write(scratch.0.join("ca.pem"), "-----BEGIN CERTIF").expect("writable");
    fs::write(scratch.0.join("tpp/aisp.key"), "").expect("writable");
    assert!(!prepare(&scratch.0, 8443).expect("the next run").reused);
    assert!(prepare(&scratch.0, 8443).expect("the one after").reused);
}

#[test]
fn what_is_missing_or_over_is_made_again() {
    let scratch = Scratch::new("aged");
    prepare(&scratch.0, 8443).expect("a first run");
    fs::remove_file(scratch.0.join("tpp/pisp.key")).expect("it was made");
    assert!(!prepare(&scratch.0, 8443).expect("a run without a key").reused);

    let ends_tonight = Validity::around_now(-3600, 8 * 3600);
    let authority = Authority::bank().expect("an authority");
    let server = ServerCertificate::new(["localhost"]).validity(ends_tonight).issue(&authority);
    server.expect("a certificate").write(&scratch.0, "server").expect("writable");
    assert!(!prepare(&scratch.0, 8443).expect("a run with an old certificate").reused);
    assert!(prepare(&scratch.0, 8443).expect("the one after").reused);
}

#[test]
fn a_port_without_room_for_the_others_is_refused() {
    let scratch = Scratch::new("room");
    for port in [0, 63536, u16::MAX] {
        let refused = prepare(&scratch.0, port).expect_err("no room");
        assert!(refused.to_string().contains("63535"), "{refused}");
    }
    assert!(!Path::new(&scratch.0).exists());
    prepare(&scratch.0, 63535).expect("the last that has room");
}
