//! The access log: one line per finished request, off the hot path.
//!
//! A worker formats a line into its own [`mailbox`](mailbox), under a lock that only the log's
//! thread ever shares and holds for one swap of pointers; there is no allocation, system call or
//! wake-up per line. One thread collects the mailboxes about every [`FLUSH_INTERVAL`] and writes
//! what it found. A mailbox that is full drops the line and counts it: the log never slows a
//! request down.

mod entry;
mod format;
mod mailbox;
mod writer;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tidegate_core::plan::{self, AccessLogFormat};

pub use entry::Entry;
use mailbox::Mailbox;
use writer::{Output, Shared, Writer};

/// Longest time a line waits to be written, while the output takes what it is given.
pub const FLUSH_INTERVAL: Duration = Duration::from_millis(200);

/// An open access log. Dropping it writes what is left and closes the file.
#[derive(Debug)]
pub struct AccessLog {
    format: AccessLogFormat,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl AccessLog {
    /// Opens the log for this many workers and starts its thread.
    ///
    /// Fails if the file cannot be opened for appending or no thread can be started.
    pub fn open(config: &plan::AccessLog, workers: usize) -> io::Result<Arc<Self>> {
        let output = Output::open(&config.path)?;
        let shared = Arc::new(Shared::new((0..workers).map(|_| Mailbox::default()).collect()));
        let writer = Writer::new(output, shared.clone());
        let thread =
            std::thread::Builder::new().name("access-log".into()).spawn(move || writer.run())?;
        Ok(Arc::new(Self { format: config.format, shared, thread: Some(thread) }))
    }

    /// Logs one request. Never blocks; `worker` must be below the number of workers.
    pub fn write(&self, worker: usize, entry: &Entry<'_>) {
        let crowded = self.shared.mailboxes[worker].put(|line| match self.format {
            AccessLogFormat::Json => format::json(entry, line),
            AccessLogFormat::Combined => format::combined(entry, line),
        });
        if crowded {
            self.wake();
        }
    }

    /// Opens the file anew, under the same path: for log rotation, after the old file was renamed.
    /// Lines from before may still go to the old file.
    pub fn reopen(&self) {
        self.shared.ask_to_reopen();
        self.wake();
    }

    /// Lines lost so far: the mailbox was full, or the output did not take them.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped()
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.shared.ask_to_stop();
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing left to write.
            let _ = thread.join();
        }
    }
}
