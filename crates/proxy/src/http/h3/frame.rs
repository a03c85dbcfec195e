//! Frames, found in what a stream brings, piece by piece (RFC 9114 §7).
//!
//! Nothing is kept but what is wanted whole, and of that no more than a limit allows, whatever length is announced: content
//! is handed on as it comes, unknown frames are skipped.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::code::Code;
use super::varint;

/// Types of frames.
pub const DATA: u64 = 0x00;
/// A field section.
pub const HEADERS: u64 = 0x01;
const CANCEL_PUSH: u64 = 0x03;
/// What the peer says of itself.
pub const SETTINGS: u64 = 0x04;
const PUSH_PROMISE: u64 = 0x05;
/// Which requests will not be carried out any more.
pub const GOAWAY: u64 = 0x07;
const MAX_PUSH_ID: u64 = 0x0d;
/// A request's new priority (RFC 9218 §7.2).
pub const PRIORITY_UPDATE: u64 = 0xf0700;
const PRIORITY_UPDATE_OF_PUSH: u64 = 0xf0701;
/// Those of HTTP/2 that have no like here (RFC 9114 §7.2.8).
const OF_HTTP2: [u64; 4] = [0x02, 0x06, 0x08, 0x09];

/// Most bytes of a frame on a control stream.
const CONTROL_PAYLOAD: u64 = 4 * 1024;
/// Bytes of the longest frame header: type and length.
const LONGEST_HEADER: usize = 2 * varint::LONGEST;

/// What comes on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Content, or part of it.
    Data(Bytes),
    /// A whole field section, as QPACK encodes it.
    Section(Bytes),
    /// A whole frame of a control stream, of this type.
    Control(u64, Bytes),
}

/// How what came breaks the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// The connection ends with it.
    Connection(Code),
    /// A field section is longer than it may be.
    SectionTooLarge,
}

/// The side of a connection that frames come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The one that asks.
    Client,
    /// The one that answers.
    Server,
}

/// The stream that frames come on, which decides with their sender what they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A request's stream, with at most so many bytes of a field section.
    Request {
        /// As they are encoded, which is never more than decoded.
        section: u64,
    },
    /// The control stream.
    Control,
}

/// What is done with a frame's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Treatment {
    HandOn,
    Keep,
    Skip,
}

/// Finds the frames of one stream.
#[derive(Debug)]
pub struct Frames {
    peer: Peer,
    carrier: Carrier,
    /// The beginning of a frame, as far as it came.
    header: [u8; LONGEST_HEADER],
    known: usize,
    /// The frame whose payload comes.
    frame: Option<Frame>,
    kept: BytesMut,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    kind: u64,
    left: u64,
    treatment: Treatment,
}

impl Frames {
    /// Find those that a peer sends on a stream.
    pub fn new(peer: Peer, carrier: Carrier) -> Self {
        let header = [0; LONGEST_HEADER];
        Self { peer, carrier, header, known: 0, frame: None, kept: BytesMut::new() }
    }

