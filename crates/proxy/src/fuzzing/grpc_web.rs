//! gRPC-Web is read the same however it arrives, and what is written of it is read as it was.

use tidegate_core::grpc::web::{BadContent, Frames, TextDecoder, encode_text};

use super::cuttings;

/// The content of a request, in the text format and in the other one.
pub fn grpc_web(wire: &[u8]) {
    let [whole, bytewise, uneven] = cuttings(wire).map(|pieces| decode(&pieces));
    assert_eq!(whole, bytewise, "a text that is read whole and byte by byte");
    assert_eq!(whole, uneven, "a text that is read whole and in uneven pieces");
    for content in whole.iter().map(Vec::as_slice).chain([wire]) {
        let [judged, bytewise, uneven] = cuttings(content).map(|pieces| judge(&pieces));
        assert_eq!(judged, bytewise, "frames that are read whole and byte by byte");
        assert_eq!(judged, uneven, "frames that are read whole and in uneven pieces");
        assert_eq!(
            judged.is_ok(),
            is_framed(content),
            "frames as they are found when all is there"
        );
        for pieces in cuttings(content) {
            let text: String = pieces.into_iter().map(encode_text).collect();
            assert_eq!(decode(&[text.as_bytes()]).as_deref(), Ok(content), "written and read");
        }
    }
}

fn decode(pieces: &[&[u8]]) -> Result<Vec<u8>, BadContent> {
    let (mut decoder, mut bytes) = (TextDecoder::default(), Vec::new());
    for piece in pieces {
        bytes.extend(decoder.decode(piece)?);
    }
    decoder.end().map(|()| bytes)
}

fn judge(pieces: &[&[u8]]) -> Result<(), BadContent> {
    let mut frames = Frames::default();
    pieces.iter().try_for_each(|piece| frames.pass(piece))?;
    frames.end()
}

/// Whether `content` is frames of messages, one behind the other.
fn is_framed(mut content: &[u8]) -> bool {
    while let Some((prefix, rest)) = content.split_first_chunk::<5>() {
        let [flag, length @ ..] = prefix;
        let length = u32::from_be_bytes(*length) as usize;
        let Some((_, rest)) = rest.split_at_checked(length).filter(|_| *flag <= 1) else {
            return false;
        };
        content = rest;
    }
    content.is_empty()
}
