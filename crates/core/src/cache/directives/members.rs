//! The members of a line of `Cache-Control`: `token [ "=" ( token / quoted-string ) ]` with commas between.

use std::borrow::Cow;

use crate::message::field::is_token_byte;

/// One directive as it is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member<'a> {
    pub(super) name: &'a [u8],
    pub(super) argument: Argument<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Argument<'a> {
    Absent,
    /// A token, or what a quoted string says.
    Text(Cow<'a, [u8]>),
    /// It is neither.
    Malformed,
    /// It is a quoted string that the line ends in.
    Unterminated,
}

impl Argument<'_> {
    pub(super) fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Absent | Self::Malformed | Self::Unterminated => None,
        }
    }
}

/// What is left of a line.
#[derive(Debug)]
pub(super) struct Members<'a>(&'a [u8]);

impl<'a> Members<'a> {
    pub(super) fn of(line: &'a [u8]) -> Self {
        Self(line)
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        while !self.0.is_empty() {
            let (name, after) = split(self.0, |byte| matches!(byte, b'=' | b','));
            let (argument, rest) = match after.split_first() {
                Some((b'=', text)) => argument(text),
                Some((_, rest)) => (Argument::Absent, rest),
                None => (Argument::Absent, after),
            };
            self.0 = rest;
            // Blanks around `=` are not allowed for.
            let is_apart = argument != Argument::Absent && name.trim_ascii_end() != name;
            let argument = if is_apart { malformed(argument) } else { argument };
            let name = name.trim_ascii();
            if !name.is_empty() || argument != Argument::Absent {
                return Some(Member { name, argument });
            }
        }
        None
    }
}

/// The argument at the beginning of `text`, and what follows the comma behind it.
fn argument(text: &[u8]) -> (Argument<'_>, &[u8]) {
    let quoted = text.trim_ascii_start().strip_prefix(b"\"");
    let Some(inside) = quoted else {
        let (token, after) = split(text, |byte| byte == b',');
        let token = token.trim_ascii_end();
        let is_token = !token.is_empty() && token.iter().copied().all(is_token_byte);
        let argument = if is_token { Argument::Text(token.into()) } else { Argument::Malformed };
        return (argument, after.get(1..).unwrap_or_default());
    };
    let Some(length) = length_of_quoted(inside) else { return (Argument::Unterminated, b"") };
    let (trailing, after) = split(&inside[length + 1..], |byte| byte == b',');
    let argument = Argument::Text(unescaped(&inside[..length]));
    let is_alone = trailing.trim_ascii().is_empty() && text.starts_with(b"\"");
    let argument = if is_alone { argument } else { Argument::Malformed };
    (argument, after.get(1..).unwrap_or_default())
}

fn malformed(argument: Argument<'_>) -> Argument<'_> {
    match argument {
        Argument::Unterminated => argument,
        _ => Argument::Malformed,
    }
}

/// Where the quotation mark stands that ends a quoted string (RFC 9110 §5.6.4).
fn length_of_quoted(inside: &[u8]) -> Option<usize> {
    let mut is_escaped = false;
    inside.iter().position(|byte| match byte {
        _ if is_escaped => {
            is_escaped = false;
            false
        }
        b'\\' => {
            is_escaped = true;
            false
        }
        byte => *byte == b'"',
    })
}

fn unescaped(inside: &[u8]) -> Cow<'_, [u8]> {
    if !inside.contains(&b'\\') {
        return inside.into();
    }
    let mut bytes = inside.iter().copied();
    let mut text = Vec::with_capacity(inside.len());
    while let Some(byte) = bytes.next() {
        text.extend(if byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    text.into()
}

/// What is before the first byte that `is_end`, and the rest from that byte on.
fn split(text: &[u8], is_end: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| is_end(*byte)).unwrap_or(text.len());
    text.split_at(end)
}
