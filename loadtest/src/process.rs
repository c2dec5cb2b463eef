//! Processes as `/proc` shows them (proc(5)).

use std::collections::BTreeMap;
use std::ops::{AddAssign, Sub};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Why `/proc` could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    /// There is no such process, or it went while it was looked at.
    #[error("process {0} is not there")]
    Gone(u32),
    /// A file could not be read.
    #[error("{0}")]
    Read(PathBuf, #[source] io::Error),
    /// A file does not have the form that proc(5) says.
    #[error("{0}: not the form that is known")]
    Form(PathBuf),
}

/// The fields of `/proc/PID/stat` that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessStat {
    /// The process that made this one, or adopted it.
    pub(crate) parent: u32,
    /// User and system time of all threads, those that ended among them, in ticks.
    pub(crate) cpu_ticks: u64,
    /// Start time in ticks since boot, by which a process is told from a later one of the same number.
    pub(crate) start_ticks: u64,
}

/// Reads `/proc/PID/stat`.
pub(crate) fn stat(pid: u32) -> Result<ProcessStat, ProcessError> {
    let path = PathBuf::from(format!("/proc/{pid}/stat"));
    parse_stat(&read(pid, &path)?).ok_or(ProcessError::Form(path))
}

/// Run time in nanoseconds of each living thread, by thread number. Absent where the kernel does not keep it.
pub(crate) fn task_run_ns(pid: u32) -> Result<Option<BTreeMap<u32, u64>>, ProcessError> {
    let mut tasks = BTreeMap::new();
    for tid in numbers(Path::new(&format!("/proc/{pid}/task"))).map_err(|_| ProcessError::Gone(pid))? {
        match fs::read_to_string(format!("/proc/{pid}/task/{tid}/schedstat")) {
            Ok(text) => {
                let run_ns = text.split_ascii_whitespace().next().and_then(|field| field.parse().ok());
                let Some(run_ns) = run_ns else { return Ok(None) };
                tasks.insert(tid, run_ns);
            }
            // Either the thread ended between the two looks, or no thread has the file.
            Err(_) if Path::new(&format!("/proc/{pid}/task/{tid}")).exists() => return Ok(None),
            Err(_) => {}
        }
    }
    Ok(Some(tasks))
}

/// Times that a thread gave its core up, or had to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Switches {
    /// It waited for something.
    pub(crate) voluntary: u64,
    /// Its time was over, or another was more urgent.
    pub(crate) involuntary: u64,
}

impl AddAssign for Switches {
    fn add_assign(&mut self, other: Self) {
        self.voluntary += other.voluntary;
        self.involuntary += other.involuntary;
    }
}

impl Sub for Switches {
    type Output = Self;

    /// Since an earlier reading. A thread of the same number that began since has fewer, and then it is none.
    fn sub(self, earlier: Self) -> Self {
        Self {
            voluntary: self.voluntary.saturating_sub(earlier.voluntary),
            involuntary: self.involuntary.saturating_sub(earlier.involuntary),
        }
    }
}

/// Context switches of each living thread of the processes named and all their descendants, by thread number.
pub(crate) fn family_switches(roots: &[u32]) -> Result<BTreeMap<u32, Switches>, ProcessError> {
    let mut switches = BTreeMap::new();
    for pid in family(roots)? {
        // A thread that ended between the two looks took its count with it.
        for tid in numbers(Path::new(&format!("/proc/{pid}/task"))).unwrap_or_default() {
            let Ok(text) = fs::read_to_string(format!("/proc/{pid}/task/{tid}/status")) else { continue };
            switches.extend(parse_switches(&text).map(|read| (tid, read)));
        }
    }
    Ok(switches)
}

/// Proportional set size in bytes: pages of its own, and its share of those it shares.
fn pss_bytes(pid: u32) -> Result<u64, ProcessError> {
    let path = PathBuf::from(format!("/proc/{pid}/smaps_rollup"));
    parse_pss(&read(pid, &path)?).ok_or(ProcessError::Form(path))
}

/// Proportional set size in bytes of the processes named and all their descendants. Memory of the kernel (socket buffers,
/// rings) is not in it.
pub(crate) fn family_pss_bytes(roots: &[u32]) -> Result<u64, ProcessError> {
    let bytes = |pid: u32| match pss_bytes(pid) {
        // A descendant that ended between the two looks holds nothing any more.
        Err(ProcessError::Gone(_)) if !roots.contains(&pid) => Ok(0),
        other => other,
    };
    family(roots)?.into_iter().map(bytes).sum()
}

