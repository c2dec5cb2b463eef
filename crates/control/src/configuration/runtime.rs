//! `[runtime]`.

use std::{num::NonZeroUsize, path::Path, time::Duration};

use portcullis_gateway::plan::{IoChoice, RuntimePlan, SpoolPlan};

use super::{
    entry::Entry,
    fixed::Fixed,
    mistake::{Located, Place, shown},
    quantity::{show_duration, show_size},
    section::Section,
};

pub(crate) const KEYS: &[&str] = &["shards", "cpus", "io", "drain_timeout", "spool_dir", "spool_max"];

/// More threads than any machine has cores.
const SHARDS_MOST: usize = 1024;
/// The kernel's affinity mask, as glibc knows it, has this many cores (`CPU_SETSIZE`).
const CPUS_MOST: u64 = 1024;
/// Enough for a request in flight to end, and within the patience of a service manager (systemd waits 90 s).
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
const DRAIN_TIMEOUT_MOST: Duration = Duration::from_secs(60 * 60);

/// A hundred bodies of the longest that sealed requests may have by default, with room to spare.
const SPOOL_MAX: u64 = 16 << 30;
const SPOOL_MAX_LEAST: u64 = 1 << 20;
const SPOOL_MAX_MOST: u64 = 1 << 40;

/// Reads the table; `None` stands for one that is not written. Also returns what must stay as it is.
pub(crate) fn read(section: Option<&Section<'_>>) -> (RuntimePlan, Vec<Fixed>) {
    let shards = section.map_or(Entry::Absent, read_shards);
    let cpus = section.map_or(Entry::Absent, read_cpus);
    let io = section.map_or(Entry::Absent, read_io);
    let range = Duration::ZERO..=DRAIN_TIMEOUT_MOST;
    let drain = section.map_or(Entry::Absent, |section| section.duration("drain_timeout", range));
    let io_names = [(IoChoice::Auto, "auto"), (IoChoice::IoUring, "io_uring"), (IoChoice::Epoll, "epoll")];
    let io_name =
        |io: &IoChoice| io_names.iter().find(|(choice, _)| choice == io).map_or("", |(_, name)| name);
    let mut fixed = vec![
        Fixed::of(
            "runtime.shards",
            &shards,
            |shards| shards.map_or("auto".to_owned(), |n| n.to_string()),
            "auto",
        ),
        Fixed::of("runtime.cpus", &cpus, |cpus| format!("{cpus:?}"), "not set"),
        Fixed::of("runtime.io", &io, |io| io_name(io).to_owned(), "auto"),
        Fixed::of("runtime.drain_timeout", &drain, |d| show_duration(*d), &show_duration(DRAIN_TIMEOUT)),
    ];
    if let (Some(section), Some(shards), Some(cpus)) = (section, shards.as_written(), cpus.as_written()) {
        warn_of_shared_cores(section, shards, &cpus.value);
    }
    let (shards, cpus) = layout(shards.or(None), cpus.written().map(|cpus| cpus.value));
    let (spool, spool_fixed) = read_spool(section);
    fixed.extend(spool_fixed);
    let (io, drain_timeout) = (io.or(IoChoice::Auto), drain.or(DRAIN_TIMEOUT));
    (RuntimePlan { shards, cpus, io, drain_timeout, spool }, fixed)
}

/// Where bodies wait that are too long for memory.
fn read_spool(section: Option<&Section<'_>>) -> (SpoolPlan, [Fixed; 2]) {
    let directory = section.map_or(Entry::Absent, |section| section.text("spool_dir"));
    if let (Some(section), Some(directory)) = (section, directory.as_written())
        && !Path::new(&directory.value).is_dir()
    {
        section.report().mistake(&directory.place, format!("{} is no directory", shown(&directory.value)));
    }
    let range = SPOOL_MAX_LEAST..=SPOOL_MAX_MOST;
    let bytes_max = section.map_or(Entry::Absent, |section| section.size("spool_max", range));
    let system = std::env::temp_dir();
    let fixed = [
        Fixed::of("runtime.spool_dir", &directory, Clone::clone, &system.display().to_string()),
        Fixed::of("runtime.spool_max", &bytes_max, |bytes| show_size(*bytes), &show_size(SPOOL_MAX)),
    ];
    let directory = directory.written().map_or(system, |written| written.value.into());
    (SpoolPlan { directory, bytes_max: bytes_max.or(SPOOL_MAX) }, fixed)
}