    /// The next piece in `input`, of which is taken what was read; `None`: more must come.
    ///
    /// # Errors
    /// How it breaks the protocol.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Piece>, Breach> {
        loop {
            let frame = match self.frame {
                Some(frame) => frame,
                None => match self.begin(input)? {
                    Some(frame) => frame,
                    None => return Ok(None),
                },
            };
            if let Some(piece) = self.go_on(frame, input) {
                return Ok(Some(piece));
            }
            if self.frame.is_some() {
                return Ok(None);
            }
        }
    }

    /// Whether the stream may end here.
    pub fn is_between(&self) -> bool {
        self.frame.is_none() && self.known == 0
    }

    /// Read the header of a frame.
    fn begin(&mut self, input: &mut Bytes) -> Result<Option<Frame>, Breach> {
        for read in 0..=input.len() {
            if let Some((kind, length)) = self.whole_header() {
                input.advance(read);
                self.known = 0;
                let treatment = self.carrier.treat(self.peer, kind, length)?;
                let frame = Frame { kind, left: length, treatment };
                self.frame = Some(frame);
                return Ok(Some(frame));
            }
            if let Some(byte) = input.get(read) {
                self.header[self.known] = *byte;
                self.known += 1;
            }
        }
        input.clear();
        Ok(None)
    }

    fn whole_header(&self) -> Option<(u64, u64)> {
        let known = &self.header[..self.known];
        let (kind, read) = varint::read(known)?;
        let (length, _) = varint::read(&known[read..])?;
        Some((kind, length))
    }

    /// Read the payload of `frame`, or a part of it.
    fn go_on(&mut self, mut frame: Frame, input: &mut Bytes) -> Option<Piece> {
        let there = usize::try_from(frame.left).unwrap_or(usize::MAX).min(input.len());
        let part = input.split_to(there);
        frame.left -= there as u64;
        let is_whole = frame.left == 0;
        self.frame = Some(frame).filter(|_| !is_whole);
        match frame.treatment {
            Treatment::Skip => None,
            Treatment::HandOn => (!part.is_empty()).then_some(Piece::Data(part)),
            Treatment::Keep if is_whole => {
                let payload = self.keep_last(part);
                Some(match frame.kind {
                    HEADERS => Piece::Section(payload),
                    kind => Piece::Control(kind, payload),
                })
            }
            Treatment::Keep => {
                self.kept.extend_from_slice(&part);
                None
            }
        }
    }

    /// The payload that ends with `part`, which is most often all of it.
    fn keep_last(&mut self, part: Bytes) -> Bytes {
        if self.kept.is_empty() {
            return part;
        }
        self.kept.extend_from_slice(&part);
        std::mem::take(&mut self.kept).freeze()
    }
}

impl Carrier {
    fn treat(self, peer: Peer, kind: u64, length: u64) -> Result<Treatment, Breach> {
        match self {
            Self::Request { section } => Self::on_request(peer, kind, length, section),
            Self::Control => match peer {
                Peer::Client => Self::on_control_of_client(kind, length),
                Peer::Server => Self::on_control_of_server(kind, length),
            },
        }
    }

    fn on_request(peer: Peer, kind: u64, length: u64, section: u64) -> Result<Treatment, Breach> {
        match kind {
            // None was allowed (RFC 9114 §7.2.5).
            PUSH_PROMISE if peer == Peer::Server => Err(Breach::Connection(Code::ID_ERROR)),
            DATA => Ok(Treatment::HandOn),
            HEADERS if length > section => Err(Breach::SectionTooLarge),
            HEADERS => Ok(Treatment::Keep),
            PUSH_PROMISE
            | CANCEL_PUSH
            | SETTINGS
            | GOAWAY
            | MAX_PUSH_ID
            | PRIORITY_UPDATE
            | PRIORITY_UPDATE_OF_PUSH => Err(Breach::Connection(Code::FRAME_UNEXPECTED)),
            _ => Self::unknown(kind),
        }
    }

    fn on_control_of_client(kind: u64, length: u64) -> Result<Treatment, Breach> {
        match kind {
            SETTINGS | GOAWAY | MAX_PUSH_ID | PRIORITY_UPDATE => Self::keep(length),
            // Nothing is pushed that could be cancelled or come first (RFC 9114 §7.2.3, RFC 9218 §7.2).
            CANCEL_PUSH | PRIORITY_UPDATE_OF_PUSH => Err(Breach::Connection(Code::ID_ERROR)),
            DATA | HEADERS | PUSH_PROMISE => Err(Breach::Connection(Code::FRAME_UNEXPECTED)),
            _ => Self::unknown(kind),
        }
    }

    fn on_control_of_server(kind: u64, length: u64) -> Result<Treatment, Breach> {
        match kind {
            SETTINGS | GOAWAY => Self::keep(length),
            // None can be, as none was allowed (RFC 9114 §7.2.3).
            CANCEL_PUSH => Err(Breach::Connection(Code::ID_ERROR)),
            MAX_PUSH_ID
            | PRIORITY_UPDATE
            | PRIORITY_UPDATE_OF_PUSH
            | DATA
            | HEADERS
            | PUSH_PROMISE => Err(Breach::Connection(Code::FRAME_UNEXPECTED)),
            _ => Self::unknown(kind),
        }
    }

