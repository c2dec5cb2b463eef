//! The keys of tickets as their operator keeps them: `portcullis ticket-keys` makes and rotates a file that nobody else can read,
//! a gate takes it up on SIGHUP or says what is wrong with it, and keys that are in no file move up by themselves. What they are is
//! told nowhere.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::{Command, Output};

use portcullis_test_harness::{Configuration, Gate, Scratch, Site, eventually, skipped};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const ROTATIONS: &str = "portcullis_ticket_key_rotations_total";
const AGE: &str = "portcullis_ticket_key_age_seconds";

fn ticket_keys(action: &str, file: &Path) -> Output {
    let mut command = Command::new(PORTCULLIS);
    command.args(["ticket-keys", action]).arg(file).output().expect("portcullis runs")
}

fn done(action: &str, file: &Path) {
    let output = ticket_keys(action, file);
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

/// Sees that nothing was done to `file`, which `words` tell of.
fn refused(action: &str, file: &Path, words: &str) {
    let before = fs::read_to_string(file).ok();
    let output = ticket_keys(action, file);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(words) && said.contains(&file.display().to_string()), "{said}");
    assert!(before.iter().flat_map(|text| digits(text)).all(|key| !said.contains(key)), "{said}");
    assert_eq!(fs::read_to_string(file).ok(), before);
}

fn set_mode(file: &Path, mode: u32) {
    fs::set_permissions(file, Permissions::from_mode(mode)).expect("the file is ours");
}

/// The key that has this role in a file.
fn key(file: &Path, role: &str) -> Option<String> {
    let text = fs::read_to_string(file).expect("a file of keys");
    text.lines().find_map(|line| Some(line.strip_prefix(role)?.strip_prefix(' ')?.to_owned()))
}

fn digits(text: &str) -> Vec<&str> {
    text.split_whitespace().filter(|word| word.len() == 64).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().into_string().expect("a name of text")
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

#[test]
fn a_new_file_is_for_its_owner_alone_and_never_takes_the_place_of_another() {
    let scratch = Scratch::new();
    let file = scratch.path().join("ticket.keys");
    done("new", &file);
    let metadata = fs::metadata(&file).expect("it was made");
    assert_eq!((metadata.mode() & 0o7777, metadata.nlink()), (0o600, 1));
    let (current, next) = (key(&file, "current"), key(&file, "next"));
    assert!(current.is_some() && next.is_some() && current != next);
    assert_eq!(key(&file, "previous"), None);
    refused("new", &file, "is there already");
    symlink("nowhere", scratch.path().join("link")).expect("a link");
    refused("new", &scratch.path().join("link"), "is there already");
    refused("new", &scratch.path().join("missing/ticket.keys"), "cannot be written");
    assert_eq!(names(scratch.path()), ["link", "ticket.keys"]);
}

#[test]
fn a_rotation_moves_keys_up() {
    let scratch = Scratch::new();
    let (file, link) = (scratch.path().join("ticket.keys"), scratch.path().join("link"));
    done("new", &file);
    symlink("ticket.keys", &link).expect("a link");
    for by in [&file, &link] {
        let before = ["current", "next"].map(|role| key(&file, role));
        let known = fs::read_to_string(&file).expect("a file of keys");
        done("rotate", by);
        assert_eq!(["previous", "current"].map(|role| key(&file, role)), before);
        assert!(key(&file, "next").is_some_and(|next| !known.contains(&next)));
        assert_eq!(fs::metadata(&file).expect("it is there").mode() & 0o7777, 0o600);
    }
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    assert_eq!(names(scratch.path()), ["link", "ticket.keys"]);
}

#[test]
fn root_rotates_for_the_gates_user() {
    let scratch = Scratch::new();
    let file = scratch.path().join("ticket.keys");
    done("new", &file);
    if chown(&file, Some(4242), Some(4243)).is_err() {
        skipped("only root gives files away");
        return;
    }
    done("rotate", &file);
    let metadata = fs::metadata(&file).expect("it is there");
    assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (4242, 4243, 0o600));
}

