//! The access log: one line per finished request, off the hot path.
//!
//! A worker formats a line into its own mailbox, under a lock that only the log's
//! thread ever shares and holds for one swap of pointers; there is no allocation, system call or
//! wake-up per line. One thread collects the mailboxes about every [`FLUSH_INTERVAL`] and writes
//! what it found. A mailbox that is full drops the line and counts it: the log never slows a
//! request down.

mod entry;
pub mod format;
mod line;
mod mailbox;
mod writer;

use std::io;
use std::sync::Arc;
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use parking_lot::Mutex;
use tidegate_core::plan::{self, AccessLogFormat};

pub use entry::Entry;
pub use line::Line;
use mailbox::Mailbox;
use writer::{Output, Shared, Writer};

/// Longest time a line waits to be written, while the output takes what it is given.
pub const FLUSH_INTERVAL: Duration = Duration::from_millis(200);

/// An open access log. Dropping it writes what is left and closes the file.
#[derive(Debug)]
pub struct AccessLog {
    /// What was asked for.
    pub plan: plan::AccessLog,
    shared: Arc<Shared>,
    thread: Thread,
    /// Absent once it was waited for.
    running: Mutex<Option<JoinHandle<()>>>,
}

impl AccessLog {
    /// Opens the log for this many workers and starts its thread.
    ///
    /// Fails if the file cannot be opened for appending or no thread can be started.
    pub fn open(plan: &plan::AccessLog, workers: usize) -> io::Result<Self> {
        let output = Output::open(&plan.path)?;
        let shared = Arc::new(Shared::new((0..workers).map(|_| Mailbox::default()).collect()));
        let writer = Writer::new(output, shared.clone());
        let running =
            std::thread::Builder::new().name("access-log".into()).spawn(move || writer.run())?;
        let thread = running.thread().clone();
        Ok(Self { plan: plan.clone(), shared, thread, running: Mutex::new(Some(running)) })
    }

    /// Logs one request. Never blocks; `worker` must be below the number of workers.
    pub fn write(&self, worker: usize, entry: &Entry<'_>) {
        let crowded = self.shared.mailboxes[worker].put(|line| match self.plan.format {
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

    /// Writes what is left and closes the file. Lines that come later are lost.
    pub fn end(&self) {
        self.shared.ask_to_stop();
        self.wake();
        if let Some(running) = self.running.lock().take() {
            // A writer that panicked has nothing left to write.
            let _ = running.join();
        }
    }

    fn wake(&self) {
        self.thread.unpark();
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    use super::*;

    /// A folder of its own for one test, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let name = format!("tidegate-access-log-{}-{test}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn open(path: &Path, workers: usize) -> Arc<AccessLog> {
        let path = path.to_str().unwrap().to_owned();
        let config = plan::AccessLog {
            format: AccessLogFormat::Json,
            path,
            subjects: plan::LoggedSubjects::Plain,
        };
        Arc::new(AccessLog::open(&config, workers).unwrap())
    }

    fn request(path: &[u8]) -> Entry<'_> {
        Entry { method: b"GET", path, status: 200, ..Entry::default() }
    }

    fn lines(path: &Path) -> usize {
        std::fs::read_to_string(path).map(|text| text.lines().count()).unwrap_or(0)
    }

    /// Waits until `path` has that many lines; gives up after long.
    fn wait_for_lines(path: &Path, count: usize) {
        let start = Instant::now();
        while lines(path) != count {
            assert!(start.elapsed() < Duration::from_secs(30), "{} lines", lines(path));
            std::thread::yield_now();
        }
    }

    #[test]
    fn lines_of_all_workers_are_written_whole_before_the_log_is_closed() {
        let folder = Folder::new("close");
        let path = folder.0.join("access.log");
        let log = open(&path, 4);
        std::thread::scope(|scope| {
            for worker in 0..4 {
                let log = &log;
                scope.spawn(move || (0..500).for_each(|_| log.write(worker, &request(b"/"))));
            }
        });
        assert_eq!(log.dropped(), 0);
        drop(log);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2000);
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }

    #[test]
    fn lines_are_written_without_being_asked_for() {
        let folder = Folder::new("flush");
        let path = folder.0.join("access.log");
        let log = open(&path, 1);
        log.write(0, &request(b"/"));
        wait_for_lines(&path, 1);
        drop(log);
    }

    #[test]
    fn after_rotation_lines_go_to_the_new_file() {
        let folder = Folder::new("rotate");
        let (path, rotated) = (folder.0.join("access.log"), folder.0.join("access.log.1"));
        let log = open(&path, 1);
        log.write(0, &request(b"/old"));
        wait_for_lines(&path, 1);
        std::fs::rename(&path, &rotated).unwrap();
        log.reopen();
        while !path.exists() {
            std::thread::yield_now();
        }
        log.write(0, &request(b"/new"));
        wait_for_lines(&path, 1);
        assert_eq!(lines(&rotated), 1);
    }

    #[test]
    fn lines_that_the_output_does_not_take_are_counted_and_stop_nothing() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let log = open(full, 1);
        log.write(0, &request(b"/"));
        let start = Instant::now();
        while log.dropped() == 0 {
            assert!(start.elapsed() < Duration::from_secs(30));
            std::thread::yield_now();
        }
        assert_eq!(log.dropped(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error() {
        let path = "/nonexistent/access.log".to_owned();
        let config = plan::AccessLog {
            format: AccessLogFormat::Json,
            path,
            subjects: plan::LoggedSubjects::Plain,
        };
        assert!(AccessLog::open(&config, 1).is_err());
    }
}
