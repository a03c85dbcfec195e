//! A field section that is read is read the same again after it was written, and is no larger than allowed.

use bytes::Bytes;

use crate::http::h3::head;
use crate::http::h3::qpack::{Encoder, Line, Unreadable, decode};

/// Most bytes that the lines may come to.
const LIMIT: usize = 4096;
/// What a line costs beside its bytes (RFC 9114 §4.2.2).
const OVERHEAD: usize = 32;

/// A field section, as QPACK encodes it.
pub fn qpack(section: &[u8]) {
    let section = Bytes::copy_from_slice(section);
    // What heads and trailers make of it does not fail in any other way than by its word.
    let _ = (head::request(&section, LIMIT), head::trailers(&section, LIMIT));
    let Ok(lines) = read(&section) else { return };
    let size = |line: &Line| line.name.as_str().len() + line.value.len() + OVERHEAD;
    assert!(lines.iter().map(size).sum::<usize>() <= LIMIT, "more than allowed");
    let mut written = Vec::new();
    let mut encoder = Encoder::new(&mut written);
    lines.iter().for_each(|line| encoder.line(line.name.as_str(), &line.value));
    assert_eq!(read(&written.into()), Ok(lines), "read again");
}

fn read(section: &Bytes) -> Result<Vec<Line>, Unreadable> {
    let mut lines = Vec::new();
    decode(section, LIMIT, |line| {
        lines.push(line);
        Ok(())
    })?;
    Ok(lines)
}
