//! Message bodies: where they end (RFC 9112 §6) and the chunked coding (§7.1).

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use tidegate_core::message::Malformed;
use tidegate_core::message::field::is_token_byte;

use super::fields;
use super::output::Output;
use crate::http::body::Frame;

/// Longest line of the chunked coding: a size with its extensions.
const MAX_CHUNK_LINE: usize = 256;
/// Most bytes of extensions in one message, so that they cannot be used to send without end.
const MAX_EXTENSIONS: usize = 16 * 1024;
/// Largest trailer section.
const MAX_TRAILERS: usize = 16 * 1024;

/// Reads a body out of a buffer.
#[derive(Debug)]
pub enum Decoder {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunked coding.
    Chunked(Chunked),
    /// Everything up to the end of the stream (responses only).
    UntilClose,
    /// Nothing more.
    Done,
    /// What came was no body, so that nothing behind it can be taken for a message.
    Broken,
}

/// Where the reader stands within the chunked coding.
#[derive(Debug)]
pub struct Chunked {
    state: ChunkState,
    extensions: usize,
}

#[derive(Debug)]
enum ChunkState {
    Size,
    Data(u64),
    DataEnd,
    Trailers { scanned: usize },
}

/// What was read.
#[derive(Debug)]
pub enum Decoded {
    /// A piece of the body.
    Frame(Frame),
    /// More bytes are needed.
    More,
    /// The body is complete.
    End,
}

impl Decoder {
    /// A body in chunked coding.
    pub fn chunked() -> Self {
        Self::Chunked(Chunked { state: ChunkState::Size, extensions: 0 })
    }

    /// A body of known length.
    pub fn length(length: u64) -> Self {
        if length == 0 { Self::Done } else { Self::Length(length) }
    }

    /// Whether the body is complete.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// Bytes still to come, where that is known.
    pub fn remaining(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Done => Some(0),
            Self::Chunked(_) | Self::UntilClose | Self::Broken => None,
        }
    }

    /// Take the next piece of the body out of `buf`.
    pub fn decode(&mut self, buf: &mut BytesMut) -> Result<Decoded, Malformed> {
        match self {
            Self::Done => Ok(Decoded::End),
            Self::Broken => Err(Malformed::Syntax),
            _ if buf.is_empty() => Ok(Decoded::More),
            Self::UntilClose => Ok(Decoded::Frame(Frame::Data(buf.split().freeze()))),
            Self::Length(left) => {
                let data = take(buf, *left);
                *left -= data.len() as u64;
                if *left == 0 {
                    *self = Self::Done;
                }
                Ok(Decoded::Frame(Frame::Data(data)))
            }
            Self::Chunked(chunked) => {
                let decoded = chunked.decode(buf);
                match &decoded {
                    Ok(Decoded::End | Decoded::Frame(Frame::Trailers(_))) => *self = Self::Done,
                    Ok(_) => {}
                    Err(_) => *self = Self::Broken,
                }
                decoded
            }
        }
    }

    /// The stream ended: whether the body was complete.
    pub fn finish_at_eof(&mut self) -> bool {
        let complete = matches!(self, Self::UntilClose | Self::Done);
        *self = Self::Done;
        complete
    }
}

impl Chunked {
    fn decode(&mut self, buf: &mut BytesMut) -> Result<Decoded, Malformed> {
        loop {
            match &mut self.state {
                ChunkState::Size => {
                    let Some(line) = take_line(buf)? else { return Ok(Decoded::More) };
                    let (size, extension) = chunk_size(&line)?;
                    self.extensions += extension;
                    if self.extensions > MAX_EXTENSIONS {
                        return Err(Malformed::Syntax);
                    }
                    self.state = match size {
                        0 => ChunkState::Trailers { scanned: 0 },
                        size => ChunkState::Data(size),
                    };
                }
                ChunkState::Data(_) if buf.is_empty() => return Ok(Decoded::More),
                ChunkState::Data(left) => {
                    let data = take(buf, *left);
                    *left -= data.len() as u64;
                    if *left == 0 {
                        self.state = ChunkState::DataEnd;
                    }
                    return Ok(Decoded::Frame(Frame::Data(data)));
                }
                ChunkState::DataEnd => {
                    match buf.as_ref() {
                        [b'\r', b'\n', ..] => buf.advance(2),
                        [] | [b'\r'] => return Ok(Decoded::More),
                        _ => return Err(Malformed::Syntax),
                    }
                    self.state = ChunkState::Size;
                }
                ChunkState::Trailers { scanned } => {
                    if buf.starts_with(b"\r\n") {
                        buf.advance(2);
                        return Ok(Decoded::End);
                    }
                    let end = match fields::section_end(buf, scanned)? {
                        Some(end) if end <= MAX_TRAILERS => end,
                        None if buf.len() < MAX_TRAILERS => return Ok(Decoded::More),
                        _ => return Err(Malformed::HeaderTooLarge),
                    };
                    let trailers = fields::trailers(buf.split_to(end).freeze())?;
                    return Ok(Decoded::Frame(Frame::Trailers(trailers)));
                }
            }
        }
    }
}

