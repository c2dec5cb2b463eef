//! The thread that makes the load: its core, its descriptors, its runtime.

use std::fmt;
use std::future::Future;

use anyhow::{Context, Result, bail};
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::arguments::Io;

/// Entries of the ring. One operation is in flight for each connection; what exceeds the ring is queued by monoio.
const RING_ENTRIES: u32 = 4096;

/// The kernel interface in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    /// `io_uring`, completion
    IoUring,
    /// epoll, readiness
    Epoll,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IoUring => "io_uring",
            Self::Epoll => "epoll",
        })
    }
}

/// Pins this thread, and those that it starts, to cores; to none in particular where none is named.
pub(crate) fn pin(cores: &[usize]) -> Result<()> {
    if cores.is_empty() {
        return Ok(());
    }
    monoio::utils::bind_to_cpu_set(cores.iter().copied()).with_context(|| format!("cores {cores:?}"))
}

/// Raises the limit of open descriptors to what the system allows this process, and says how many that are.
pub(crate) fn raise_descriptor_limit() -> Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("limit of open files")?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("limit of open files")?;
    Ok(hard)
}

/// Runs `work` to its end on this thread, on the interface asked for.
pub(crate) fn run<F, T>(io: Io, work: impl FnOnce(Driver) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    if io != Io::Epoll {
        // Without COOP_TASKRUN a completion interrupts this thread wherever it is, which costs half as much CPU time again
        // for each request. COOP_TASKRUN came with kernel 5.19; an older one refuses the ring.
        let mut ring = io_uring::IoUring::builder();
        ring.setup_coop_taskrun();
        let runtime = RuntimeBuilder::<IoUringDriver>::new()
            .with_entries(RING_ENTRIES)
            .uring_builder(ring)
            .enable_timer()
            .build();
        match runtime {
            Ok(mut runtime) if monoio::utils::detect_uring() => {
                return runtime.block_on(work(Driver::IoUring));
            }
            Ok(_) if io == Io::Uring => bail!("io_uring: the kernel lacks operations that are needed"),
            Err(error) if io == Io::Uring => return Err(error).context("io_uring"),
            Ok(_) | Err(_) => {}
        }
    }
    let mut runtime = RuntimeBuilder::<LegacyDriver>::new().enable_timer().build().context("epoll")?;
    runtime.block_on(work(Driver::Epoll))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoll_is_what_was_asked_for() {
        assert_eq!(run(Io::Epoll, |driver| async move { Ok(driver) }).unwrap(), Driver::Epoll);
    }

    #[test]
    fn auto_finds_a_driver() {
        run(Io::Auto, |driver| async move { Ok(driver) }).unwrap();
    }
}
