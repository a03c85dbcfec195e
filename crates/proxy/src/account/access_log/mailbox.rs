//! Where a worker leaves its lines for the log's thread.

use parking_lot::Mutex;

/// Bytes of lines that may wait in one mailbox.
const CAPACITY: usize = 2 << 20;

/// From here on the log's thread is woken before its time.
const CROWDED: usize = CAPACITY / 4;

/// One worker's lines that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    batch: Mutex<Batch>,
}

/// Lines and how many they are.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: u64,
    /// Lines for which there was no room.
    pub(super) dropped: u64,
}

impl Mailbox {
    /// Adds the line that `format` appends, or counts it as dropped. Tells whether the mailbox has
    /// just become crowded and should be emptied soon.
    pub(super) fn put(&self, format: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut batch = self.batch.lock();
        let before = batch.bytes.len();
        if before >= CAPACITY {
            batch.dropped += 1;
            return false;
        }
        format(&mut batch.bytes);
        batch.lines += 1;
        before < CROWDED && batch.bytes.len() >= CROWDED
    }

    /// Takes everything out and leaves `empty` in its place, so that two buffers take turns.
    pub(super) fn take(&self, empty: &mut Batch) {
        debug_assert!(empty.bytes.is_empty());
        std::mem::swap(&mut *self.batch.lock(), empty);
    }
}

impl Batch {
    /// Forgets the lines and keeps the memory, unless a burst has made it large.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(CROWDED);
        self.lines = 0;
        self.dropped = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_that_nobody_empties_is_bounded_and_counts_what_it_drops() {
        let mailbox = Mailbox::default();
        let line = [b'x'; 1000];
        let attempts = 3 * CAPACITY / line.len();
        let wake_ups = (0..attempts).filter(|_| mailbox.put(|b| b.extend(line))).count();
        let mut batch = Batch::default();
        mailbox.take(&mut batch);
        assert_eq!(wake_ups, 1);
        assert!(batch.bytes.len() < CAPACITY + line.len());
        assert_eq!(batch.bytes.len(), batch.lines as usize * line.len());
        assert_eq!(batch.lines + batch.dropped, attempts as u64);
        assert!(batch.dropped > 0);
    }

    #[test]
    fn an_emptied_mailbox_takes_lines_again() {
        let mailbox = Mailbox::default();
        while mailbox.batch.lock().dropped == 0 {
            mailbox.put(|bytes| bytes.extend([b'x'; 100_000]));
        }
        let mut batch = Batch::default();
        mailbox.take(&mut batch);
        mailbox.put(|bytes| bytes.extend(b"next\n"));
        batch.clear();
        mailbox.take(&mut batch);
        assert_eq!((batch.bytes.as_slice(), batch.lines, batch.dropped), (&b"next\n"[..], 1, 0));
    }
}
