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

/// Cells of a row.
const CELLS: usize = 8;
/// Of so many cells ...
const OF_CELLS: usize = 5;
/// ... so many are meant to be used. With two candidate rows of eight, about 0.02 % of the keys that are live then
/// find no room; with one row of four it would be 12 %.
const USED: usize = 4;
/// Locks for keys that are put in. A power of two.
const LOCKS: usize = 64;
/// Rows that are looked at to tell how many keys are live.
const SAMPLE: usize = 4_096;

/// The memory for a table could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no memory for the state of {keys} keys ({:.0} MB)", .keys.get() as f64 * 20e-6)]
pub struct OutOfMemory {
    /// Keys that it was to hold.
    pub keys: NonZeroUsize,
}

/// The [`Arrival`] of each key of one [`Window`], in memory that never grows: 16 bytes a cell, five cells for four
/// keys. What no key has touched yet costs nothing but address space.
///
/// A key may be in any cell of two rows, which its hash names. A key that is not in the table is as good as one
/// whose time has passed, so such cells are given to other keys. Only where all 16 are live loses the one that is
/// nearest to fresh its cell, and with it what it had spent; this is counted.
///
/// A key that is in the table is charged by one compare-and-swap, see [`Cell`]. To put a key in takes one of a few
/// locks, chosen by the key, for as long as it takes to look at its two rows again: so no key gets two cells.
#[derive(Debug)]
pub(super) struct Table {
    keys: NonZeroUsize,
    rows: Box<[Row]>,
    locks: Box<[CachePadded<Mutex<()>>]>,
    evictions: CachePadded<AtomicU64>,
}

/// What a table has of a key, and in which cell of all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) arrival: Arrival,
    /// [`ABSENT`] if in none.
    cell: usize,
}

/// No cell.
const ABSENT: usize = usize::MAX;

/// Eight cells. Their hashes fill a cache line and their times the next one, which processors fetch together. A
/// charge writes to the second only: threads that charge one key pass that on, and each keeps the first, in which
/// it has to look.
#[derive(Debug, FromZeros)]
#[repr(C, align(128))]
struct Row {
    hashes: [AtomicU64; CELLS],
    times: [AtomicU64; CELLS],
}

impl Table {
    /// An empty table with room for `keys` at a time.
    ///
    /// # Errors
    /// If there is not so much memory.
    pub(super) fn new(keys: NonZeroUsize) -> Result<Self, OutOfMemory> {
        let rows = keys.get().div_ceil(USED).saturating_mul(OF_CELLS).div_ceil(CELLS);
        // Zeroes that the system hands out on touch: a large table costs what is used of it.
        let rows = <[Row]>::new_box_zeroed_with_elems(rows).map_err(|_| OutOfMemory { keys })?;
        let locks = (0..LOCKS).map(|_| CachePadded::default()).collect();
        Ok(Self { keys, rows, locks, evictions: CachePadded::default() })
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
        let step = self.rows.len().div_ceil(SAMPLE);
        let sampled = self.rows.iter().step_by(step);
        let (looked_at, live) = sampled.fold((0, 0), |(rows, live), row| {
            let in_row = row.cells().filter(|cell| cell.time().is_some_and(|time| time > now));
            (rows + 1, live + in_row.count() as u64)
        });
        live * self.rows.len() as u64 / looked_at.max(1)
    }

    /// What is known of `key`.
    pub(super) fn look(&self, key: Key) -> Seen {
        let hash = key.cell();
        let [one, other] = self.rows_of(hash);
        // Both rows before either is judged: so their cache misses take the time of one, and no branch is guessed.
        let mut found = self.rows[one].matches(hash) | self.rows[other].matches(hash) << CELLS;
        while found != 0 {
            let place = found.trailing_zeros() as usize;
            let cell =
                if place < CELLS { one * CELLS + place } else { other * CELLS + place - CELLS };
            if let Some(time) = self.cell(cell).time_of(hash) {
                return Seen { arrival: Arrival(time), cell };
            }
            found &= found - 1;
        }
        Seen { arrival: Arrival::default(), cell: ABSENT }
    }

    /// Move `key` from what was `seen` to `arrival`.
    ///
    /// # Errors
    /// What the table has of the key, if that has changed.
    pub(super) fn advance(
        &self,
        key: Key,
        seen: Seen,
        arrival: Arrival,
        now: Moment,
    ) -> Result<(), Seen> {
        let moved = match seen.cell {
            ABSENT => self.insert(key, arrival, now).then_some(()).ok_or(None),
            cell => self.cell(cell).advance(key.cell(), seen.arrival.0, arrival.0),
        };
        moved.map_err(|changed| match changed {
            Some(time) => Seen { arrival: Arrival(time), ..seen },
            None => self.look(key),
        })
    }

