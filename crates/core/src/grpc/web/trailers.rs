//! The last frame of a response: its trailers.

use http::HeaderMap;

/// The flag of such a frame.
const TRAILERS: u8 = 0x80;

/// The frame that `trailers` are in, written as HTTP/1 writes fields.
pub fn trailers_frame(trailers: &HeaderMap) -> Vec<u8> {
    let mut frame = vec![TRAILERS, 0, 0, 0, 0];
    for (name, value) in trailers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            frame.extend_from_slice(part);
        }
    }
    // Trailers are far smaller: the limits of heads hold for them.
    let length = u32::try_from(frame.len() - 5).unwrap_or(u32::MAX);
    frame[1..5].copy_from_slice(&length.to_be_bytes());
    frame
}

#[cfg(test)]
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
    fn no_trailers_are_an_empty_frame() {
        assert_eq!(trailers_frame(&HeaderMap::new()), [0x80, 0, 0, 0, 0]);
    }
}