fn take(buf: &mut BytesMut, most: u64) -> Bytes {
    let count = usize::try_from(most).unwrap_or(usize::MAX).min(buf.len());
    buf.split_to(count).freeze()
}

/// A whole line without its CRLF.
fn take_line(buf: &mut BytesMut) -> Result<Option<BytesMut>, Malformed> {
    let window = &buf[..buf.len().min(MAX_CHUNK_LINE)];
    match memchr::memchr(b'\n', window) {
        Some(end) if end > 0 && window[end - 1] == b'\r' => {
            let mut line = buf.split_to(end + 1);
            line.truncate(end - 1);
            Ok(Some(line))
        }
        Some(_) => Err(Malformed::Syntax),
        None if buf.len() >= MAX_CHUNK_LINE => Err(Malformed::Syntax),
        None => match memchr::memchr(b'\r', window) {
            Some(at) if at + 1 < window.len() => Err(Malformed::Syntax),
            _ => Ok(None),
        },
    }
}

/// `chunk-size [ chunk-ext ]`: the size, and how long the extensions are.
fn chunk_size(line: &[u8]) -> Result<(u64, usize), Malformed> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits == 0 || digits > 15 {
        return Err(Malformed::Syntax);
    }
    let size = line[..digits].iter().fold(0u64, |size, digit| {
        size << 4 | u64::from((*digit as char).to_digit(16).unwrap_or(0))
    });
    let extensions = &line[digits..];
    match are_extensions(extensions) {
        true => Ok((size, extensions.len())),
        false => Err(Malformed::Syntax),
    }
}

/// `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )` (RFC 9112 §7.1.1).
fn are_extensions(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let Some(named) = after(b';', rest) else { return false };
        let Some(name) = token(named) else { return false };
        rest = name;
        if let Some(valued) = after(b'=', rest) {
            let Some(value) = token(valued).or_else(|| quoted_string(valued)) else { return false };
            rest = value;
        }
    }
    true
}

/// What follows a delimiter, which may have blanks on both sides.
fn after(delimiter: u8, text: &[u8]) -> Option<&[u8]> {
    match unblanked(text) {
        [first, rest @ ..] if *first == delimiter => Some(unblanked(rest)),
        _ => None,
    }
}

fn unblanked(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// What follows a token (RFC 9110 §5.6.2).
fn token(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().take_while(|byte| is_token_byte(**byte)).count();
    (length > 0).then(|| &text[length..])
}

/// What follows a quoted string (RFC 9110 §5.6.4).
fn quoted_string(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        rest = match rest {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'\t' | b' '..=b'~' | 0x80.., rest @ ..] => rest,
            [b'\t' | b' '..=b'[' | b']'..=b'~' | 0x80.., rest @ ..] => rest,
            _ => return None,
        }
    }
}

/// Writes a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoder {
    /// So many bytes are still to be written.
    Length(u64),
    /// Chunked coding.
    Chunked,
    /// As it comes; the end of the stream ends it.
    UntilClose,
    /// The message has no body: data is dropped (answers to HEAD).
    None,
}

impl Encoder {
    /// Queue a piece of body. Data beyond the announced length is an error of its producer.
    pub fn data(&mut self, data: Bytes, output: &mut Output) -> Result<(), Malformed> {
        match self {
            Self::None => {}
            Self::UntilClose => output.push(data, b""),
            Self::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(Malformed::Syntax)?;
                output.push(data, b"");
            }
            Self::Chunked if data.is_empty() => {}
            Self::Chunked => {
                push_hex(output.buffer(), data.len());
                output.push(data, b"\r\n");
            }
        }
        Ok(())
    }

    /// Queue the end of the body; an error if less came than was announced.
    pub fn end(
        &mut self,
        trailers: Option<&HeaderMap>,
        output: &mut Output,
    ) -> Result<(), Malformed> {
        match self {
            Self::Length(1..) => return Err(Malformed::Syntax),
            Self::Chunked => {
                let buffer = output.buffer();
                buffer.extend_from_slice(b"0\r\n");
                for (name, value) in trailers.into_iter().flatten() {
                    fields::push(buffer, name, value);
                }
                buffer.extend_from_slice(b"\r\n");
            }
            _ => {}
        }
        *self = Self::None;
        Ok(())
    }
}

