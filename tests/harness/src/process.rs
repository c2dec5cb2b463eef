//! A process as `/proc` shows it.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Allows this process, and those it starts, to open `count` descriptors. Most systems begin with 1,024.
///
/// # Panics
///
/// When the system does not grant as many.
pub fn allow_descriptors(count: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < count) {
        let wanted = Rlimit { current: Some(count), maximum };
        setrlimit(Resource::Nofile, wanted).expect("the system grants the descriptors");
    }
}

/// A look at a process from outside.
#[derive(Clone, Copy, Debug)]
pub struct ProcessView {
    pid: u32,
}

impl ProcessView {
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What each open descriptor leads to: `socket:[123]`, `anon_inode:[io_uring]`.
    ///
    /// # Panics
    ///
    /// When the process is gone.
    #[must_use]
    pub fn descriptors(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("fd")).expect("the process is there");
        let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        targets.map(|target| target.to_string_lossy().into_owned()).collect()
    }

    /// How many descriptors are open.
    #[must_use]
    pub fn descriptor_count(&self) -> usize {
        self.descriptors().len()
    }

    /// Memory that is in no file, in kibibytes: what the process took for itself. Pages of its program are left out, of which
    /// a process has the less the more others run the same.
    ///
    /// # Panics
    ///
    /// When the process is gone.
    #[must_use]
    pub fn anonymous_kib(&self) -> u64 {
        let text = self.read("smaps_rollup");
        let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:"));
        let line = line.expect("the kernel tells the anonymous part");
        line.trim_end_matches("kB").trim().parse().expect("a number of kB")
    }

    /// Resident set size, in kibibytes.
    ///
    /// # Panics
    ///
    /// When the process is gone.
    #[must_use]
    pub fn rss_kib(&self) -> u64 {
        self.status_kib("VmRSS:")
    }

    /// The most that it was so far.
    ///
    /// # Panics
    ///
    /// When the process is gone.
    #[must_use]
    pub fn peak_rss_kib(&self) -> u64 {
        self.status_kib("VmHWM:")
    }

    fn status_kib(&self, name: &str) -> u64 {
        let text = self.read("status");
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells it");
        line.trim_end_matches("kB").trim().parse().expect("a number of kB")
    }

    /// Processor time used so far by all threads, in clock ticks (1/100 s on Linux).
    ///
    /// # Panics
    ///
    /// When the process is gone.
    #[must_use]
    pub fn cpu_ticks(&self) -> u64 {
        let text = self.read("stat");
        // The name of the program stands in parentheses and may hold anything; utime and stime are fields 14 and 15.
        let (_, rest) = text.rsplit_once(')').expect("the name stands in parentheses");
        let fields: Vec<&str> = rest.split_whitespace().collect();
        fields[11..13].iter().map(|field| field.parse::<u64>().expect("a number of ticks")).sum()
    }

    /// The number of the thread of this name.
    #[must_use]
    pub fn thread(&self, name: &str) -> Option<u32> {
        let tasks = fs::read_dir(self.path("task")).ok()?.filter_map(Result::ok);
        let named = |path: PathBuf| {
            fs::read_to_string(path.join("comm")).is_ok_and(|own| own.trim_end() == name).then_some(path)
        };
        let path = tasks.map(|task| task.path()).find_map(named)?;
        path.file_name()?.to_str()?.parse().ok()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("the process is there")
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.pid))
    }
}
