//! What a client would rather have: codings and languages (RFC 9110 §12.4.2), in a form in which two lists that ask for
//! the same are the same.

use std::cmp::Reverse;

use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use smallvec::SmallVec;

use super::value::{END, Value};
use crate::message::field::{is_token_byte, members};

/// The codings that are known everywhere (RFC 9110 §8.4.1.3, RFC 7932, RFC 9659), and the older name of one.
const USUAL: [(&[u8], &[u8]); 3] = [(b"br", b"br"), (b"gzip", b"x-gzip"), (b"zstd", b"zstd")];
const IDENTITY: &[u8] = b"identity";

/// Whether a response is in none but the usual codings.
pub(super) fn has_usual_coding(response: &HeaderMap) -> bool {
    let lines = response.get_all(CONTENT_ENCODING).iter();
    let mut codings = lines.flat_map(|line| members(line.as_bytes()));
    codings.all(|coding| {
        let mut known =
            USUAL.iter().flat_map(|(name, older)| [*name, *older]).chain([IDENTITY, b""]);
        known.any(|name| coding.eq_ignore_ascii_case(name))
    })
}

/// What a list of codings takes (RFC 9110 §12.5.3): `all` that it names, or of the usual ones those that it takes, however
/// much it prefers one, as any of them will do. `None` where it cannot be read.
pub(super) fn codings(list: &[u8], all: bool) -> Option<Value> {
    let mut codings = weighted(list)?;
    let mut value = Value::from_slice(&[END]);
    let mut add = |name: &[u8], is_taken: bool| {
        value.extend_from_slice(name);
        value.extend_from_slice(if is_taken { b"," } else { b";q=0," });
    };
    if all {
        codings.sort_unstable();
        codings.iter().for_each(|(name, weight)| add(name, *weight > 0));
        return Some(value);
    }
    let weight =
        |name: &[u8]| codings.iter().find(|(own, _)| own[..] == *name).map(|(_, weight)| *weight);
    let others = weight(b"*");
    for (name, older) in USUAL {
        if weight(name).or_else(|| weight(older)).or(others).is_some_and(|weight| weight > 0) {
            add(name, true);
        }
    }
    if weight(IDENTITY).or(others) == Some(0) {
        add(IDENTITY, false);
    }
    Some(value)
}

/// The languages that a list takes (RFC 9110 §12.5.4), those of one quality in one order. `None` where it cannot be read.
pub(super) fn languages(list: &[u8]) -> Option<Value> {
    let mut languages = weighted(list)?;
    languages.sort_unstable_by(|(one, weight), (other, other_weight)| {
        (Reverse(weight), one).cmp(&(Reverse(other_weight), other))
    });
    languages.dedup();
    let (mut value, mut before) = (Value::new(), None);
    for (name, weight) in &languages {
        if before.replace(*weight) != Some(*weight) {
            value.push(END);
            // Those that are not taken at all.
            value.extend((*weight == 0).then_some(END));
        }
        value.extend_from_slice(name);
        value.push(b',');
    }
    Some(value)
}

/// A member in lower case, and its quality in thousandths.
type Weighted = (SmallVec<[u8; 16]>, u16);

/// The members of a list whose only parameter is `q` (RFC 9110 §12.4.2).
fn weighted(list: &[u8]) -> Option<SmallVec<[Weighted; 8]>> {
    let read = |member: &[u8]| {
        let (name, weight) = match member.iter().position(|byte| *byte == b';') {
            Some(end) => {
                (member[..end].trim_ascii_end(), quality(member[end + 1..].trim_ascii_start())?)
            }
            None => (member, 1000),
        };
        let is_name = !name.is_empty() && name.iter().copied().all(is_token_byte);
        is_name.then(|| (name.iter().map(u8::to_ascii_lowercase).collect(), weight))
    };
    list.split(|byte| *byte == b',').filter(|member| !member.is_empty()).map(read).collect()
}

fn quality(parameter: &[u8]) -> Option<u16> {
    let (b'q' | b'Q', [b'=', value @ ..]) = parameter.split_first()? else {
        return None;
    };
    let digits = |text: &[u8]| {
        let digit = |sum: u16, (byte, worth): (&u8, u16)| match byte {
            b'0'..=b'9' => Some(sum + u16::from(byte - b'0') * worth),
            _ => None,
        };
        text.iter().zip([100, 10, 1]).try_fold(0, digit).filter(|_| text.len() <= 3)
    };
    match value {
        [b'0'] => Some(0),
        [b'1'] => Some(1000),
        [b'0', b'.', rest @ ..] => digits(rest),
        [b'1', b'.', rest @ ..] => digits(rest).filter(|rest| *rest == 0).map(|_| 1000),
        _ => None,
    }
}
