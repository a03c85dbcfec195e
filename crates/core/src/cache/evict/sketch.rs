//! How often things were asked for of late, counted roughly in little room.

use super::Id;

/// Rows of counters: an id has one in each.
const ROWS: u32 = 4;
/// Counters of a row in one word, of four bits each.
const COLUMNS: u32 = u64::BITS / 4 / ROWS;
/// The lowest bit of each counter of a word.
const ONES: u64 = 0x1111_1111_1111_1111;

/// Counts up to 15 for each id: a count-min sketch (Cormode and Muthukrishnan, *An Improved Data Stream Summary*, 2005)
/// that ages, as TinyLFU has it (Einziger, Friedman and Manes, *TinyLFU: A Highly Efficient Cache Admission Policy*, 2017).
///
/// A count is never too low but for aging: after ten times as many counts as there are words, all are halved. It has a word
/// of 8 to 16 bytes for each object.
#[derive(Debug)]
pub(super) struct Sketch {
    /// As many as a power of two.
    words: Vec<u64>,
    /// Sum of what was counted, halved with the counters.
    counted: usize,
}

impl Sketch {
    pub(super) fn new() -> Self {
        Self { words: vec![0; 64], counted: 0 }
    }

    /// Makes it fit for so many objects.
    pub(super) fn grow_for(&mut self, objects: usize) {
        while self.words.len() < objects {
            // One more bit of each index counts, and both that it can be find the counters of before.
            self.words.extend_from_within(..);
        }
    }

    /// How often an id was counted.
    pub(super) fn count_of(&self, id: Id) -> u32 {
        let counts = (0..ROWS).map(|row| {
            let (word, shift) = self.counter(id, row);
            (self.words[word] >> shift & 0xf) as u32
        });
        counts.min().unwrap_or(0)
    }

    /// Counts an id once more.
    pub(super) fn add(&mut self, id: Id) {
        let mut added = false;
        for row in 0..ROWS {
            let (word, shift) = self.counter(id, row);
            if self.words[word] >> shift & 0xf != 0xf {
                self.words[word] += 1 << shift;
                added = true;
            }
        }
        self.counted += usize::from(added);
        if self.counted >= self.words.len() * 10 {
            self.age();
        }
    }

    fn age(&mut self) {
        let mut odd = 0;
        for word in &mut self.words {
            odd += (*word & ONES).count_ones() as usize;
            *word = *word >> 1 & !(ONES << 3);
        }
        self.counted = (self.counted - odd / ROWS as usize) / 2;
    }

    /// Word and bit where the counter of an id in a row begins. The rows take different bits of the id.
    fn counter(&self, id: Id, row: u32) -> (usize, u32) {
        let bits = (id >> (row * 32)) as u32;
        let word = bits as usize & (self.words.len() - 1);
        let column = bits >> 30;
        (word, 4 * (row * COLUMNS + column))
    }
}