fn push_hex(buffer: &mut Vec<u8>, size: usize) {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for shift in (0..digits).rev() {
        buffer.push(b"0123456789abcdef"[(size >> (shift * 4)) & 15]);
    }
    buffer.extend_from_slice(b"\r\n");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feed `bytes` in pieces and collect the body.
    fn read(
        mut decoder: Decoder,
        bytes: &[u8],
        piece: usize,
    ) -> Result<(Vec<u8>, bool), Malformed> {
        let (mut buf, mut body) = (BytesMut::new(), Vec::new());
        for part in bytes.chunks(piece.max(1)) {
            buf.extend_from_slice(part);
            loop {
                match decoder.decode(&mut buf)? {
                    Decoded::Frame(Frame::Data(data)) => body.extend_from_slice(&data),
                    Decoded::Frame(Frame::Trailers(_)) => {}
                    Decoded::More => break,
                    Decoded::End => return Ok((body, true)),
                }
            }
        }
        Ok((body, decoder.is_done()))
    }

    #[test]
    fn chunks_are_joined() {
        let wire = b"4\r\nWiki\r\n5;ext=1\r\npedia\r\n0\r\n\r\n";
        for piece in 1..wire.len() {
            assert_eq!(read(Decoder::chunked(), wire, piece), Ok((b"Wikipedia".to_vec(), true)));
        }
    }

    #[test]
    fn a_chunk_that_two_parsers_could_read_differently_is_refused() {
        for wire in [
            "4\nWiki\r\n",
            " 4\r\nWiki\r\n",
            "0x4\r\nWiki\r\n",
            "+4\r\nWiki\r\n",
            "4 \r\nWiki\r\n",
            "4\r\nWikiX\r\n",
            "\r\n",
            "4;\x01\r\nWiki\r\n",
            "4;\x0ca\r\nWiki\r\n",
            "4;\r\nWiki\r\n",
            "4;;\r\nWiki\r\n",
            "4;=1\r\nWiki\r\n",
            "4;na me\r\nWiki\r\n",
            "4;n@me\r\nWiki\r\n",
            "4;name=\r\nWiki\r\n",
            "4;name=\"open\r\nWiki\r\n",
            "4;name=\"a\"b\r\nWiki\r\n",
            "4;name=a \r\nWiki\r\n",
            "11111111111111111\r\n",
            "4\r\nWiki\n0\r\n",
            "4\r\r\nWiki\r\n",
        ] {
            assert_eq!(
                read(Decoder::chunked(), wire.as_bytes(), 1),
                Err(Malformed::Syntax),
                "{wire:?}"
            );
        }
    }

    #[test]
    fn extensions_are_read_over() {
        for extensions in [
            ";a",
            ";a;b=1",
            " ; a = 1 ;\tb",
            ";a=\"\"",
            ";a=\"x;y=\\\"z\"",
            ";a=\"\u{e9}\";b",
            ";!#$%&'*+-.^_`|~09az",
        ] {
            let wire = format!("1{extensions}\r\na\r\n0{extensions}\r\n\r\n");
            let body = read(Decoder::chunked(), wire.as_bytes(), 1);
            assert_eq!(body, Ok((b"a".to_vec(), true)), "{extensions}");
        }
    }

    #[test]
    fn extensions_without_end_are_refused() {
        let mut wire = Vec::new();
        for _ in 0..200 {
            wire.extend_from_slice(b"1;");
            wire.extend_from_slice(&[b'x'; 100]);
            wire.extend_from_slice(b"\r\na\r\n");
        }
        assert_eq!(read(Decoder::chunked(), &wire, 64), Err(Malformed::Syntax));
    }

    #[test]
    fn a_body_shorter_than_announced_is_not_complete() {
        assert!(!Decoder::length(5).finish_at_eof());
        assert!(!Decoder::chunked().finish_at_eof());
        assert!(Decoder::UntilClose.finish_at_eof());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..5000), 0..6), piece in 1usize..700) {
            let (mut output, mut wire) = (Output::default(), Vec::new());
            let mut encoder = Encoder::Chunked;
            for part in &parts {
                encoder.data(Bytes::from(part.clone()), &mut output).unwrap();
                drain(&mut output, &mut wire);
            }
            encoder.end(None, &mut output).unwrap();
            drain(&mut output, &mut wire);
            prop_assert_eq!(read(Decoder::chunked(), &wire, piece), Ok((parts.concat(), true)));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(wire in proptest::collection::vec(any::<u8>(), 0..200), piece in 1usize..50) {
            let _ = read(Decoder::chunked(), &wire, piece);
        }
    }

    fn drain(output: &mut Output, wire: &mut Vec<u8>) {
        wire.extend_from_slice(&output.contents());
    }
}
