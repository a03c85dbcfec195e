//! The text of a key: parts with the length before each.

use smallvec::SmallVec;

/// The text of a key: a short one needs no allocation.
pub type Text = SmallVec<[u8; 128]>;

/// A part, after its length and one: 0 is left for the one that is missing.
pub(super) fn add_part(part: &[u8], text: &mut Text) {
    add_number(part.len() + 1, text);
    text.extend_from_slice(part);
}

pub(super) fn add_number(number: usize, text: &mut Text) {
    // No field of a request is longer than 32 bits say.
    text.extend_from_slice(&(number as u32).to_le_bytes());
}

/// The next part; within, `None` where it is missing.
pub(super) fn take_part<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a str>> {
    let (length, parts) = rest.split_first_chunk()?;
    let Some(length) = usize::try_from(u32::from_le_bytes(*length)).ok()?.checked_sub(1) else {
        *rest = parts;
        return Some(None);
    };
    let (part, parts) = parts.split_at_checked(length)?;
    *rest = parts;
    Some(Some(str::from_utf8(part).ok()?))
}
