//! Frames of content that is on its way.

use super::super::frame::{COMPRESSED, PREFIX};
use super::BadContent;

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
    pub fn pass(&mut self, mut piece: &[u8]) -> Result<(), BadContent> {
        loop {
            let skipped = piece.len().min(self.message as usize);
            self.message -= skipped as u32;
            piece = &piece[skipped..];
            let Some((&byte, rest)) = piece.split_first() else { return Ok(()) };
            piece = rest;
            if self.known == 0 && byte > COMPRESSED {
                return Err(BadContent::Flag);
            }
            // The flag is shifted out again.
            self.length = self.length << 8 | u32::from(byte);
            self.known += 1;
            if self.known == PREFIX {
                *self = Self { message: self.length, ..Self::default() };
            }
        }
    }

    /// Whether a frame may begin here, or the content end.
    pub fn is_between(&self) -> bool {
        self.known == 0 && self.message == 0
    }

    /// The content ends.
    ///
    /// # Errors
    /// If a frame is not whole.
    pub fn end(&self) -> Result<(), BadContent> {
        if self.is_between() { Ok(()) } else { Err(BadContent::PartialFrame) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::frame::frame;
    use super::super::testing::cut;
    use super::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(), BadContent> {
        let mut frames = Frames::default();
        pieces.into_iter().try_for_each(|piece| frames.pass(piece))?;
        frames.end()
    }

    #[test]
    fn content_ends_between_two_frames() {
        let content = [frame(0, b"one"), frame(1, &[0x80; 300]), frame(0, b"")].concat();
        assert_eq!(read([&content[..]]), Ok(()));
        assert_eq!(read([]), Ok(()));
        for end in [1, 4, 5, 7, 9, 308, 314, 317] {
            assert_eq!(read([&content[..end]]), Err(BadContent::PartialFrame), "{end}");
        }
    }

    #[test]
    fn only_messages_are_frames_of_a_request() {
        for flag in [2, 0x80, 0x81, 0xff] {
            let content = [frame(0, b"one"), frame(flag, b"two")].concat();
            assert_eq!(read([&content[..]]), Err(BadContent::Flag), "{flag}");
        }
    }

    #[test]
    fn a_length_of_all_that_there_can_be_is_believed_and_nothing_kept_for_it() {
        assert_eq!(read([&[0, 0xff, 0xff, 0xff, 0xff, 1][..]]), Err(BadContent::PartialFrame));
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