#[test]
fn what_cannot_be_rotated_stays_as_it_is() {
    let scratch = Scratch::new();
    let file = scratch.path().join("ticket.keys");
    refused("rotate", &file, "cannot be read");
    refused("rotate", scratch.path(), "is not a regular file");
    done("new", &file);
    set_mode(&file, 0o640);
    refused("rotate", &file, "mode 0640");
    set_mode(&file, 0o600);
    let unfinished = scratch.path().join("ticket.keys.unfinished");
    fs::write(&unfinished, "").expect("a file");
    refused("rotate", &file, "ticket.keys.unfinished was left");
    fs::remove_file(&unfinished).expect("it is there");
    let good = fs::read_to_string(&file).expect("a file of keys");
    fs::write(&file, good.replace("current", "actual")).expect("a file");
    refused("rotate", &file, "line 1 is not `current`");
    assert_eq!(names(scratch.path()), ["ticket.keys"]);
    fs::write(&file, good).expect("a file");
    done("rotate", &file);
}

/// A gate whose keys are from the file `ticket.keys`.
fn sharing() -> Configuration {
    Configuration::default().and("[resumption]\nkey_file = \"ticket.keys\"")
}

#[test]
fn a_file_that_cannot_be_used_is_a_mistake() {
    let site = Site::new();
    let file = site.path("ticket.keys");
    let refused = |words: &str| {
        for way in [&["check"][..], &["run"]] {
            let output = Gate::output(PORTCULLIS, way, &site, &sharing().to_toml());
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(
                said.contains(": resumption.key_file: \"ticket.keys\"") && said.contains(words),
                "{said}"
            );
        }
    };
    refused("cannot be read");
    done("new", &file);
    set_mode(&file, 0o644);
    refused("mode 0644");
    fs::remove_file(&file).expect("it is there");
    let pipe = Command::new("mkfifo").args(["-m", "600"]).arg(&file).status();
    assert!(pipe.is_ok_and(|status| status.success()));
    refused("is not a regular file");
    fs::remove_file(&file).expect("it is there");
    done("new", &file);
    let output = Gate::output(PORTCULLIS, &["check"], &site, &sharing().to_toml());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains(&format!("from {}", file.display())), "{output:?}");
    assert!(key(&file, "current").is_some_and(|current| !said.contains(&current)), "{said}");
}

#[test]
fn a_file_that_was_rotated_serves_after_a_reload_and_a_bad_one_never() {
    let site = Site::new();
    let file = site.path("ticket.keys");
    done("new", &file);
    let gate = Gate::start(PORTCULLIS, &site, &sharing());
    let rotations = || gate.metrics().sum(ROTATIONS, &[]);
    let reload_succeeds = || {
        gate.reload();
        gate.metrics().sum("portcullis_config_last_reload_success", &[]) > 0.0
    };
    let mut told = vec![fs::read_to_string(&file).expect("a file of keys")];
    assert!(gate.metrics().has(AGE, &[]));
    assert!(reload_succeeds());
    assert_eq!(rotations(), 0.0, "the keys are the same");
    done("rotate", &file);
    told.push(fs::read_to_string(&file).expect("a file of keys"));
    assert_eq!(rotations(), 0.0, "nobody has told the gate");
    assert!(reload_succeeds());
    assert_eq!(rotations(), 1.0);
    done("rotate", &file);
    told.push(fs::read_to_string(&file).expect("a file of keys"));
    set_mode(&file, 0o660);
    assert!(!reload_succeeds());
    fs::write(&file, told[2].replace(" ", "")).expect("a file");
    set_mode(&file, 0o600);
    assert!(!reload_succeeds());
    assert_eq!(rotations(), 1.0, "those before serve on");
    fs::write(&file, &told[2]).expect("a file");
    assert!(reload_succeeds());
    assert_eq!(rotations(), 2.0);
    let log = gate.log().text();
    assert!(log.contains("ticket keys rotated") && log.contains("mode 0660"), "{log}");
    assert!(told.iter().flat_map(|text| digits(text)).all(|key| !log.contains(key)));
}

#[test]
fn random_keys_move_up_by_time_and_not_by_a_reload() {
    let site = Site::new();
    let still = Gate::start(PORTCULLIS, &site, &Configuration::default());
    still.reload();
    assert_eq!(still.metrics().sum(ROTATIONS, &[]), 0.0);
    let quick = Configuration::default().and("[resumption]\nmax_age = \"1s\"\nrotate_interval = \"1s\"");
    still.rewrite(&quick.to_toml());
    still.reload();
    eventually("two rotations", || still.metrics().sum(ROTATIONS, &[]) >= 2.0);
}
