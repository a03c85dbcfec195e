//! The text format: base64 (RFC 4648 §4), padded wherever its writer had nothing more to write for the moment.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::BadContent;

/// Characters that stand for three bytes.
const GROUP: usize = 4;

/// Decodes a text that comes in pieces.
#[derive(Debug, Default)]
pub struct TextDecoder {
    /// The beginning of a group whose end has not come.
    begun: Vec<u8>,
}

impl TextDecoder {
    /// The bytes that `piece` and what came before it stand for, as far as groups are whole.
    ///
    /// # Errors
    /// What is wrong with it; what came before in the same piece is lost.
    pub fn decode(&mut self, mut piece: &[u8]) -> Result<Vec<u8>, BadContent> {
        let mut bytes = Vec::with_capacity((self.begun.len() + piece.len()) / GROUP * 3);
        if !self.begun.is_empty() {
            let missing = GROUP - self.begun.len();
            let (end, rest) = piece.split_at(missing.min(piece.len()));
            self.begun.extend_from_slice(end);
            piece = rest;
            if self.begun.len() == GROUP {
                decode_groups(&self.begun, &mut bytes)?;
                self.begun.clear();
            }
        }
        let (groups, rest) = piece.split_at(piece.len() / GROUP * GROUP);
        decode_groups(groups, &mut bytes)?;
        self.begun.extend_from_slice(rest);
        Ok(bytes)
    }

    /// The text ends.
    ///
    /// # Errors
    /// If a group is not whole.
    pub fn end(&self) -> Result<(), BadContent> {
        if self.begun.is_empty() { Ok(()) } else { Err(BadContent::PartialGroup) }
    }
}

/// Adds what whole groups stand for to `bytes`.
fn decode_groups(mut groups: &[u8], bytes: &mut Vec<u8>) -> Result<(), BadContent> {
    while !groups.is_empty() {
        // Padding ends what one decoder takes; another one begins behind it.
        let padded = groups.iter().position(|character| *character == b'=');
        let length = padded.map_or(groups.len(), |at| (at / GROUP + 1) * GROUP);
        let (run, rest) = groups.split_at(length);
        STANDARD.decode_vec(run, bytes).map_err(|_| BadContent::Base64)?;
        groups = rest;
    }
    Ok(())
}

/// `bytes` as a text that can be followed by others.
pub fn encode_text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::cut;
    use super::*;

    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, BadContent> {
        let mut decoder = TextDecoder::default();
        let mut bytes = Vec::new();
        for piece in pieces {
            bytes.extend(decoder.decode(piece)?);
        }
        decoder.end().map(|()| bytes)
    }

    #[test]
    fn padding_may_stand_between_bytes() {
        assert_eq!(decode([&b"YQ==YmM=ZGVm"[..]]).unwrap(), b"abcdef");
    }

    #[test]
    fn what_is_no_base64_is_refused_with_words() {
        for text in ["YQ=a", "=YQ=", "Y===", "YQ*=", "YR==", "YQ==YQ=a", "Y Q="] {
            assert_eq!(decode([text.as_bytes()]), Err(BadContent::Base64), "{text}");
        }
        for text in ["Y", "YQ", "YWJjZ"] {
            assert_eq!(decode([text.as_bytes()]), Err(BadContent::PartialGroup), "{text}");
        }
        assert_eq!(BadContent::Base64.to_string(), "what is said to be base64 is none");
    }

    proptest! {
        /// Whatever pieces bytes are written in, and whatever pieces the text comes in, they are read the same.
        #[test]
        fn bytes_are_read_as_they_were_written(
            bytes: Vec<u8>, written: Vec<u8>, read: Vec<u8>,
        ) {
            let text: String = cut(&bytes, &written).into_iter().map(encode_text).collect();
            prop_assert_eq!(decode(cut(text.as_bytes(), &read)), Ok(bytes));
        }

        /// Whether a text is refused does not depend on the pieces that it comes in.
        #[test]
        fn a_text_is_judged_alike_in_all_pieces(text in "[AQg=*]{0,20}", read: Vec<u8>) {
            let whole = decode([text.as_bytes()]);
            prop_assert_eq!(decode(cut(text.as_bytes(), &read)), whole);
        }
    }
}