    fn keep(length: u64) -> Result<Treatment, Breach> {
        match length > CONTROL_PAYLOAD {
            true => Err(Breach::Connection(Code::EXCESSIVE_LOAD)),
            false => Ok(Treatment::Keep),
        }
    }

    fn unknown(kind: u64) -> Result<Treatment, Breach> {
        match OF_HTTP2.contains(&kind) {
            true => Err(Breach::Connection(Code::FRAME_UNEXPECTED)),
            false => Ok(Treatment::Skip),
        }
    }
}

/// Write a frame whose payload is what `write` adds.
pub fn write(kind: u64, into: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    varint::write(kind, into);
    let at = into.len();
    into.put_u32(0);
    write(into);
    // The form of four bytes (RFC 9000 §16), as the length is known only now; no section has 2^30 bytes.
    let length = (into.len() - at - LENGTH) as u32 | 2 << 30;
    if let Some(place) = into.get_mut(at..at + LENGTH) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Bytes of a length that is known only afterwards.
const LENGTH: usize = size_of::<u32>();

/// Write the header of a frame whose payload has `length` bytes.
pub fn begin(kind: u64, length: usize, into: &mut impl BufMut) {
    varint::write(kind, into);
    varint::write(length as u64, into);
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Carrier = Carrier::Request { section: 100 };

    fn frame(kind: u64, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        begin(kind, payload.len(), &mut bytes);
        bytes.extend_from_slice(payload);
        bytes
    }

    /// What is found where a client's stream comes in parts of this size; content is joined.
    fn found(carrier: Carrier, bytes: &[u8], part: usize) -> Result<Vec<Piece>, Breach> {
        found_from(Peer::Client, carrier, bytes, part)
    }

    fn found_from(
        peer: Peer,
        carrier: Carrier,
        bytes: &[u8],
        part: usize,
    ) -> Result<Vec<Piece>, Breach> {
        let (mut frames, mut pieces) = (Frames::new(peer, carrier), Vec::<Piece>::new());
        for part in bytes.chunks(part) {
            let mut input = Bytes::copy_from_slice(part);
            while let Some(piece) = frames.next(&mut input)? {
                match (pieces.last_mut(), piece) {
                    (Some(Piece::Data(before)), Piece::Data(data)) => {
                        *before = [&before[..], &data[..]].concat().into();
                    }
                    (_, piece) => pieces.push(piece),
                }
            }
            assert!(input.is_empty());
        }
        Ok(pieces)
    }

    #[test]
    fn frames_are_found_whatever_the_parts_they_come_in() {
        let bytes = [
            frame(HEADERS, b"head"),
            frame(0x21, &[7; 300]),
            frame(DATA, &[]),
            frame(DATA, &[1; 200]),
            frame(DATA, b"more"),
            frame(HEADERS, b"trailers"),
        ]
        .concat();
        let data = [&[1; 200][..], b"more"].concat();
        let expected = [
            Piece::Section(Bytes::from_static(b"head")),
            Piece::Data(data.into()),
            Piece::Section(Bytes::from_static(b"trailers")),
        ];
        for part in [1, 2, 3, 7, 100, 10_000] {
            assert_eq!(found(REQUEST, &bytes, part), Ok(expected.to_vec()), "in parts of {part}");
        }
    }

    #[test]
    fn a_frame_whose_length_is_known_only_afterwards_is_read_as_any() {
        let mut bytes = BytesMut::from(&frame(DATA, b"before")[..]);
        let section = Bytes::from(vec![7; 20_000]);
        write(HEADERS, &mut bytes, |payload| payload.extend_from_slice(&section));
        let mut frames =
            Frames::new(Peer::Server, Carrier::Request { section: section.len() as u64 });
        let mut input = bytes.freeze();
        assert_eq!(frames.next(&mut input), Ok(Some(Piece::Data(Bytes::from_static(b"before")))));
        assert_eq!(frames.next(&mut input), Ok(Some(Piece::Section(section))));
        assert!(input.is_empty() && frames.is_between());
    }

    #[test]
    fn a_section_that_is_announced_longer_than_allowed_is_refused_before_it_comes() {
        let mut announced = Vec::new();
        begin(HEADERS, 1 << 30, &mut announced);
        assert_eq!(found(REQUEST, &announced, 1), Err(Breach::SectionTooLarge));
    }

    #[test]
    fn an_unknown_frame_of_any_length_is_skipped_and_not_kept() {
        let mut frames = Frames::new(Peer::Client, REQUEST);
        let mut announced = Vec::new();
        begin(0x21, 1 << 30, &mut announced);
        assert_eq!(frames.next(&mut announced.into()), Ok(None));
        for _ in 0..1_000 {
            assert_eq!(frames.next(&mut Bytes::from(vec![0; 10_000])), Ok(None));
        }
        assert_eq!(frames.kept.capacity(), 0);
        assert!(!frames.is_between());
    }

    #[test]
    fn each_stream_has_frames_of_its_own() {
        use Peer::{Client, Server};
        for (peer, carrier, kind, code) in [
            (Client, REQUEST, SETTINGS, Code::FRAME_UNEXPECTED),
            (Client, REQUEST, GOAWAY, Code::FRAME_UNEXPECTED),
            (Client, REQUEST, PUSH_PROMISE, Code::FRAME_UNEXPECTED),
            (Client, REQUEST, PRIORITY_UPDATE, Code::FRAME_UNEXPECTED),
            (Client, REQUEST, 0x02, Code::FRAME_UNEXPECTED),
            (Client, Carrier::Control, DATA, Code::FRAME_UNEXPECTED),
            (Client, Carrier::Control, HEADERS, Code::FRAME_UNEXPECTED),
            (Client, Carrier::Control, PRIORITY_UPDATE_OF_PUSH, Code::ID_ERROR),
            (Client, Carrier::Control, CANCEL_PUSH, Code::ID_ERROR),
            (Client, Carrier::Control, 0x09, Code::FRAME_UNEXPECTED),
            (Server, REQUEST, GOAWAY, Code::FRAME_UNEXPECTED),
            (Server, REQUEST, PUSH_PROMISE, Code::ID_ERROR),
            (Server, Carrier::Control, PRIORITY_UPDATE, Code::FRAME_UNEXPECTED),
            (Server, Carrier::Control, MAX_PUSH_ID, Code::FRAME_UNEXPECTED),
            (Server, Carrier::Control, CANCEL_PUSH, Code::ID_ERROR),
        ] {
            let found = found_from(peer, carrier, &frame(kind, &[0]), 10);
            assert_eq!(
                found,
                Err(Breach::Connection(code)),
                "{kind:#x} of {peer:?} on {carrier:?}"
            );
        }
    }

    #[test]
    fn a_control_stream_is_not_made_to_keep_much() {
        let mut announced = Vec::new();
        begin(SETTINGS, 1 << 40, &mut announced);
        let found = found(Carrier::Control, &announced, 20);
        assert_eq!(found, Err(Breach::Connection(Code::EXCESSIVE_LOAD)));
    }

    #[test]
    fn a_stream_ends_between_frames_or_not_rightly() {
        let mut frames = Frames::new(Peer::Client, REQUEST);
        for (bytes, is_between) in
            [(&[0x01][..], false), (&[0x02, 1], false), (&[2], true), (&[0x00], false)]
        {
            let mut input = Bytes::copy_from_slice(bytes);
            while frames.next(&mut input).is_ok_and(|piece| piece.is_some()) {}
            assert_eq!(frames.is_between(), is_between, "after {bytes:?}");
        }
    }
}
