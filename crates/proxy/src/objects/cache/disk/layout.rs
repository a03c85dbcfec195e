//! How a stored response lies in its file, and how what is read of it is checked.
//!
//! ```text
//! magic and version   8 bytes
//! length of the head, length of the body, what the body is known by   8 bytes each
//! head
//! XXH3 of all of that
//! body
//! XXH3 of each 64 KiB of the body   8 bytes each
//! magic of the end    8 bytes
//! ```
//! A body is known by the hash of its length and its sums, so that the sums are checked by it, and it stays the same where
//! only the head is another one. No field says what another one does not: what was cut, changed or swapped is found.

use std::io::{self, Write};

use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

use super::bytes::{Reading, Written};

/// Bytes of a body that have a sum.
pub const BLOCK: u64 = 64 << 10;
/// Bytes before the head.
pub const BEGIN: u64 = 32;
/// The name of this format: another version is another name.
const MAGIC: u64 = u64::from_le_bytes(*b"tgcache1");
const END: u64 = u64::from_le_bytes(*b"tgcends1");
const SUM: u64 = 8;
/// Bytes of the longest head: a response has no longer one.
const LONGEST_HEAD: u64 = 4 << 20;

/// Where everything lies in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of the head.
    pub head: u64,
    /// Bytes of the body.
    pub body: u64,
    /// What the body is known by.
    pub body_id: u64,
}

impl Layout {
    /// That of a file with this head, and a body with these sums.
    pub fn of(head: &[u8], body: u64, sums: &[u64]) -> Self {
        Self { head: head.len() as u64, body, body_id: body_id(body, sums) }
    }

    /// What a file says that begins so; `None`: it is none of this format.
    pub fn read(begin: &[u8]) -> Option<Self> {
        let mut begin = Reading(begin);
        (begin.number()? == MAGIC).then_some(())?;
        let (head, body, body_id) = (begin.number()?, begin.number()?, begin.number()?);
        (head <= LONGEST_HEAD && body < 1 << 56).then_some(Self { head, body, body_id })
    }

    fn begin(&self) -> Vec<u8> {
        let mut begin = Written::default();
        begin.numbers(&[MAGIC, self.head, self.body, self.body_id]);
        begin.0
    }

    /// Bytes before the body.
    pub fn body_at(&self) -> u64 {
        BEGIN + self.head + SUM
    }

    /// How many sums the body has.
    pub fn blocks(&self) -> u64 {
        self.body.div_ceil(BLOCK)
    }

    /// Where the sums lie.
    pub fn sums_at(&self) -> u64 {
        self.body_at() + self.body
    }

    /// Bytes of the sums and the end.
    pub fn sums_length(&self) -> u64 {
        (self.blocks() + 1) * SUM
    }

    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.sums_at() + self.sums_length()
    }

    /// The head in what a file has before its body, if that is as it was written.
    pub fn head<'a>(&self, before_body: &'a [u8]) -> Option<&'a [u8]> {
        let mut reading = Reading(before_body);
        let summed = reading.take((BEGIN + self.head) as usize)?;
        (reading.number()? == xxh3_64(summed)).then(|| &summed[BEGIN as usize..])
    }

    /// The sums in what a file has after its body, if they are as they were written.
    pub fn sums(&self, after_body: &[u8]) -> Option<Box<[u64]>> {
        let mut reading = Reading(after_body);
        let sums: Box<[u64]> =
            (0..self.blocks()).map(|_| reading.number()).collect::<Option<_>>()?;
        let is_whole = reading.number()? == END && body_id(self.body, &sums) == self.body_id;
        is_whole.then_some(sums)
    }

    /// Write a file.
    ///
    /// # Errors
    /// Those of `out` and of the body.
    pub fn write(
        &self,
        out: &mut dyn Write,
        head: &[u8],
        body: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
        sums: &[u64],
    ) -> io::Result<()> {
        let mut before_body = self.begin();
        before_body.extend_from_slice(head);
        let sum = xxh3_64(&before_body);
        out.write_all(&before_body)?;
        out.write_all(&sum.to_le_bytes())?;
        body(out)?;
        let mut after_body = Written::default();
        after_body.numbers(sums);
        after_body.number(END);
        out.write_all(&after_body.0)
    }
}

