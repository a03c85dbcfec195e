//! Reading field sections (RFC 9204 §4.5).

use bytes::Bytes;
use http::HeaderValue;

use super::static_table::{self, Name};
use super::{huffman, integer};
use crate::http::h3::code::Code;

/// What a line costs beside its bytes (RFC 9114 §4.2.2).
pub const OVERHEAD: usize = 32;

/// A field line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub name: Name,
    /// Its value, which may be none that a field has.
    pub value: Bytes,
}

/// Why a section is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It breaks QPACK: nothing of the connection can be read any more.
    Undecodable(Code),
    /// A name is none.
    Malformed,
    /// It is larger than allowed.
    TooLarge,
}

impl Unreadable {
    const BROKEN: Self = Self::Undecodable(Code::QPACK_DECOMPRESSION_FAILED);
}

/// Give each line of `section` to `take`, until they come to more than `limit` bytes.
///
/// # Errors
/// Why not all of it is read; those of `take` are given back.
pub fn decode<E: From<Unreadable>>(
    section: &Bytes,
    limit: usize,
    mut take: impl FnMut(Line) -> Result<(), E>,
) -> Result<(), E> {
    let mut lines =
        Lines { section, rest: prefix_taken(section)?, left: limit, scratch: Vec::new() };
    while !lines.rest.is_empty() {
        take(lines.next()?)?;
    }
    Ok(())
}

/// What is behind the section's prefix, which tells of the dynamic table: that it is not used.
fn prefix_taken(section: &Bytes) -> Result<&[u8], Unreadable> {
    let mut rest = &section[..];
    let inserts = integer::read(&mut rest, 8);
    let base = integer::read(&mut rest, 7);
    match (inserts, base) {
        (Some(0), Some(_)) => Ok(rest),
        _ => Err(Unreadable::BROKEN),
    }
}

struct Lines<'s> {
    section: &'s Bytes,
    rest: &'s [u8],
    /// Bytes that lines may still come to.
    left: usize,
    scratch: Vec<u8>,
}

impl Lines<'_> {
    fn next(&mut self) -> Result<Line, Unreadable> {
        let line = match self.rest.first() {
            // Indexed, static.
            Some(first) if first & 0xc0 == 0xc0 => {
                let (name, value) = self.indexed(6)?;
                Line { name: name.clone(), value: Bytes::from_static(value.as_bytes()) }
            }
            // Literal, with the name of a line of the static table.
            Some(first) if first & 0xd0 == 0x50 => {
                let (name, _) = self.indexed(4)?;
                Line { name: name.clone(), value: self.text(7)? }
            }
            // Literal.
            Some(first) if first & 0xe0 == 0x20 => {
                let name = self.text(3)?;
                let name = Name::read(&name).ok_or(Unreadable::Malformed)?;
                Line { name, value: self.text(7)? }
            }
            // Of the dynamic table, which has no lines.
            _ => return Err(Unreadable::BROKEN),
        };
        let size = line.name.as_str().len() + line.value.len() + OVERHEAD;
        self.left = self.left.checked_sub(size).ok_or(Unreadable::TooLarge)?;
        Ok(line)
    }

    fn indexed(&mut self, bits: u32) -> Result<(&'static Name, &'static str), Unreadable> {
        integer::read(&mut self.rest, bits).and_then(static_table::line).ok_or(Unreadable::BROKEN)
    }

    /// A text whose length has `bits` bits of the first byte; the bit above them says whether it is in Huffman's code.
    fn text(&mut self, bits: u32) -> Result<Bytes, Unreadable> {
        let is_coded = self.rest.first().is_some_and(|first| first & 1 << bits != 0);
        let length = integer::read(&mut self.rest, bits).ok_or(Unreadable::BROKEN)?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Unreadable::BROKEN)?;
        self.rest = rest;
        if !is_coded {
            return Ok(self.section.slice_ref(text));
        }
        self.scratch.clear();
        huffman::decode(text, &mut self.scratch).ok_or(Unreadable::BROKEN)?;
        Ok(Bytes::copy_from_slice(&self.scratch))
    }
}

impl Line {
    /// Its value, as that of a field; `None`: none has it.
    pub fn field_value(&self) -> Option<HeaderValue> {
        HeaderValue::from_maybe_shared(self.value.clone()).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::super::Encoder;
    use super::super::huffman::testing;
    use super::*;

    type Lines = Vec<(String, Vec<u8>)>;

    fn read(section: &[u8], limit: usize) -> Result<Lines, Unreadable> {
        let mut lines = Vec::new();
        decode(&Bytes::copy_from_slice(section), limit, |line| {
            lines.push((line.name.as_str().to_owned(), line.value.to_vec()));
            Ok::<_, Unreadable>(())
        })?;
        Ok(lines)
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        // RFC 9204 Appendix B.1.
        let section = [&[0x00, 0x00, 0x51, 0x0b][..], b"/index.html"].concat();
        let expected = (":path".to_owned(), b"/index.html".to_vec());
        assert_eq!(read(&section, 1_000), Ok(vec![expected]));
    }

    #[test]
    fn names_and_values_are_read_from_huffmans_code() {
        let (name, value) = (testing::encode(b"x-trace"), testing::encode(b"17"));
        let mut section = vec![0, 0];
        integer::write(name.len(), 3, 0x28, &mut section);
        section.extend(name);
        integer::write(value.len(), 7, 0x80, &mut section);
        section.extend(value);
        let expected = ("x-trace".to_owned(), b"17".to_vec());
        assert_eq!(read(&section, 1_000), Ok(vec![expected]));
    }

    #[test]
    fn what_is_not_qpack_or_speaks_of_a_dynamic_table_is_undecodable() {
        for section in [
            &[][..],
            &[0],
            &[1, 0],
            &[0, 0, 0x80],
            &[0, 0, 0x10],
            &[0, 0, 0x40],
            &[0, 0, 0x00],
            &[0, 0, 0xff, 36],
            &[0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0, 0, 0x51, 0x7f, 0xff],
            &[0, 0, 0x51, 5, b'a'],
            &[0, 0, 0x51, 0x81, 0x00],
            &[0, 0, 0x23, b'a', b'b'],
        ] {
            assert_eq!(read(section, 1_000), Err(Unreadable::BROKEN), "{section:?}");
        }
    }

    #[test]
    fn a_section_is_read_as_far_as_its_limit() {
        // 99 lines of one byte each, that come to 32 bytes and more.
        let section = [&[0, 0][..], &[0xd1; 99]].concat();
        assert_eq!(read(&section, 99 * (32 + 7 + 3)).map(|lines| lines.len()), Ok(99));
        assert_eq!(read(&section, 99 * (32 + 7 + 3) - 1), Err(Unreadable::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            lines in prop::collection::vec(("[a-z][a-z-]{0,12}|content-type|date", "[ -~]{0,40}"), 0..20),
        ) {
            let mut section = Vec::new();
            let mut encoder = Encoder::new(&mut section);
            lines.iter().for_each(|(name, value)| encoder.line(name, value.as_bytes()));
            let expected: Lines = lines.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
            prop_assert_eq!(read(&section, 100_000), Ok(expected));
        }

        #[test]
        fn nothing_that_comes_makes_it_panic(section in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = read(&section, 1_000);
        }
    }
}
