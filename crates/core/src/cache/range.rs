//! Ranges of a stored response (RFC 9110 §14).

use std::ops::Range;
use std::time::SystemTime;

use http::header::{CONTENT_TYPE, IF_RANGE, LAST_MODIFIED, RANGE};
use http::{HeaderMap, HeaderValue, Method};
use smallvec::SmallVec;

use super::entity_tag::EntityTag;
use super::validator::is_strong_date;

/// Most ranges of a request that are answered as such: to more of them it gets the whole.
const MOST: usize = 16;

/// Parts of a content, in their order, no two of which touch each other.
pub type Parts = SmallVec<[Range<u64>; 1]>;

/// What of a content a request gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// All of it.
    Whole,
    /// These parts, of which none is empty.
    Parts(Parts),
    /// Nothing: it asks for what lies behind the end (416).
    Unsatisfiable,
}

/// What a request gets of the `stored` response, which came at `arrived`, and whose content has this `length`.
///
/// A `Range` that cannot be read is no `Range`, nor is one with more than 16 ranges (§14.2). What overlaps is sent once,
/// and in the order of the content: a content that is still coming is not held back for a part that lies behind.
pub fn select(
    request: &HeaderMap,
    method: &Method,
    stored: &HeaderMap,
    arrived: SystemTime,
    length: u64,
) -> Selected {
    let specs = asked(request).filter(|_| *method == Method::GET);
    match specs.filter(|_| is_unchanged(request, stored, arrived)) {
        None => Selected::Whole,
        Some(specs) => satisfy(&specs, length),
    }
}

/// The range that a request asks for, where it asks for one alone.
pub fn only(request: &HeaderMap) -> Option<Spec> {
    match asked(request)?[..] {
        [only] => Some(only),
        _ => None,
    }
}

/// The ranges that a request asks for.
fn asked(request: &HeaderMap) -> Option<SmallVec<[Spec; 2]>> {
    let mut lines = request.get_all(RANGE).iter();
    let line = lines.next().filter(|_| lines.next().is_none());
    line.and_then(|line| specs(line.as_bytes()))
}

/// Whether the client's other parts are of the `stored` response (§13.1.5): by strong comparison alone.
fn is_unchanged(request: &HeaderMap, stored: &HeaderMap, arrived: SystemTime) -> bool {
    let mut lines = request.get_all(IF_RANGE).iter();
    let Some(line) = lines.next() else { return true };
    let tag = EntityTag::read(line.as_bytes());
    let has_tag = || EntityTag::of(stored).is_some_and(|own| own.is_strongly(tag));
    let is_date = || stored.get(LAST_MODIFIED) == Some(line) && is_strong_date(stored, arrived);
    lines.next().is_none() && if tag.is_quoted() { has_tag() } else { is_date() }
}

/// A range as it is asked for (§14.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spec {
    /// From the first byte to the last one, which is part of it.
    From(u64, Option<u64>),
    /// So many bytes at the end.
    Last(u64),
}

/// The ranges of a field; `None` where it cannot be read, is in another unit, or has too many.
fn specs(line: &[u8]) -> Option<SmallVec<[Spec; 2]>> {
    let set = line.split_at_checked(6).filter(|(unit, _)| unit.eq_ignore_ascii_case(b"bytes="))?.1;
    let specs = set.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let specs = specs.filter(|spec| !spec.is_empty()).take(MOST + 1).map(spec);
    let specs: SmallVec<[Spec; 2]> = specs.collect::<Option<_>>()?;
    (1..=MOST).contains(&specs.len()).then_some(specs)
}

fn spec(text: &[u8]) -> Option<Spec> {
    let dash = text.iter().position(|byte| *byte == b'-')?;
    match (&text[..dash], &text[dash + 1..]) {
        (b"", last) => Some(Spec::Last(number(last)?)),
        (first, b"") => Some(Spec::From(number(first)?, None)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Spec::From(first, Some(last)))
        }
    }
}

