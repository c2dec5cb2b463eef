//! The log on standard error.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, registry, util::SubscriberInitExt};

use crate::ControlError;

/// Lines that may wait for a standard error that takes none. At some 300 bytes each this is 2.5 MB; what comes then is
/// dropped and counted, and no shard waits.
const LINES_WAITING_MAX: usize = 8192;

/// The log of the process. Dropped, it writes what is left.
#[derive(Debug)]
pub(crate) struct Log {
    dropped: ErrorCounter,
    _writer: WorkerGuard,
}

impl Log {
    /// Starts the log: JSON lines with flat fields, or text where a person reads along.
    ///
    /// # Errors
    /// [`ControlError::Log`] if the process has one.
    pub(crate) fn start(level: LevelFilter) -> Result<Self, ControlError> {
        let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_WAITING_MAX);
        let (writer, guard) = builder.thread_name("log").finish(io::stderr());
        let dropped = writer.error_counter();
        // Libraries speak up from warnings on: their own progress is of no use to an operator.
        let filter =
            Targets::new().with_target("portcullis", level).with_default(level.min(LevelFilter::WARN));
        let started = registry().with(lines(writer).with_filter(filter)).try_init();
        started.map_err(ControlError::Log)?;
        Ok(Self { dropped, _writer: guard })
    }

    /// Lines lost since the start.
    pub(crate) fn lines_dropped(&self) -> usize {
        self.dropped.dropped_lines()
    }
}

fn lines<S>(writer: NonBlocking) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'s> registry::LookupSpan<'s>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    match io::stderr().is_terminal() {
        true => layer.with_target(false).boxed(),
        false => layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    }
}
