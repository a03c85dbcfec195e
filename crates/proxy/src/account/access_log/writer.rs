//! The log's thread: empties the mailboxes into the output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::FLUSH_INTERVAL;
use super::mailbox::{Batch, Mailbox};

/// What the workers and the log's thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) mailboxes: Box<[Mailbox]>,
    dropped: AtomicU64,
    reopen: AtomicBool,
    stop: AtomicBool,
}

impl Shared {
    pub(super) fn new(mailboxes: Box<[Mailbox]>) -> Self {
        Self {
            mailboxes,
            dropped: AtomicU64::new(0),
            reopen: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        }
    }

    pub(super) fn ask_to_reopen(&self) {
        self.reopen.store(true, Ordering::Release);
    }

    pub(super) fn ask_to_stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Where lines go.
#[derive(Debug)]
pub(super) enum Output {
    /// Standard output.
    Stdout,
    /// A file that is appended to.
    File {
        /// Its name, to open it anew.
        path: String,
        /// Its handle.
        file: File,
    },
}

impl Output {
    /// Opens `path` for appending; `-` is standard output.
    pub(super) fn open(path: &str) -> io::Result<Self> {
        if path == "-" {
            return Ok(Self::Stdout);
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self::File { path: path.to_owned(), file })
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Self::File { path, .. } = self {
            *self = Self::open(path)?;
        }
        Ok(())
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(lines)?;
                stdout.flush()
            }
            Self::File { file, .. } => file.write_all(lines),
        }
    }
}

/// The state of the log's thread.
#[derive(Debug)]
pub(super) struct Writer {
    output: Output,
    shared: Arc<Shared>,
    batch: Batch,
    failing: bool,
}

impl Writer {
    pub(super) fn new(output: Output, shared: Arc<Shared>) -> Self {
        Self { output, shared, batch: Batch::default(), failing: false }
    }

    /// Writes until asked to stop, and then what is left.
    pub(super) fn run(mut self) {
        while !self.shared.stop.load(Ordering::Acquire) {
            self.write_waiting_lines();
            if self.shared.reopen.swap(false, Ordering::AcqRel)
                && let Err(error) = self.output.reopen()
            {
                tracing::error!(%error, "access log not reopened; the old file stays in use");
            }
            std::thread::park_timeout(FLUSH_INTERVAL);
        }
        self.write_waiting_lines();
    }

    fn write_waiting_lines(&mut self) {
        let shared = self.shared.clone();
        for mailbox in &shared.mailboxes {
            mailbox.take(&mut self.batch);
            let mut dropped = self.batch.dropped;
            if !self.batch.bytes.is_empty() {
                let written = self.output.write(&self.batch.bytes);
                if written.is_err() {
                    dropped += self.batch.lines;
                }
                self.note_change(written);
            }
            shared.dropped.fetch_add(dropped, Ordering::Relaxed);
            self.batch.clear();
        }
    }

    /// Tells of the first failure and of the end of failing, not of each failure between.
    fn note_change(&mut self, written: io::Result<()>) {
        match written {
            Err(error) if !self.failing => {
                tracing::error!(%error, "access log not written; lines are dropped");
            }
            Ok(()) if self.failing => tracing::info!("access log written again"),
            _ => return,
        }
        self.failing = !self.failing;
    }
}
