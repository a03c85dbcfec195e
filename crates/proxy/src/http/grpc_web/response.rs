//! Responses: what comes in gRPC goes on in gRPC-Web.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use tidegate_core::failure::Failure;
use tidegate_core::grpc::status_fields;
use tidegate_core::grpc::web::{Format, Frames, encode_text, trailers_frame};
use tidegate_core::plan::GrpcStatus;

use crate::http::body::{Body, Frame, NextFrame, Source};

/// The content of a response whose client reads it in `format`: the messages, each piece as it comes, and the trailers. It
/// fails with [`Failure::UpstreamProtocol`] where its frames are none of messages, or are cut off.
pub fn to_web(body: Body, format: Format) -> Body {
    Body::stream(ToWeb { inner: body, format, frames: Frames::default(), is_over: false })
}

struct ToWeb {
    inner: Body,
    format: Format,
    frames: Frames,
    /// The trailers were written.
    is_over: bool,
}

impl ToWeb {
    fn write(&self, bytes: Bytes) -> Frame {
        Frame::Data(match self.format {
            Format::Binary => bytes,
            Format::Text => encode_text(&bytes).into(),
        })
    }
}

impl Source for ToWeb {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        if self.is_over {
            return Poll::Ready(None);
        }
        let (judged, written) = match ready!(self.inner.poll_frame(cx)) {
            Some(Ok(Frame::Data(piece))) => (self.frames.pass(&piece), piece),
            Some(Err(failure)) => return Poll::Ready(Some(Err(failure))),
            last => {
                let trailers = match last {
                    Some(Ok(Frame::Trailers(trailers))) => trailers,
                    _ => without_status(),
                };
                self.is_over = true;
                (self.frames.end(), trailers_frame(&trailers).into())
            }
        };
        Poll::Ready(Some(match judged {
            Ok(()) => Ok(self.write(written)),
            Err(malformed) => {
                tracing::debug!(%malformed, "the content of a response is no gRPC");
                Err(Failure::UpstreamProtocol)
            }
        }))
    }

    fn is_end(&self) -> bool {
        self.is_over
    }
}

/// What a client of gRPC makes of a response that ends without a status.
fn without_status() -> HeaderMap {
    HeaderMap::from_iter(status_fields(GrpcStatus::Unknown, "the response ended without a status"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::HeaderValue;
    use tidegate_core::grpc::GRPC_STATUS;

    use super::*;
    use crate::http::body::testing::{channel, data, read};

    fn status(value: &'static str) -> Frame {
        Frame::Trailers(HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static(value))]))
    }

    #[test]
    fn messages_go_on_as_they_come_and_trailers_are_the_last_frame() {
        let (sender, body) = channel(2);
        let mut body = to_web(body, Format::Binary);
        for piece in ["\0\0\0\0\x01a", "\0\0\0", "\0\x02b"] {
            sender.try_send(data(piece)).unwrap();
            assert_eq!(read(&mut body), (piece.into(), None));
        }
        sender.try_send(data("c")).unwrap();
        sender.try_send(status("0")).unwrap();
        let last = String::from_utf8_lossy(b"c\x80\0\0\0\x10grpc-status: 0\r\n").into_owned();
        assert_eq!(read(&mut body), (last, Some(Ok(()))));
        assert!(body.is_end());
    }

    #[test]
    fn each_piece_of_a_text_can_be_read_before_the_next() {
        let (sender, body) = channel(2);
        let mut body = to_web(body, Format::Text);
        sender.try_send(data("\0\0\0\0\x01a")).unwrap();
        assert_eq!(read(&mut body), ("AAAAAAFh".into(), None));
        sender.try_send(data("\0\0\0\0\x02bc")).unwrap();
        assert_eq!(read(&mut body), ("AAAAAAJiYw==".into(), None));
        sender.try_send(status("5")).unwrap();
        assert_eq!(read(&mut body), ("gAAAABBncnBjLXN0YXR1czogNQ0K".into(), Some(Ok(()))));
    }

    #[test]
    fn a_response_without_a_status_gets_the_one_that_clients_make_of_it() {
        let mut body = to_web(Body::full("\0\0\0\0\0"), Format::Binary);
        let (content, end) = read(&mut body);
        let trailers = "grpc-status: 2\r\ngrpc-message: the response ended without a status\r\n";
        assert!(content.ends_with(trailers), "{content}");
        assert_eq!(end, Some(Ok(())));
    }

    #[test]
    fn content_that_is_no_grpc_fails() {
        for content in ["\0\0\0\0\x02a", "<html>"] {
            let (_, end) = read(&mut to_web(Body::full(content), Format::Binary));
            assert_eq!(end, Some(Err(Failure::UpstreamProtocol)), "{content}");
        }
    }
}
