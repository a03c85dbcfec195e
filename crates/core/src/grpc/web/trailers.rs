//! The last frame of a response: its trailers.

use http::HeaderMap;

use super::super::frame::frame;

/// The flag of such a frame.
const TRAILERS: u8 = 0x80;

/// The frame that `trailers` are in, written as HTTP/1 writes fields.
pub fn trailers_frame(trailers: &HeaderMap) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in trailers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            lines.extend_from_slice(part);
        }
    }
    frame(TRAILERS, &lines)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::grpc::{GRPC_MESSAGE, GRPC_STATUS};

    #[test]
    fn trailers_are_lines_of_fields_in_a_frame_of_their_own() {
        let trailers = HeaderMap::from_iter([
            (GRPC_STATUS, HeaderValue::from_static("5")),
            (GRPC_MESSAGE, HeaderValue::from_static("no such order")),
            (HeaderName::from_static("x-detail"), HeaderValue::from_static("a")),
            (HeaderName::from_static("x-detail"), HeaderValue::from_static("b")),
        ]);
        let text =
            b"grpc-status: 5\r\ngrpc-message: no such order\r\nx-detail: a\r\nx-detail: b\r\n";
        assert_eq!(trailers_frame(&trailers), [&[0x80, 0, 0, 0, 71][..], text].concat());
    }

    #[test]
    fn long_trailers_are_whole_and_of_the_length_that_is_said() {
        let message = "100%25 ".repeat(10_000);
        let trailers =
            HeaderMap::from_iter([(GRPC_MESSAGE, HeaderValue::try_from(&message).unwrap())]);
        let frame = trailers_frame(&trailers);
        let length = u32::from_be_bytes([frame[1], frame[2], frame[3], frame[4]]) as usize;
        assert_eq!((frame[0], length), (0x80, frame.len() - 5));
        assert!(frame.ends_with(format!("{message}\r\n").as_bytes()));
    }

    #[test]
    fn no_trailers_are_an_empty_frame() {
        assert_eq!(trailers_frame(&HeaderMap::new()), [0x80, 0, 0, 0, 0]);
    }
}
