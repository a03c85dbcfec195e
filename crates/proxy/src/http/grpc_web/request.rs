//! Requests: what comes in gRPC-Web goes on in gRPC.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tidegate_core::failure::Failure;
use tidegate_core::grpc::web::{BadContent, Format, Frames, TextDecoder};

use crate::http::body::{Body, Frame, NextFrame, Source};

/// The content of a request whose client writes it in `format`. It fails with [`Failure::MalformedGrpcWeb`] where it is
/// not what that allows, or is cut off.
pub fn from_web(body: Body, format: Format) -> Body {
    if body.is_end() {
        return body;
    }
    let text = (format == Format::Text).then(TextDecoder::default);
    Body::stream(FromWeb { inner: body, text, frames: Frames::default() })
}

struct FromWeb {
    inner: Body,
    /// In the text format.
    text: Option<TextDecoder>,
    frames: Frames,
}

impl FromWeb {
    fn decode(&mut self, piece: Bytes) -> Result<Bytes, BadContent> {
        let piece = match &mut self.text {
            Some(text) => text.decode(&piece)?.into(),
            None => piece,
        };
        self.frames.pass(&piece)?;
        Ok(piece)
    }

    fn end(&self) -> Result<(), BadContent> {
        self.text.as_ref().map_or(Ok(()), TextDecoder::end)?;
        self.frames.end()
    }
}

impl Source for FromWeb {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        loop {
            let next = ready!(self.inner.poll_frame(cx));
            let judged = match next {
                Some(Ok(Frame::Data(piece))) => match self.decode(piece) {
                    // Characters of a group that goes on in the next piece.
                    Ok(piece) if piece.is_empty() => continue,
                    decoded => decoded.map(|piece| Some(Ok(Frame::Data(piece)))),
                },
                Some(Err(_)) => return Poll::Ready(next),
                Some(Ok(Frame::Trailers(_))) | None => self.end().map(|()| next),
            };
            return Poll::Ready(judged.unwrap_or_else(|bad| {
                tracing::debug!(%bad, "the content of a request is no gRPC-Web");
                Some(Err(Failure::MalformedGrpcWeb))
            }));
        }
    }

    fn is_end(&self) -> bool {
        // What is cut off fails when it is asked for more.
        self.inner.is_end() && self.end().is_ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::http::body::testing::{channel, data, read};

    #[test]
    fn messages_go_on_as_they_come_however_a_text_is_cut() {
        let (sender, body) = channel(8);
        let mut body = from_web(body, Format::Text);
        for (piece, bytes) in
            [("AAAA", "\0\0\0"), ("AAF", ""), ("h", "\0\x01a"), ("A", ""), ("A==AAA", "\0")]
        {
            sender.try_send(data(piece)).unwrap();
            assert_eq!(read(&mut body), (bytes.into(), None), "{piece}");
        }
        sender.try_send(data("AAA==")).unwrap();
        drop(sender);
        assert_eq!(read(&mut body), ("\0\0\0\0".into(), Some(Ok(()))));
    }

    #[test]
    fn content_that_is_no_grpc_web_fails() {
        for (format, piece) in [
            (Format::Text, "AA=A"),
            (Format::Text, "AAAAAA"),
            (Format::Text, "AAAAAAJh"),
            (Format::Text, "AgAAAAAA"),
            (Format::Binary, "\0\0\0\0\x02a"),
            (Format::Binary, "\x02\0\0\0\0"),
        ] {
            let (sender, body) = channel(1);
            sender.try_send(data(piece)).unwrap();
            drop(sender);
            let end = read(&mut from_web(body, format)).1;
            assert_eq!(end, Some(Err(Failure::MalformedGrpcWeb)), "{piece}");
        }
    }

    #[test]
    fn content_that_is_known_to_be_cut_off_is_not_at_its_end() {
        let mut body = from_web(Body::full("\0\0\0\0\x02a"), Format::Binary);
        assert_eq!(read(&mut body), ("\0\0\0\0\x02a".into(), Some(Err(Failure::MalformedGrpcWeb))));
        assert!(!body.is_end());
        assert!(from_web(Body::Empty, Format::Text).is_end());
    }
}
