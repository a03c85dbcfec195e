//! Writing field sections (RFC 9204 §4.5).
//!
//! Texts are written as they are: Huffman's code would save some bytes of a packet that has room for them.

use bytes::BufMut;

use super::integer;
use super::static_table::{self, Found};

/// Writes one field section.
pub struct Encoder<'w, W> {
    into: &'w mut W,
}

impl<'w, W: BufMut> Encoder<'w, W> {
    /// Begin a section.
    pub fn new(into: &'w mut W) -> Self {
        // No line of it is in a dynamic table.
        into.put_slice(&[0, 0]);
        Self { into }
    }

    /// Write a line; the name is in lower case.
    pub fn line(&mut self, name: &str, value: &[u8]) {
        match static_table::find(name, value) {
            Some(Found::Line(index)) => return integer::write(index, 6, 0xc0, self.into),
            Some(Found::Name(index)) => integer::write(index, 4, 0x50, self.into),
            None => {
                integer::write(name.len(), 3, 0x20, self.into);
                self.into.put_slice(name.as_bytes());
            }
        }
        integer::write(value.len(), 7, 0, self.into);
        self.into.put_slice(value);
    }
}
