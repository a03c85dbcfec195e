//! The log of the process itself: events of the engine, to standard error.

use std::io;
use std::sync::OnceLock;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// Shape of a line of the process's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Changes what is logged while the process runs.
#[derive(Debug, Clone)]
pub struct LogHandle {
    filter: reload::Handle<EnvFilter, Registry>,
}

/// Starts logging to standard error, at what `directives` ask for (`info,tidegate_proxy::tls=debug`).
///
/// A process has one log: later calls answer with the handle of the first and change nothing.
/// Where the program already had a log of its own (another `tracing` subscriber), that one stays.
///
/// # Errors
/// Which directive is malformed.
pub fn init(format: Format, directives: &str) -> Result<LogHandle, String> {
    static HANDLE: OnceLock<LogHandle> = OnceLock::new();
    let filter = parse(directives)?;
    Ok(HANDLE
        .get_or_init(|| {
            let (filter, handle) = reload::Layer::new(filter);
            let lines = fmt::layer().with_writer(io::stderr);
            let lines = match format {
                Format::Text => lines.boxed(),
                Format::Json => lines.json().flatten_event(true).boxed(),
            };
            // Fails only if the program already has a log; see above.
            let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
            LogHandle { filter: handle }
        })
        .clone())
}

impl LogHandle {
    /// Logs what `directives` ask for from now on.
    ///
    /// # Errors
    /// Which of them is malformed.
    pub fn set(&self, directives: &str) -> Result<(), String> {
        self.filter.reload(parse(directives)?).map_err(|error| error.to_string())
    }
}

fn parse(directives: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(directives)
        .map_err(|error| format!("`{directives}` is not a log filter: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_begun_once_and_its_filter_changes_while_it_runs() {
        let first = init(Format::Text, "warn").unwrap();
        let filter = |handle: &LogHandle| handle.filter.with_current(ToString::to_string).unwrap();
        let before = filter(&first);
        let second = init(Format::Json, "trace").unwrap();
        assert_eq!(filter(&second), before);
        second.set("info,tidegate_proxy::tls=debug").unwrap();
        assert!(filter(&first).contains("tidegate_proxy::tls=debug"));
    }

    #[test]
    fn a_malformed_directive_is_named_and_changes_nothing() {
        let handle = init(Format::Text, "warn").unwrap();
        assert!(init(Format::Text, "a=b=c").is_err());
        let error = handle.set("tidegate_proxy=loud").unwrap_err();
        assert!(error.contains("tidegate_proxy=loud"), "{error}");
    }
}
