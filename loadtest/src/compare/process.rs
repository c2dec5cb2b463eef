//! A child process that does not outlive its owner.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::interrupt::Interrupt;

/// Time between SIGTERM and SIGKILL. Servers here have only connections of this program left to end.
const TERM_TIMEOUT: Duration = Duration::from_secs(3);
/// Lines of a log that an error shows.
const LOG_LINES: usize = 12;

/// How a child is run.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// What it is called in errors, and its files are.
    pub(crate) name: &'a str,
    /// The program.
    pub(crate) program: &'a Path,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// Variables of its environment besides those of this program.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// The cores that it may run on; all that this program may use if there are none.
    pub(crate) cpus: &'a [usize],
    /// Where its output goes.
    pub(crate) directory: &'a Path,
}

/// A running child with everything that it started. Dropped, they end.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
    output: PathBuf,
    errors: PathBuf,
}

impl Process {
    /// Starts a child in a process group of its own, so that a signal of the terminal reaches this program alone and one of
    /// this program reaches all that the child started.
    pub(crate) fn start(launch: &Launch<'_>) -> Result<Self> {
        let output = launch.directory.join(format!("{}.out", launch.name));
        let errors = launch.directory.join(format!("{}.err", launch.name));
        let file = |path: &Path| File::create(path).with_context(|| path.display().to_string());
        // If this program is killed outright, the kernel ends the child in its place. setpriv and taskset become the program
        // that they are given, under the same process number.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]);
        if !launch.cpus.is_empty() {
            command.args(["taskset", "-c", &list(launch.cpus)]);
        }
        command.arg(launch.program).args(&launch.arguments);
        command.envs(launch.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(file(&output)?).stderr(file(&errors)?);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().context("setpriv, of the package util-linux")?;
        Ok(Self { child, name: launch.name.to_owned(), output, errors })
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the child itself.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill(pid(self.child.id()), signal).with_context(|| format!("{}: {signal}", self.name))
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| self.name.clone())
    }

    /// Waits for its end, at most `limit`.
    pub(crate) fn finish(&mut self, limit: Duration, interrupt: &Interrupt) -> Result<ExitStatus> {
        let mut status = None;
        interrupt.wait_until(limit, || {
            status = self.ended()?;
            Ok(status.is_some())
        })?;
        match status {
            Some(status) => Ok(status),
            None => bail!("{} has not ended in {} s", self.name, limit.as_secs()),
        }
    }

    /// What it wrote on standard output.
    pub(crate) fn output(&self) -> Result<String> {
        fs::read_to_string(&self.output).with_context(|| self.output.display().to_string())
    }

    /// The last lines that it wrote, on standard error or else on standard output.
    pub(crate) fn last_words(&self) -> String {
        let read = |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let mut text = read(&self.errors).unwrap_or_default();
        if text.trim().is_empty() {
            text = read(&self.output).unwrap_or_default();
        }
        let lines: Vec<&str> = text.trim().lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Ends the child and what it started: politely first, then not.
    fn stop(&mut self) {
        let group = pid(self.child.id());
        let end = Instant::now() + TERM_TIMEOUT;
        // A group that is gone already is what was wanted.
        let _gone = killpg(group, Signal::SIGTERM);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _gone = killpg(group, Signal::SIGKILL);
        let _reaped = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a program to its end and returns both its outputs as one text, whatever its status.
pub(crate) fn ask(launch: &Launch<'_>, limit: Duration, interrupt: &Interrupt) -> Result<String> {
    let mut process = Process::start(launch)?;
    process.finish(limit, interrupt)?;
    let errors = fs::read_to_string(&process.errors).with_context(|| launch.name.to_owned())?;
    Ok(process.output()? + &errors)
}

/// Cores as taskset takes them.
pub(crate) fn list(cpus: &[usize]) -> String {
    cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn pid(number: u32) -> Pid {
    // Linux keeps process numbers below 2^22.
    Pid::from_raw(i32::try_from(number).expect("a process number is below 2^22"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell<'a>(name: &'a str, script: &str, directory: &'a Path) -> Launch<'a> {
        Launch {
            name,
            program: Path::new("sh"),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            environment: vec![("STORY", "told".to_owned())],
            cpus: &[],
            directory,
        }
    }

    fn directory(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("loadtest-process-{}-{name}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    #[test]
    fn grandchildren_end_with_the_child_even_if_they_do_not_listen() {
        let directory = directory("group");
        let interrupt = Interrupt::listen().unwrap();
        let script = "sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' & wait";
        let process = Process::start(&shell("family", script, &directory)).unwrap();
        let mut text = String::new();
        interrupt
            .wait_until(Duration::from_secs(10), || {
                text = process.output()?;
                Ok(text.ends_with('\n'))
            })
            .unwrap();
        let grandchild = PathBuf::from(format!("/proc/{}", text.trim()));
        assert!(grandchild.exists());
        drop(process);
        // It is reaped by whoever adopted it, which may take a moment.
        let status = || fs::read_to_string(grandchild.join("status")).unwrap_or_default();
        let gone = || Ok(!grandchild.exists() || status().contains("State:\tZ"));
        assert!(interrupt.wait_until(Duration::from_secs(10), gone).unwrap());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_child_that_does_not_end_is_an_error() {
        let directory = directory("endless");
        let interrupt = Interrupt::listen().unwrap();
        let told = ask(
            &shell("story", "echo $STORY; echo twice >&2", &directory),
            Duration::from_secs(10),
            &interrupt,
        );
        assert_eq!(told.unwrap(), "told\ntwice\n");
        let mut process = Process::start(&shell("endless", "sleep 600", &directory)).unwrap();
        let error = process.finish(Duration::from_millis(20), &interrupt).unwrap_err();
        assert!(error.to_string().contains("endless has not ended"), "{error}");
        fs::remove_dir_all(directory).unwrap();
    }
}