fn read_io(section: &Section<'_>) -> Entry<IoChoice> {
    section.choice(
        "io",
        &[("auto", IoChoice::Auto), ("io_uring", IoChoice::IoUring), ("epoll", IoChoice::Epoll)],
    )
}

fn read_shards(section: &Section<'_>) -> Entry<Option<NonZeroUsize>> {
    if section.is_text("shards") {
        return section.choice("shards", &[("auto", None)]);
    }
    section
        .count("shards", 1..=SHARDS_MOST as u64)
        .map(|n| NonZeroUsize::new(usize::try_from(n).unwrap_or(1)))
}

fn read_cpus(section: &Section<'_>) -> Entry<Vec<usize>> {
    let Entry::Written(Located { value, place }) = section.counts("cpus") else {
        return if section.has("cpus") { Entry::Mistaken } else { Entry::Absent };
    };
    let mut cpus = Vec::new();
    for cpu in value {
        match usize::try_from(cpu.value) {
            Ok(number) if cpu.value < CPUS_MOST && !cpus.contains(&number) => cpus.push(number),
            Ok(number) if cpus.contains(&number) => {
                section.report().mistake(&cpu.place, format!("core {number} stands there twice"));
            }
            _ => section.report().mistake(&cpu.place, format!("a core's number is below {CPUS_MOST}")),
        }
    }
    Entry::Written(Located { value: cpus, place })
}

fn warn_of_shared_cores(section: &Section<'_>, shards: &Located<Option<NonZeroUsize>>, cpus: &[usize]) {
    let Some(count) = shards.value.filter(|count| count.get() > cpus.len() && !cpus.is_empty()) else {
        return;
    };
    let message = format!("{count} shards share {} cores", cpus.len());
    section.report().warning(&shards.place, message);
}

/// How many shards, and on which cores.
///
/// Cores that are named are used as they are. With neither cores nor a number, there is a pinned shard for each core that
/// this process may use, unless a quota gives it less time than the cores have: then which core is idle is the
/// scheduler's to say. A number alone pins nothing, since two gates on a machine would pin to the same cores.
fn layout(shards: Option<NonZeroUsize>, cpus: Option<Vec<usize>>) -> (NonZeroUsize, Vec<usize>) {
    let available = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    match (shards, cpus) {
        (Some(shards), cpus) => (shards, cpus.unwrap_or_default()),
        (None, Some(cpus)) => (NonZeroUsize::new(cpus.len()).unwrap_or(available), cpus),
        (None, None) => match allowed_cores() {
            cores if cores.len() == available.get() => (available, cores),
            _ => (available, Vec::new()),
        },
    }
}

fn allowed_cores() -> Vec<usize> {
    let Ok(set) = rustix::thread::sched_getaffinity(None) else { return Vec::new() };
    (0..rustix::thread::CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

impl Fixed {
    /// What is written, or the default.
    fn of<T>(key: &str, entry: &Entry<T>, show: impl FnOnce(&T) -> String, default: &str) -> Self {
        match entry.as_written() {
            Some(written) => Self::new(key, written.place.clone(), show(&written.value)),
            None => Self::new(key, Place { line: 0, key: key.to_owned() }, default.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_that_are_named_are_used_and_a_number_alone_pins_nothing() {
        let two = NonZeroUsize::new(2);
        assert_eq!(layout(two, None), (two.unwrap(), vec![]));
        assert_eq!(layout(None, Some(vec![3, 1])), (two.unwrap(), vec![3, 1]));
        assert_eq!(layout(two, Some(vec![0])), (two.unwrap(), vec![0]));
        let (shards, cores) = layout(None, None);
        assert!(cores.is_empty() || cores.len() == shards.get());
    }
}
