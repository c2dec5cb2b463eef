//! What a process writes to standard error, line by line as it comes.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::DEADLINE;

/// The lines so far, collected by a thread that ends with the process.
#[derive(Clone, Debug)]
pub struct Log(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    pub(crate) fn of(source: impl Read + Send + 'static) -> Self {
        let log = Self(Arc::default());
        let shared = Arc::clone(&log.0);
        thread::spawn(move || {
            for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
                shared.lock().lines.push(String::from_utf8_lossy(&line).into_owned());
                shared.grown.notify_all();
            }
            shared.lock().ended = true;
            shared.grown.notify_all();
        });
        log
    }

    /// Everything so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.lock().lines.join("\n")
    }

    /// Waits for the first record of which `holds`; `None` when the process ended without it.
    ///
    /// # Panics
    ///
    /// After [`DEADLINE`], with what was written.
    #[must_use]
    pub fn wait_for(&self, holds: impl Fn(&Record) -> bool) -> Option<Record> {
        let begin = Instant::now();
        let mut state = self.0.lock();
        let mut seen = 0;
        loop {
            let found = state.lines[seen..].iter().map(|line| Record::read(line)).find(&holds);
            if found.is_some() || state.ended {
                return found;
            }
            seen = state.lines.len();
            let left = DEADLINE.checked_sub(begin.elapsed());
            let left = left
                .unwrap_or_else(|| panic!("not within {DEADLINE:?}; so far:\n{}", state.lines.join("\n")));
            state = self.0.grown.wait_timeout(state, left).expect("the reader does not panic").0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the reader does not panic")
    }
}

/// One line: its text, and its fields where it is JSON.
#[derive(Clone, Debug)]
pub struct Record {
    /// The line as it was written.
    pub line: String,
    value: Value,
}

impl Record {
    fn read(line: &str) -> Self {
        Self { line: line.to_owned(), value: serde_json::from_str(line).unwrap_or_default() }
    }

    /// A field of text, whether it stands at the top of the record or under `fields`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.value.get(name).or_else(|| self.value.get("fields")?.get(name))?.as_str()
    }
}
