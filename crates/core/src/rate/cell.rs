//! A cell of the table: which key, and its arrival time, as two words that threads share without a lock.
//!
//! Two words cannot be changed at once. No thread acts on a torn pair, as:
//! - The hash of a cell changes only while its time is [`MOVING`]. A thread that finds its hash, reads the time
//!   and finds its hash again has read a pair.
//! - The time is changed by compare-and-swap from what was read. A cell that has got another key in between has
//!   another time: the new key's is never the one that was evicted. Only a cell that changes hands twice and comes
//!   to the very sixteenth of a nanosecond between a read and the swap after it would be charged for the wrong
//!   key, once.
//!
//! That no key gets two cells is the table's concern.

use std::sync::atomic::{AtomicU64, Ordering};

/// The time of a cell that is between two keys: no key has it, and another soon will.
const MOVING: u64 = u64::MAX;

/// A word that threads share: of the machine, or of a model checker.
pub(super) trait Word {
    /// What was stored before is seen after this read.
    fn read(&self) -> u64;
    /// What was done before is seen by reads of `value`.
    fn write(&self, value: u64);
    /// From `from` to `to`, or what it is instead.
    fn exchange(&self, from: u64, to: u64) -> Result<(), u64>;
}

impl Word for AtomicU64 {
    #[inline]
    fn read(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    #[inline]
    fn write(&self, value: u64) {
        self.store(value, Ordering::Release);
    }

    #[inline]
    fn exchange(&self, from: u64, to: u64) -> Result<(), u64> {
        self.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).map(|_| ())
    }
}

/// The two words of one cell. Both are zero where no key ever was.
#[derive(Debug)]
pub(super) struct Cell<'a, W> {
    pub(super) hash: &'a W,
    pub(super) time: &'a W,
}

impl<W: Word> Cell<'_, W> {
    /// The time of the key `hash`, if the cell is its.
    pub(super) fn time_of(&self, hash: u64) -> Option<u64> {
        let found = self.hash.read() == hash;
        let time = self.time.read();
        (found && time != MOVING && self.hash.read() == hash).then_some(time)
    }

    /// The time of whatever key has the cell, unless it is between two.
    pub(super) fn time(&self) -> Option<u64> {
        Some(self.time.read()).filter(|time| *time != MOVING)
    }

    /// Move the time of the key `hash` from `from`, which was read, to `to`.
    ///
    /// # Errors
    /// The key's time, if that has changed; `None` if the cell is not the key's any more.
    pub(super) fn advance(&self, hash: u64, from: u64, to: u64) -> Result<(), Option<u64>> {
        let changed = |time| (time != MOVING && self.hash.read() == hash).then_some(time);
        self.time.exchange(from, to).map_err(changed)
    }

    /// Give the cell to the key `hash`; false if the key before has another time than `from` by now.
    pub(super) fn take_over(&self, from: u64, hash: u64, to: u64) -> bool {
        let taken = self.time.exchange(from, MOVING).is_ok();
        if taken {
            self.hash.write(hash);
            self.time.write(if to == from { to.wrapping_add(1) } else { to });
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use loom::sync::atomic::AtomicU64;
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    use super::*;

    impl Word for AtomicU64 {
        fn read(&self) -> u64 {
            self.load(Ordering::Acquire)
        }

        fn write(&self, value: u64) {
            self.store(value, Ordering::Release);
        }

        fn exchange(&self, from: u64, to: u64) -> Result<(), u64> {
            self.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).map(|_| ())
        }
    }

    struct Words {
        hash: AtomicU64,
        time: AtomicU64,
    }

    impl Words {
        fn of(hash: u64, time: u64) -> Arc<Self> {
            Arc::new(Self { hash: AtomicU64::new(hash), time: AtomicU64::new(time) })
        }

        fn cell(&self) -> Cell<'_, AtomicU64> {
            Cell { hash: &self.hash, time: &self.time }
        }

        /// Charge `cost` to the key `hash`, if the cell is its; whether it was.
        fn charge(&self, hash: u64, cost: u64) -> bool {
            let mut seen = self.cell().time_of(hash);
            while let Some(time) = seen {
                match self.cell().advance(hash, time, time + cost) {
                    Ok(()) => return true,
                    Err(changed) => seen = changed,
                }
            }
            false
        }
    }

    #[test]
    fn of_two_threads_that_charge_one_key_none_is_lost() {
        loom::model(|| {
            let words = Words::of(7, 100);
            let other = {
                let words = words.clone();
                thread::spawn(move || assert!(words.charge(7, 1)))
            };
            assert!(words.charge(7, 10));
            other.join().ok();
            assert_eq!(words.cell().time_of(7), Some(111));
        });
    }

    #[test]
    fn a_cell_that_changes_hands_never_shows_one_keys_time_to_the_other() {
        loom::model(|| {
            let words = Words::of(7, 100);
            let other = {
                let words = words.clone();
                thread::spawn(move || assert!(words.cell().take_over(100, 8, 200)))
            };
            for (hash, time) in [(7, 100), (8, 200)] {
                let seen = words.cell().time_of(hash);
                assert!(seen.is_none_or(|seen| seen == time), "{hash} has {seen:?}");
            }
            other.join().ok();
        });
    }

    #[test]
    fn what_is_charged_while_a_cell_changes_hands_is_charged_to_the_right_key_or_none() {
        // The new key's time is the old one's: what a clock that is read once for many requests gives.
        for fresh in [100, 200] {
            loom::model(move || {
                let words = Words::of(7, 100);
                let other = {
                    let words = words.clone();
                    thread::spawn(move || words.cell().take_over(100, 8, fresh))
                };
                let charged = words.charge(7, 10);
                let taken = other.join().unwrap_or(false);
                // The charge came first, and the cell stays; or it found the key gone.
                assert_ne!(charged, taken);
                match taken {
                    true => assert!(words.cell().time_of(8).is_some_and(|time| time <= fresh + 1)),
                    false => assert_eq!(words.cell().time_of(7), Some(110)),
                }
            });
        }
    }

    #[test]
    fn two_keys_that_want_one_cell_get_it_one_after_the_other() {
        loom::model(|| {
            let words = Words::of(7, 100);
            let threads = [8, 9].map(|hash| {
                let words = words.clone();
                thread::spawn(move || words.cell().take_over(100, hash, hash * 100))
            });
            let taken = threads.map(|thread| thread.join().unwrap_or(false));
            let [eighth, ninth] = [8, 9].map(|hash| words.cell().time_of(hash));
            assert!(matches!(
                (taken, eighth, ninth),
                ([true, false], Some(800), None) | ([false, true], None, Some(900))
            ));
        });
    }

    #[test]
    fn a_key_that_two_threads_bring_at_once_gets_one_cell() {
        loom::model(|| {
            let cells = Arc::new(([Words::of(1, 0), Words::of(2, 0)], Mutex::new(())));
            // What the table does: look, and look again under the lock before taking a cell over.
            let charge = |cells: &([Arc<Words>; 2], Mutex<()>)| {
                if !cells.0.iter().any(|words| words.charge(7, 10)) {
                    let _lock = cells.1.lock();
                    if !cells.0.iter().any(|words| words.charge(7, 10)) {
                        cells.0.iter().any(|words| words.cell().take_over(0, 7, 110));
                    }
                }
            };
            let other = {
                let cells = cells.clone();
                thread::spawn(move || charge(&cells))
            };
            charge(&cells);
            other.join().ok();
            let times = cells.0.iter().filter_map(|words| words.cell().time_of(7));
            assert_eq!(times.collect::<Vec<_>>(), [120]);
        });
    }
}