    /// Move `key` from its arrival time to what `change` makes of it.
    pub(super) fn update(&self, key: Key, now: Moment, change: impl Fn(Arrival) -> Arrival) {
        let mut seen = self.look(key);
        loop {
            let arrival = change(seen.arrival);
            // A key that is not in the table need not be put in to be fresh.
            if seen.cell == ABSENT && arrival <= Arrival::at(now) {
                return;
            }
            match self.advance(key, seen, arrival, now) {
                Ok(()) => return,
                Err(changed) => seen = changed,
            }
        }
    }

    /// Move every live key from its arrival time to what `change` makes of it.
    pub(super) fn convert(&self, now: Moment, change: impl Fn(Arrival) -> Arrival) {
        for (cell, time) in self.live_cells(now) {
            let hash = cell.hash.read();
            let mut seen = Some(time);
            while let Some(time) = seen.filter(|time| Arrival(*time) > Arrival::at(now)) {
                seen = cell.advance(hash, time, change(Arrival(time)).0).err().flatten();
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
        let cells = self.rows.iter().flat_map(Row::cells);
        let timed = cells.filter_map(|cell| cell.time().map(|time| (cell, time)));
        timed.filter(move |(_, time)| Arrival(*time) > Arrival::at(now))
    }

    /// Put `key` in; false if it is in already.
    #[cold]
    fn insert(&self, key: Key, arrival: Arrival, now: Moment) -> bool {
        let hash = key.cell();
        let _lock = self.locks[hash as usize % LOCKS].lock();
        while self.look(key).cell == ABSENT {
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
        let rows = self.rows_of(hash).map(|row| &self.rows[row]);
        let earliest = rows.map(|row| {
            let live = |time: u64| Arrival(time) > Arrival::at(now);
            let times = || row.cells().filter_map(|cell| cell.time().map(|time| (cell, time)));
            let count = times().filter(|(_, time)| live(*time)).count();
            times().min_by_key(|(_, time)| *time).map(|(cell, time)| (count, time, cell))
        });
        let least = earliest.into_iter().flatten().min_by_key(|(count, time, _)| (*count, *time));
        least.map(|(_, time, cell)| (cell, time))
    }

    /// The two rows for `hash`, by its upper and its lower half (by multiplication instead of division).
    fn rows_of(&self, hash: u64) -> [usize; 2] {
        let rows = self.rows.len() as u128;
        [hash, hash.rotate_left(32)].map(|hash| ((u128::from(hash) * rows) >> 64) as usize)
    }

    fn cell(&self, index: usize) -> Cell<'_, AtomicU64> {
        let Row { hashes, times } = &self.rows[index / CELLS];
        Cell { hash: &hashes[index % CELLS], time: &times[index % CELLS] }
    }
}

impl Row {
    /// In which cells `hash` stands, a bit each.
    fn matches(&self, hash: u64) -> u32 {
        let hashes = self.hashes.iter().enumerate();
        hashes.fold(0, |found, (place, word)| found | u32::from(word.read() == hash) << place)
    }

    fn cells(&self) -> impl Iterator<Item = Cell<'_, AtomicU64>> {
        self.hashes.iter().zip(&self.times).map(|(hash, time)| Cell { hash, time })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;
    use std::sync::atomic::AtomicUsize;

    use proptest::prelude::*;

    use super::*;
    use crate::rate::testing::key;

    fn table(keys: usize) -> Table {
        Table::new(NonZeroUsize::new(keys).unwrap()).unwrap()
    }

    fn time(table: &Table, n: u64) -> u64 {
        table.look(key(n)).arrival.0
    }

    /// Set the time of the `n`th key, as seen at `now`, in nanoseconds.
    fn set(table: &Table, n: u64, time: u64, now: u64) {
        table.update(key(n), Moment(now), |_| Arrival::at(Moment(time)));
    }

    /// In how many cells the `n`th key is.
    fn cells_of(table: &Table, n: u64) -> usize {
        let all = table.rows.iter().flat_map(Row::cells);
        all.filter(|cell| cell.time_of(key(n).cell()).is_some()).count()
    }

    #[test]
    fn a_key_that_never_came_has_a_time_that_is_over() {
        assert_eq!(time(&table(10), 1), 0);
    }

    #[test]
    fn memory_that_cannot_be_had_is_an_error() {
        let error = Table::new(NonZeroUsize::MAX).unwrap_err();
        assert!(
            error.to_string().starts_with("no memory for the state of 18446744073709551615 keys")
        );
        let error = OutOfMemory { keys: NonZeroUsize::new(10_000_000).unwrap() };
        assert_eq!(error.to_string(), "no memory for the state of 10000000 keys (200 MB)");
    }

    #[test]
    fn a_fifth_of_the_cells_stays_free() {
        for keys in [1, 10, 1_000, 100_000] {
            assert!(table(keys).rows.len() * CELLS * USED >= keys * OF_CELLS);
        }
    }

    #[test]
    fn as_many_keys_as_it_is_made_for_are_kept() {
        let table = table(50_000);
        (0..50_000).for_each(|n| set(&table, n, 1_000_000 + n, 1));
        let lost = (0..50_000).filter(|n| cells_of_hash(&table, *n) == 0).count();
        assert_eq!(lost as u64, table.evictions());
        assert!(lost < 50, "{lost} of 50,000");
        let live = table.live(Moment(1));
        assert!(live.abs_diff(50_000) < 2_500, "{live}");
        assert_eq!(table.live(Moment(2_000_000)), 0);
    }

    /// As [`cells_of`], without a look at the whole table.
    fn cells_of_hash(table: &Table, n: u64) -> usize {
        usize::from(table.look(key(n)).cell != ABSENT)
    }

    #[test]
    fn cells_whose_time_is_over_are_given_to_others_at_no_loss() {
        let table = table(1_000);
        for n in 0..100_000 {
            // Each is over before the next thousand come.
            set(&table, n, n + 500, n);
        }
        assert_eq!(table.evictions(), 0);
    }

    #[test]
    fn where_all_are_live_the_one_nearest_to_fresh_goes() {
        // One row: all keys compete for eight cells.
        let table = table(1);
        for n in 0..8 {
            set(&table, n, 100 + (n + 3) % 8, 1);
        }
        set(&table, 8, 200, 1);
        assert_eq!(table.evictions(), 1);
        let lost = (0..9).filter(|n| cells_of(&table, *n) == 0).collect::<Vec<_>>();
        assert_eq!(lost, [5], "its time is 100");
    }

    #[test]
    fn a_fresh_key_takes_no_cell() {
        let table = table(1);
        set(&table, 1, 5, 5);
        assert_eq!(cells_of(&table, 1), 0);
    }

    #[test]
    fn a_table_of_another_size_takes_over_what_is_live() {
        let (old, new) = (table(1_000), table(5_000));
        (0..1_000).for_each(|n| set(&old, n, 10 + n, 1));
        new.fill(&old, Moment(500), |arrival| arrival.later(16));
        for n in 491..1_000 {
            assert_eq!(new.look(key(n)).arrival, Arrival::at(Moment(10 + n + 1)));
        }
        assert_eq!(new.live(Moment(500)), 509);
    }

    #[test]
    fn of_what_many_threads_charge_nothing_is_lost() {
        let table = table(100);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..20_000 {
                        table.update(key(n % 50), Moment(1), |arrival| {
                            arrival.max(Arrival::at(Moment(1))).later(1)
                        });
                    }
                });
            }
        });
        for n in 0..50 {
            assert_eq!(time(&table, n), 16 + 1_600, "key {n}");
            assert_eq!(cells_of(&table, n), 1);
        }
    }

    #[test]
    fn no_key_has_two_cells_however_many_threads_put_it_in_and_out() {
        // So small that keys are evicted all the time.
        let table = table(12);
        let now = AtomicUsize::new(1);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (table, now) = (&table, &now);
                scope.spawn(move || {
                    for n in 0..20_000 {
                        let now = Moment(now.fetch_add(1, Relaxed) as u64);
                        let key = key((n * 7 + thread) % 40);
                        table.update(key, now, |arrival| arrival.max(Arrival::at(now)).later(500));
                    }
                });
            }
        });
        assert!(table.evictions() > 0);
        assert!((0..40).all(|n| cells_of(&table, n) <= 1));
        let hashes = table.rows.iter().flat_map(Row::cells).map(|cell| cell.hash.read());
        assert!(
            hashes.filter(|hash| *hash != 0).all(|hash| (0..40).any(|n| key(n).cell() == hash))
        );
    }

    proptest! {
        /// With room for all, it is a map from keys to times.
        #[test]
        fn it_holds_what_was_put_in(
            steps in prop::collection::vec((0u64..60, 0u64..1_000, 0u64..20), 1..300),
        ) {
            let table = table(100);
            let mut model = HashMap::new();
            let mut now = 1;
            for (n, ahead, pause) in steps {
                now += pause;
                set(&table, n, now + ahead, now);
                model.insert(n, Arrival::at(Moment(now + ahead)));
                for (n, arrival) in &model {
                    let seen = table.look(key(*n)).arrival;
                    let over = *arrival <= Arrival::at(Moment(now)) && seen <= Arrival::at(Moment(now));
                    prop_assert!(seen == *arrival || over);
                }
            }
            prop_assert_eq!(table.evictions(), 0);
        }
    }
}
