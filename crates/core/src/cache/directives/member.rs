//! One directive as it is written: `token [ "=" ( token / quoted-string ) ]`.

use std::borrow::Cow;

use crate::message::field::is_token_byte;

/// A member of the list that `Cache-Control` is.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) name: &'a [u8],
    pub(super) argument: Argument<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Argument<'a> {
    Absent,
    /// A token, or what a quoted string says.
    Text(Cow<'a, [u8]>),
    /// It is neither, or has blanks before it.
    Malformed,
    /// A quotation mark stands where none may, or has no other, so that directives may be hidden in the string.
    Misquoted,
}

impl<'a> Member<'a> {
    pub(super) fn read(text: &'a [u8]) -> Self {
        let equals = text.iter().position(|byte| *byte == b'=');
        let (name, argument) = match equals {
            None => (text, Argument::Absent),
            Some(equals) => (&text[..equals], Argument::read(&text[equals + 1..])),
        };
        let is_apart = name.trim_ascii_end() != name;
        let argument = match argument {
            _ if name.contains(&b'"') => Argument::Misquoted,
            Argument::Text(_) if is_apart => Argument::Malformed,
            argument => argument,
        };
        Self { name: name.trim_ascii_end(), argument }
    }
}

impl<'a> Argument<'a> {
    fn read(text: &'a [u8]) -> Self {
        if let Some(inside) = text.strip_prefix(b"\"") {
            return unquoted(inside).map_or(Self::Misquoted, Self::Text);
        }
        match text {
            [] => Self::Malformed,
            _ if text.contains(&b'"') => Self::Misquoted,
            _ if text.iter().copied().all(is_token_byte) => Self::Text(text.into()),
            _ => Self::Malformed,
        }
    }

    pub(super) fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Absent | Self::Malformed | Self::Misquoted => None,
        }
    }
}

/// What a quoted string says that begins before `inside` and must end with it (RFC 9110 §5.6.4).
fn unquoted(inside: &[u8]) -> Option<Cow<'_, [u8]>> {
    if let Some(text) = inside.strip_suffix(b"\"")
        && !text.iter().any(|byte| matches!(byte, b'"' | b'\\'))
    {
        return Some(text.into());
    }
    let (mut text, mut bytes) = (Vec::with_capacity(inside.len()), inside.iter());
    loop {
        match bytes.next()? {
            b'"' => return bytes.as_slice().is_empty().then_some(text.into()),
            b'\\' => text.push(*bytes.next()?),
            byte => text.push(*byte),
        }
    }
}
