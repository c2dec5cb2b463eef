//! A thread that looks at something again and again while a load runs.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

/// The thread, which ends when it is told to, or when this is dropped.
#[derive(Debug)]
pub(crate) struct Watch<T> {
    until: Sender<()>,
    thread: JoinHandle<T>,
}

/// Whether a watch is to go on, for its thread.
#[derive(Debug)]
pub(crate) struct Watching(Receiver<()>);

impl<T: Send + 'static> Watch<T> {
    /// Starts the thread, under that name.
    pub(crate) fn start(name: &str, look: impl FnOnce(Watching) -> T + Send + 'static) -> Result<Self> {
        let (until, ended) = channel();
        let thread = std::thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(|| look(Watching(ended))).context("a thread")?;
        Ok(Self { until, thread })
    }

    /// Ends it, and returns what it saw.
    pub(crate) fn end(self) -> Result<T> {
        drop(self.until);
        let name = self.thread.thread().name().unwrap_or_default().to_owned();
        self.thread.join().map_err(|_panic| anyhow!("the thread {name} panicked"))
    }
}

impl Watching {
    /// Waits for so long, or until the watch ends. Returns whether it goes on.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        self.0.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_looks_until_it_is_ended_and_says_what_it_saw() {
        let (looked, looks) = channel();
        let watch = Watch::start("test", move |watching| {
            let mut seen = 0;
            while watching.wait(Duration::from_millis(1)) {
                seen += 1;
                looked.send(seen).unwrap();
            }
            seen
        });
        let watch = watch.unwrap();
        assert_eq!(looks.iter().take(3).last(), Some(3));
        assert!(watch.end().unwrap() >= 3);
    }

    #[test]
    fn a_thread_that_panicked_is_named() {
        let watch = Watch::start("broken", |_| panic!("on purpose")).unwrap();
        assert_eq!(watch.end().unwrap_err().to_string(), "the thread broken panicked");
    }
}