/// The sum of a block.
pub fn sum(block: &[u8]) -> u64 {
    xxh3_64(block)
}

/// The sums of a body that comes in these pieces.
pub fn sums<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Box<[u64]> {
    let (mut sums, mut hasher, mut room) = (Vec::new(), Xxh3::new(), BLOCK as usize);
    for mut piece in pieces {
        while !piece.is_empty() {
            let (part, rest) = piece.split_at(piece.len().min(room));
            hasher.update(part);
            (piece, room) = (rest, room - part.len());
            if room == 0 {
                sums.push(hasher.digest());
                (hasher, room) = (Xxh3::new(), BLOCK as usize);
            }
        }
    }
    if room < BLOCK as usize {
        sums.push(hasher.digest());
    }
    sums.into()
}

fn body_id(length: u64, sums: &[u64]) -> u64 {
    let mut bytes = Written::default();
    bytes.numbers(sums);
    xxh3_64_with_seed(&bytes.0, length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(head: &[u8], body: &[u8]) -> Vec<u8> {
        let sums = sums(std::iter::once(body));
        let mut file = Vec::new();
        let layout = Layout::of(head, body.len() as u64, &sums);
        layout.write(&mut file, head, &mut |out| out.write_all(body), &sums).unwrap();
        assert_eq!(file.len() as u64, layout.length());
        file
    }

    /// The head and the body of a file, each block checked.
    fn read(file: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let layout = Layout::read(file)?;
        let part = |at: u64, length: u64| file.get(at as usize..(at + length) as usize);
        let head = layout.head(part(0, layout.body_at())?)?;
        let sums = layout.sums(part(layout.sums_at(), layout.sums_length())?)?;
        let body = part(layout.body_at(), layout.body)?;
        let is_right =
            body.chunks(BLOCK as usize).zip(&sums).all(|(block, &known)| sum(block) == known);
        is_right.then(|| (head.to_vec(), body.to_vec()))
    }

    fn body() -> impl Strategy<Value = Vec<u8>> {
        let sizes = prop_oneof![0..200usize, 65_530..65_550usize, 131_000..200_000usize];
        (sizes, any::<u8>()).prop_map(|(size, first)| {
            (0..size).map(|at| first.wrapping_add((at % 251) as u8)).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_is_read(head in prop::collection::vec(any::<u8>(), 0..300), body in body()) {
            let file = file(&head, &body);
            prop_assert_eq!(read(&file), Some((head, body)));
        }

        #[test]
        fn a_byte_that_changed_anywhere_is_found(
            head in prop::collection::vec(any::<u8>(), 0..300),
            body in body(),
            at in any::<prop::sample::Index>(),
            flip in 1..=255u8,
        ) {
            let mut file = file(&head, &body);
            let at = at.index(file.len());
            file[at] ^= flip;
            prop_assert_eq!(read(&file), None);
        }

        #[test]
        fn a_file_that_was_cut_is_none(body in body(), at in any::<prop::sample::Index>()) {
            let file = file(b"head", &body);
            prop_assert_eq!(read(&file[..at.index(file.len())]), None);
        }

        #[test]
        fn sums_do_not_depend_on_pieces(body in body(), piece in 1..70_000usize) {
            let pieces = sums(body.chunks(piece));
            prop_assert_eq!(pieces, sums(std::iter::once(&body[..])));
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(read(&bytes), None);
        }
    }

    #[test]
    fn a_block_of_another_body_is_found() {
        let (one, other) = (file(b"", &[1; 100_000]), file(b"", &[2; 100_000]));
        let mut mixed = one.clone();
        mixed[50..60_000].copy_from_slice(&other[50..60_000]);
        assert_eq!(read(&mixed), None);
    }
}
