//! The table: the arrival times of as many keys as were asked for, and no more, whatever keys come.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use thiserror::Error;
use zerocopy::FromZeros;

use super::arrival::Arrival;
use super::cell::{Cell, Word};
use super::key::Key;
use crate::time::Moment;

/// Cells of a row: their hashes fill one cache line and their times the next, which is fetched with it.
const CELLS: usize = 8;
/// A row is so long and begins at a multiple of it, in bytes.
const ROW_BYTES: usize = 2 * CELLS * size_of::<u64>();
/// Of so many cells ...
const OF_CELLS: usize = 5;
/// ... so many are meant to be used. With two candidate rows of eight, about 0.02 % of the keys that are live then find
/// no room; with one row of four it would be 12 %.
const USED: usize = 4;
/// Locks for keys that are put in. A power of two.
const LOCKS: usize = 64;
/// Rows that are looked at to tell how many keys are live.
const SAMPLE: usize = 4_096;

/// The memory for a table could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no memory for the state of {keys} keys ({} MB)", .keys.get() / USED * OF_CELLS * 16 / 1_000_000)]
pub struct OutOfMemory {
    /// Keys that it was to hold.
    pub keys: NonZeroUsize,
}

/// The [`Arrival`] of each key of one [`Window`], in memory that never grows: 16 bytes a cell, five cells for four keys.
/// What no key has touched yet costs nothing but address space.
///
/// A key may be in any cell of two rows, which its hash names. A key that is not in the table is as good as one whose
/// time has passed, so such cells are given to other keys. Only where all 16 are live loses the one that is nearest to
/// fresh its cell, and with it what it had spent; this is counted.
///
/// A key that is in the table is charged by one compare-and-swap, see [`Cell`]. To put a key in takes one of a few locks,
/// chosen by the key, for as long as it takes to look at its two rows again: so no key gets two cells.
#[derive(Debug)]
pub(super) struct Table {
    keys: NonZeroUsize,
    words: Box<[AtomicU64]>,
    /// Words before the first row.
    skip: usize,
    locks: Box<[CachePadded<Mutex<()>>]>,
    evictions: CachePadded<AtomicU64>,
}

/// What a table has of a key, and in which cell of all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) arrival: Arrival,
    cell: Option<usize>,
}

type Row = [AtomicU64; 2 * CELLS];

impl Table {
    /// An empty table with room for `keys` at a time.
    ///
    /// # Errors
    /// If there is not so much memory.
    pub(super) fn new(keys: NonZeroUsize) -> Result<Self, OutOfMemory> {
        let rows = keys.get().div_ceil(USED).saturating_mul(OF_CELLS).div_ceil(CELLS);
        let row = ROW_BYTES / size_of::<u64>();
        // One more, to begin where a pair of cache lines does.
        let words =
            <[AtomicU64]>::new_box_zeroed_with_elems(rows.saturating_add(1).saturating_mul(row))
                .map_err(|_| OutOfMemory { keys })?;
        let skip = words.as_ptr().addr().wrapping_neg() % ROW_BYTES / size_of::<u64>();
        let locks = (0..LOCKS).map(|_| CachePadded::default()).collect();
        Ok(Self { keys, words, skip, locks, evictions: CachePadded::default() })
    }

    /// How many keys it was made for.
    pub(super) const fn keys(&self) -> NonZeroUsize {
        self.keys
    }

    /// How many keys have lost their cell while their bucket was not full.
    pub(super) fn evictions(&self) -> u64 {
        self.evictions.load(Relaxed)
    }

    /// About how many keys' buckets are not full at `now`. Counted in small tables, estimated in large ones from
    /// some thousand rows (within a few percent).
    pub(super) fn live(&self, now: Moment) -> u64 {
        let now = Arrival::at(now).0;
        let rows = self.rows();
        let step = rows.len().div_ceil(SAMPLE);
        let sampled = rows.iter().step_by(step);
        let (looked_at, live) = sampled.fold((0, 0), |(rows, live), row| {
            let in_row = cells(row).filter(|cell| cell.time().is_some_and(|time| time > now));
            (rows + 1, live + in_row.count() as u64)
        });
        live * rows.len() as u64 / looked_at.max(1)
    }

    /// What is known of `key`.
    pub(super) fn look(&self, key: Key) -> Seen {
        let hash = key.cell();
        let rows = self.rows();
        for row in self.rows_of(hash) {
            for (index, cell) in cells(&rows[row]).enumerate() {
                if let Some(time) = cell.time_of(hash) {
                    let cell = Some(row * CELLS + index);
                    return Seen { arrival: Arrival(time), cell };
                }
            }
        }
        Seen { arrival: Arrival::default(), cell: None }
    }

