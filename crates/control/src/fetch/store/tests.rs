//! The store against what may lie in its folder.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::PathBuf,
};

use super::*;

/// A folder for one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("portcullis-store-{test}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn store(&self) -> Store {
        Store::open(&self.0).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> io::ErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn a_document_replaces_the_one_before_it_whole() {
    let folder = Folder::new("replace");
    let store = folder.store();
    assert_eq!(store.read("DE.xml", 9).unwrap(), None);
    store.write("DE.xml", b"first, longer").unwrap();
    // Who reads the first goes on reading it.
    let mut first = File::open(folder.path("DE.xml")).unwrap();
    store.write("DE.xml", b"second").unwrap();
    let mut text = String::new();
    first.read_to_string(&mut text).unwrap();
    assert_eq!(text, "first, longer");
    assert_eq!(store.read("DE.xml", 9).unwrap().as_deref(), Some(b"second".as_slice()));
    assert_eq!(folder.names(), ["DE.xml"]);
    assert_eq!(fs::metadata(folder.path("DE.xml")).unwrap().permissions().mode() & 0o137, 0);
    assert_eq!(folder.store().read("DE.xml", 9).unwrap().as_deref(), Some(b"second".as_slice()));
}

#[test]
fn the_folder_is_made_and_cleared_of_what_is_unfinished() {
    let folder = Folder::new("open");
    let inner = folder.path("a/b");
    Store::open(&inner).unwrap().write("x", b"x").unwrap();
    assert_eq!(fs::metadata(&inner).unwrap().mode() & 0o027, 0);

    fs::write(folder.path("kept"), "1").unwrap();
    fs::write(folder.path(".other"), "1").unwrap();
    fs::write(folder.path(".DE.xml.1-0.unfinished"), "half").unwrap();
    symlink(folder.path("kept"), folder.path(".link.unfinished")).unwrap();
    fs::create_dir(folder.path(".folder.unfinished")).unwrap();
    folder.store();
    assert_eq!(folder.names(), [".folder.unfinished", ".other", "a", "kept"]);

    assert!(Store::open(&folder.path("kept")).is_err(), "a file is no folder");
}

#[test]
fn names_stay_in_the_folder() {
    let folder = Folder::new("names");
    let store = folder.store();
    let long = "a".repeat(NAME_BYTES_MAX + 1);
    for name in [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/etc/passwd",
        ".hidden",
        "a b",
        "a\0",
        "ä",
        "a\n",
        "a.validators.toml",
        &long,
    ] {
        assert_eq!(kind(store.write(name, b"x")), io::ErrorKind::InvalidInput, "{name:?}");
        assert_eq!(kind(store.read(name, 9)), io::ErrorKind::InvalidInput, "{name:?}");
        assert_eq!(kind(store.validators(name, b"x")), io::ErrorKind::InvalidInput, "{name:?}");
        let written = store.write_validators(name, b"x", &Validators::default());
        assert_eq!(kind(written), io::ErrorKind::InvalidInput, "{name:?}");
    }
    for name in ["a", "EU_lotl-332.xml", "a..b", "-", &long[1..]] {
        store.write(name, b"x").unwrap();
        store.write_validators(name, b"x", &Validators::default()).unwrap();
        assert_eq!(store.read(name, 1).unwrap().as_deref(), Some(b"x".as_slice()), "{name:?}");
    }
}

#[test]
fn a_document_above_the_bound_is_not_read() {
    let folder = Folder::new("bound");
    let store = folder.store();
    store.write("a", b"12345").unwrap();
    assert_eq!(store.read("a", 5).unwrap().unwrap().len(), 5);
    assert_eq!(kind(store.read("a", 4)), io::ErrorKind::FileTooLarge);
    assert_eq!(kind(store.read("a", 0)), io::ErrorKind::FileTooLarge);
    store.write("empty", b"").unwrap();
    assert_eq!(store.read("empty", 0).unwrap().unwrap(), b"");
}

#[test]
fn only_regular_files_are_read_and_no_link_is_followed() {
    let (folder, outside) = (Folder::new("kinds"), Folder::new("kinds-outside"));
    let store = folder.store();
    fs::write(outside.path("secret"), "secret").unwrap();
    symlink(outside.path("secret"), folder.path("link")).unwrap();
    symlink(outside.path("none"), folder.path("dangling")).unwrap();
    fs::create_dir(folder.path("folder")).unwrap();
    rustix::fs::mknodat(&store.folder, "pipe", FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path("socket")).unwrap();
    for name in ["link", "dangling", "folder", "pipe"] {
        assert_eq!(kind(store.read(name, 99)), io::ErrorKind::InvalidData, "{name}");
    }
    assert!(store.read("socket", 99).is_err());

    // Writing puts a file in the link's own place.
    store.write("link", b"ours").unwrap();
    store.write("dangling", b"ours").unwrap();
    assert_eq!(store.read("link", 99).unwrap().as_deref(), Some(b"ours".as_slice()));
    assert_eq!(fs::read(outside.path("secret")).unwrap(), b"secret");
    assert_eq!(outside.names(), ["secret"]);
}

#[test]
fn a_write_that_fails_leaves_nothing() {
    let folder = Folder::new("failed");
    let store = folder.store();
    fs::create_dir(folder.path("taken")).unwrap();
    assert!(store.write("taken", b"x").is_err());
    assert_eq!(folder.names(), ["taken"]);
}

#[test]
fn a_folder_that_was_moved_is_still_the_one() {
    let folder = Folder::new("moved");
    let store = Store::open(&folder.path("a")).unwrap();
    fs::rename(folder.path("a"), folder.path("b")).unwrap();
    store.write("x", b"x").unwrap();
    assert!(folder.path("b/x").is_file() && !folder.path("a").exists());
}

#[test]
fn validators_are_told_for_their_own_version_alone() {
    let folder = Folder::new("validators");
    let store = folder.store();
    let validators = Validators { etag: Some("W/\"\\ä\"'\u{1}".repeat(20)), last_modified: None };
    assert_eq!(store.validators("DE.xml", b"1").unwrap(), None);
    store.write_validators("DE.xml", b"1", &validators).unwrap();
    assert_eq!(store.validators("DE.xml", b"1").unwrap(), Some(validators.clone()));
    assert_eq!(store.validators("DE.xml", b"2").unwrap(), None);
    assert_eq!(store.validators("FR.xml", b"1").unwrap(), None);

    let path = folder.path("DE.xml.validators.toml");
    let whole = fs::read_to_string(&path).unwrap();
    for damaged in ["", "\0", &whole[..whole.len() / 2], &format!("more = 1\n{whole}")] {
        fs::write(&path, damaged).unwrap();
        assert_eq!(store.validators("DE.xml", b"1").unwrap(), None, "{damaged}");
    }
    fs::write(&path, "#".repeat(VALIDATORS_BYTES_MAX + 1)).unwrap();
    assert_eq!(kind(store.validators("DE.xml", b"1")), io::ErrorKind::FileTooLarge);
}