/// A number, or the largest that there is in place of a larger one.
fn number(digits: &[u8]) -> Option<u64> {
    let digit = |sum: u64, digit: &u8| match digit {
        b'0'..=b'9' => Some(sum.saturating_mul(10).saturating_add((digit - b'0').into())),
        _ => None,
    };
    digits.iter().try_fold(0, digit).filter(|_| !digits.is_empty())
}

fn satisfy(specs: &[Spec], length: u64) -> Selected {
    // The end of an empty content can be satisfied (§14.1.2), but no `Content-Range` says so.
    if length == 0 && specs.iter().any(|spec| matches!(spec, Spec::Last(1..))) {
        return Selected::Whole;
    }
    let range = |spec: &Spec| match *spec {
        Spec::From(first, last) => {
            first..last.map_or(length, |last| length.min(last.saturating_add(1)))
        }
        Spec::Last(count) => length.saturating_sub(count)..length,
    };
    let mut parts: Parts = specs.iter().map(range).filter(|part| !part.is_empty()).collect();
    parts.sort_unstable_by_key(|part| part.start);
    parts.dedup_by(|later, part| {
        let touches = later.start <= part.end;
        if touches {
            part.end = part.end.max(later.end);
        }
        touches
    });
    if parts.is_empty() { Selected::Unsatisfiable } else { Selected::Parts(parts) }
}

/// `Range` of a request for this part, which is not empty.
pub fn request(part: &Range<u64>) -> HeaderValue {
    value(format!("bytes={}-{}", part.start, part.end.saturating_sub(1)))
}

/// `Content-Range` of a response with this part (§14.4), which is not empty.
pub fn content_range(part: &Range<u64>, length: u64) -> HeaderValue {
    value(format!("bytes {}-{}/{length}", part.start, part.end.saturating_sub(1)))
}

/// `Content-Range` of a 416: how long the content is (§15.5.17).
pub fn unsatisfied(length: u64) -> HeaderValue {
    value(format!("bytes */{length}"))
}

/// No byte of a text that is made here is refused.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// What frames several parts in one content: `multipart/byteranges` (§14.6).
#[derive(Debug)]
pub struct Multipart<'a> {
    boundary: u128,
    content_type: Option<&'a HeaderValue>,
    length: u64,
}

impl<'a> Multipart<'a> {
    /// Of a `stored` response, whose content has this `length`. The boundary is a random number, so that no content
    /// has it.
    pub fn new(boundary: u128, stored: &'a HeaderMap, length: u64) -> Self {
        Self { boundary, content_type: stored.get(CONTENT_TYPE), length }
    }

    /// `Content-Type` of the response.
    pub fn content_type(&self) -> HeaderValue {
        value(format!("multipart/byteranges; boundary={:032x}", self.boundary))
    }

    /// What goes before the bytes of a part.
    pub fn head(&self, part: &Range<u64>) -> Vec<u8> {
        let mut head = format!("\r\n--{:032x}\r\n", self.boundary).into_bytes();
        if let Some(content_type) = self.content_type {
            head.extend_from_slice(b"Content-Type: ");
            head.extend_from_slice(content_type.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"Content-Range: ");
        head.extend_from_slice(content_range(part, self.length).as_bytes());
        head.extend_from_slice(b"\r\n\r\n");
        head
    }

    /// What goes behind the last part.
    pub fn end(&self) -> Vec<u8> {
        format!("\r\n--{:032x}--\r\n", self.boundary).into_bytes()
    }

    /// Bytes of the content with these parts.
    pub fn length(&self, parts: &[Range<u64>]) -> u64 {
        let part = |part: &Range<u64>| {
            (part.end - part.start).saturating_add(self.head(part).len() as u64)
        };
        parts.iter().map(part).fold(self.end().len() as u64, u64::saturating_add)
    }
}