    /// Move `key` from what was `seen` to `arrival`; false if that is not what the table has any more.
    pub(super) fn advance(&self, key: Key, seen: Seen, arrival: Arrival, now: Moment) -> bool {
        match seen.cell {
            Some(cell) => self.cell(cell).advance(seen.arrival.0, arrival.0),
            None => self.insert(key, arrival, now),
        }
    }

    /// Move `key` from its arrival time to what `change` makes of it.
    pub(super) fn update(&self, key: Key, now: Moment, change: impl Fn(Arrival) -> Arrival) {
        loop {
            let seen = self.look(key);
            let arrival = change(seen.arrival);
            // A key that is not in the table need not be put in to be fresh.
            let absent = seen.cell.is_none() && arrival <= Arrival::at(now);
            if absent || self.advance(key, seen, arrival, now) {
                return;
            }
        }
    }

    /// Move every live key from its arrival time to what `change` makes of it.
    pub(super) fn convert(&self, now: Moment, change: impl Fn(Arrival) -> Arrival) {
        for (cell, mut time) in self.live_cells(now) {
            while !cell.advance(time, change(Arrival(time)).0) {
                match cell.time().filter(|time| Arrival(*time) > Arrival::at(now)) {
                    Some(other) => time = other,
                    None => break,
                }
            }
        }
    }

    /// Put every live key of `old` in, with what `change` makes of its arrival time.
    pub(super) fn fill(&self, old: &Self, now: Moment, change: impl Fn(Arrival) -> Arrival) {
        for (cell, time) in old.live_cells(now) {
            self.insert(Key::of_cell(cell.hash.read()), change(Arrival(time)), now);
        }
    }

    fn live_cells(&self, now: Moment) -> impl Iterator<Item = (Cell<'_, AtomicU64>, u64)> {
        let cells = self.rows().iter().flat_map(cells);
        let timed = cells.filter_map(|cell| cell.time().map(|time| (cell, time)));
        timed.filter(move |(_, time)| Arrival(*time) > Arrival::at(now))
    }

    /// Put `key` in; false if it is in already.
    #[cold]
    fn insert(&self, key: Key, arrival: Arrival, now: Moment) -> bool {
        let hash = key.cell();
        let _lock = self.locks[hash as usize % LOCKS].lock();
        while self.look(key).cell.is_none() {
            let Some((cell, time)) = self.victim(hash, now) else { continue };
            if cell.take_over(time, hash, arrival.0) {
                if Arrival(time) > Arrival::at(now) {
                    self.evictions.fetch_add(1, Relaxed);
                }
                return true;
            }
        }
        false
    }

    /// The cell that `hash` is to get: that of the earliest time in the row with fewer live ones.
    fn victim(&self, hash: u64, now: Moment) -> Option<(Cell<'_, AtomicU64>, u64)> {
        let rows = self.rows_of(hash).map(|row| &self.rows()[row]);
        let earliest = rows.map(|row| {
            let live = |time: u64| Arrival(time) > Arrival::at(now);
            let times = || cells(row).filter_map(|cell| cell.time().map(|time| (cell, time)));
            let count = times().filter(|(_, time)| live(*time)).count();
            times().min_by_key(|(_, time)| *time).map(|(cell, time)| (count, time, cell))
        });
        let least = earliest.into_iter().flatten().min_by_key(|(count, time, _)| (*count, *time));
        least.map(|(_, time, cell)| (cell, time))
    }

    /// The two rows for `hash`, by its upper and its lower half (by multiplication instead of division).
    fn rows_of(&self, hash: u64) -> [usize; 2] {
        let rows = self.rows().len() as u128;
        [hash, hash.rotate_left(32)].map(|hash| ((u128::from(hash) * rows) >> 64) as usize)
    }

    fn rows(&self) -> &[Row] {
        let rows = self.words[self.skip..].as_chunks().0;
        &rows[..rows.len()]
    }

    fn cell(&self, index: usize) -> Cell<'_, AtomicU64> {
        let row = &self.rows()[index / CELLS];
        Cell { hash: &row[index % CELLS], time: &row[CELLS + index % CELLS] }
    }
}

/// The cells of a row.
fn cells(row: &Row) -> impl Iterator<Item = Cell<'_, AtomicU64>> {
    let (hashes, times) = row.split_at(CELLS);
    hashes.iter().zip(times).map(|(hash, time)| Cell { hash, time })
}
