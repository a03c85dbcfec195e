//! The chunked coding is decoded the same however it arrives, and again after it was written.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};

use super::cuttings;
use crate::http::body::Frame;
use crate::http::h1::framing::{Decoded, Decoder, Encoder};
use crate::http::h1::output::Output;

/// So small that [`Output`] keeps it in its buffer.
const PIECE: usize = 1024;

/// A body in chunked coding, and what follows it.
pub fn chunked(wire: &[u8]) {
    let [whole, bytewise, uneven] = cuttings(wire).map(|pieces| read(&pieces));
    assert_eq!(whole, bytewise, "read whole and byte by byte");
    assert_eq!(whole, uneven, "read whole and in uneven pieces");
    let Ending::Complete { length } = whole.ending else { return };
    assert!(whole.content.len() + b"0\r\n\r\n".len() <= length, "content that did not come");
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING, HOST] {
        assert!(!whole.trailers.contains_key(name), "too late in a trailer");
    }
    let written = write(&whole);
    let again = read(&[&written]);
    assert_eq!(again.ending, Ending::Complete { length: written.len() });
    assert_eq!((again.content, again.trailers), (whole.content, whole.trailers));
}

#[derive(Debug, PartialEq)]
struct Message {
    content: Vec<u8>,
    trailers: HeaderMap,
    ending: Ending,
}

#[derive(Debug, PartialEq)]
enum Ending {
    /// After so many bytes of the wire.
    Complete {
        length: usize,
    },
    Incomplete,
    Refused,
}

fn read(pieces: &[&[u8]]) -> Message {
    let (mut decoder, mut buf, mut fed) = (Decoder::chunked(), BytesMut::new(), 0);
    let (mut content, mut trailers) = (Vec::new(), HeaderMap::new());
    let mut pieces = pieces.iter();
    let ending = loop {
        match decoder.decode(&mut buf) {
            Ok(Decoded::Frame(Frame::Data(data))) => content.extend_from_slice(&data),
            Ok(Decoded::Frame(Frame::Trailers(fields))) => trailers = fields,
            Ok(Decoded::End) => break Ending::Complete { length: fed - buf.len() },
            Err(_) => break Ending::Refused,
            Ok(Decoded::More) => match pieces.next() {
                None => break Ending::Incomplete,
                Some(piece) => {
                    buf.extend_from_slice(piece);
                    fed += piece.len();
                }
            },
        }
    };
    assert_eq!(decoder.is_done(), matches!(ending, Ending::Complete { .. }));
    Message { content, trailers, ending }
}

fn write(message: &Message) -> Vec<u8> {
    let (mut encoder, mut output) = (Encoder::Chunked, Output::default());
    for piece in message.content.chunks(PIECE) {
        assert_eq!(encoder.data(Bytes::copy_from_slice(piece), &mut output), Ok(()));
    }
    assert_eq!(encoder.end(Some(&message.trailers), &mut output), Ok(()));
    std::mem::take(output.buffer())
}