/// The processes named and all their descendants, without this program, each once.
pub(crate) fn family(roots: &[u32]) -> Result<Vec<u32>, ProcessError> {
    let pids = numbers(Path::new("/proc")).map_err(|error| ProcessError::Read("/proc".into(), error))?;
    // A process that goes while the list is read is no longer anyone's descendant.
    let parents: BTreeMap<u32, u32> =
        pids.into_iter().filter_map(|pid| Some((pid, stat(pid).ok()?.parent))).collect();
    if let Some(gone) = roots.iter().find(|root| !parents.contains_key(root)) {
        return Err(ProcessError::Gone(*gone));
    }
    let this = std::process::id();
    Ok(parents.keys().copied().filter(|pid| *pid != this && descends(*pid, roots, &parents)).collect())
}

fn descends(pid: u32, roots: &[u32], parents: &BTreeMap<u32, u32>) -> bool {
    let mut ancestor = Some(pid);
    // Bounded by the number of processes: the table was not read at one instant, so it could hold a circle.
    for _ in 0..=parents.len() {
        match ancestor {
            Some(pid) if roots.contains(&pid) => return true,
            Some(pid) => ancestor = parents.get(&pid).copied(),
            None => return false,
        }
    }
    false
}

fn read(pid: u32, path: &Path) -> Result<String, ProcessError> {
    // A command name may hold any bytes.
    let bytes = fs::read(path).map_err(|error| match error.raw_os_error() {
        Some(nix::libc::ENOENT | nix::libc::ESRCH) => ProcessError::Gone(pid),
        _ => ProcessError::Read(path.to_owned(), error),
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn numbers(directory: &Path) -> io::Result<Vec<u32>> {
    let entries = fs::read_dir(directory)?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

/// The command name, in parentheses, may hold spaces and parentheses; the fields are counted from its end.
fn parse_stat(text: &str) -> Option<ProcessStat> {
    let (_, after_name) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
    // Numbered as proc(5) does, where the field after the name is the third.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(ProcessStat {
        parent: u32::try_from(field(4)?).ok()?,
        cpu_ticks: field(14)? + field(15)?,
        start_ticks: field(22)?,
    })
}

fn parse_switches(text: &str) -> Option<Switches> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    Some(Switches {
        voluntary: field("voluntary_ctxt_switches:")?,
        involuntary: field("nonvoluntary_ctxt_switches:")?,
    })
}

fn parse_pss(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let text = "7 (a) R 1 (b)) S 3 7 7 0 -1 4194304 1 2 3 4 50 60 9 9 20 0 1 0 7000 1 1";
        let expected = ProcessStat { parent: 3, cpu_ticks: 110, start_ticks: 7000 };
        assert_eq!(parse_stat(text), Some(expected));
        assert_eq!(parse_stat("7 (a) S 3"), None);
    }

    #[test]
    fn switches_are_read_by_their_kind() {
        let text = "Name:\tx\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(parse_switches(text), Some(Switches { voluntary: 12, involuntary: 3 }));
        assert_eq!(parse_switches("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let pid = std::process::id();
        let stat = stat(pid).unwrap();
        assert!(stat.parent > 0 && stat.start_ticks > 0);
        assert!(pss_bytes(pid).unwrap() > 100 * 1024);
        assert!(task_run_ns(pid).unwrap().unwrap().contains_key(&pid));
    }

    #[test]
    fn run_time_grows_with_work() {
        // Of this thread alone: those of other tests end in between.
        let task = u32::try_from(nix::unistd::gettid().as_raw()).unwrap();
        let run_ns = || task_run_ns(std::process::id()).unwrap().unwrap()[&task];
        let before = run_ns();
        let start = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
        loop {
            let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
            if std::time::Duration::from(now) - std::time::Duration::from(start)
                > std::time::Duration::from_millis(50)
            {
                break;
            }
        }
        assert!(run_ns() - before > 20_000_000);
    }

    #[test]
    fn a_family_holds_children_and_not_this_program() {
        let mut child = Command::new("sleep").arg("30").spawn().unwrap();
        let family = family(&[std::process::id()]).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(family.contains(&child.id()));
        assert!(!family.contains(&std::process::id()));
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(matches!(family(&[child.id()]), Err(ProcessError::Gone(_))));
        assert!(matches!(pss_bytes(child.id()), Err(ProcessError::Gone(_))));
    }
}
