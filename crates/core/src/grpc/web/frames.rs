//! The frames that content is made of: a flag, a length of four bytes, and as many bytes (*gRPC over HTTP2*,
//! Length-Prefixed-Message).

use super::Malformed;

/// Bytes before those of the message.
const PREFIX: usize = 5;
/// The largest flag of a message: it is compressed.
const COMPRESSED: u8 = 1;

/// Follows content that comes in pieces from frame to frame, and keeps nothing of it.
#[derive(Debug, Default)]
pub struct Frames {
    /// Bytes of the frame's prefix that came.
    known: usize,
    /// The length of its message, as far as it came.
    length: u32,
    /// Bytes of the message that are to come.
    message: u32,
}

impl Frames {
    /// Look at the next piece.
    ///
    /// # Errors
    /// If a frame is none of a message: what clients and endpoints send are messages alone, the frame of the trailers is
    /// the gateway's.
    pub fn pass(&mut self, mut piece: &[u8]) -> Result<(), Malformed> {
        loop {
            let skipped = piece.len().min(self.message as usize);
            self.message -= skipped as u32;
            piece = &piece[skipped..];
            let Some((&byte, rest)) = piece.split_first() else { return Ok(()) };
            piece = rest;
            if self.known == 0 && byte > COMPRESSED {
                return Err(Malformed::Flag);
            }
            // The flag is shifted out again.
            self.length = self.length << 8 | u32::from(byte);
            self.known += 1;
            if self.known == PREFIX {
                *self = Self { message: self.length, ..Self::default() };
            }
        }
    }

    /// Whether the content may end here.
    pub fn is_between(&self) -> bool {
        self.known == 0 && self.message == 0
    }

    /// The content ends.
    ///
    /// # Errors
    /// If a frame is not whole.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.is_between() { Ok(()) } else { Err(Malformed::PartialFrame) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::cut;
    use super::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Malformed> {
        let mut frames = Frames::default();
        pieces.into_iter().try_for_each(|piece| frames.pass(piece))?;
        frames.end()
    }

    fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        [&[flag], &length.to_be_bytes()[..], message].concat()
    }

    #[test]
    fn content_ends_between_two_frames() {
        let content = [frame(0, b"one"), frame(1, &[0x80; 300]), frame(0, b"")].concat();
        assert_eq!(read([&content[..]]), Ok(()));
        assert_eq!(read([]), Ok(()));
        for end in [1, 4, 5, 7, 9, 308, 314, 317] {
            assert_eq!(read([&content[..end]]), Err(Malformed::PartialFrame), "{end}");
        }
    }

    #[test]
    fn only_messages_are_frames_of_a_request() {
        for flag in [2, 0x80, 0x81, 0xff] {
            let content = [frame(0, b"one"), frame(flag, b"two")].concat();
            assert_eq!(read([&content[..]]), Err(Malformed::Flag), "{flag}");
        }
    }

    #[test]
    fn a_length_of_all_that_there_can_be_is_believed_and_nothing_kept_for_it() {
        assert_eq!(read([&[0, 0xff, 0xff, 0xff, 0xff, 1][..]]), Err(Malformed::PartialFrame));
    }

    proptest! {
        /// The frames of content are the same in whatever pieces it comes.
        #[test]
        fn content_is_judged_alike_in_all_pieces(
            messages: Vec<(bool, Vec<u8>)>, rest in proptest::collection::vec(0u8..3, 0..9), pieces: Vec<u8>,
        ) {
            let frames = messages.iter().map(|(compressed, message)| frame(u8::from(*compressed), message));
            let whole = frames.collect::<Vec<_>>().concat();
            prop_assert_eq!(read(cut(&whole, &pieces)), Ok(()));
            let longer = [whole, rest].concat();
            prop_assert_eq!(read(cut(&longer, &pieces)), read([&longer[..]]));
        }
    }
}
