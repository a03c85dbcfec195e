//! Responses: what comes in gRPC goes on in gRPC-Web.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use tidegate_core::failure::Failure;
use tidegate_core::grpc::status_fields;
use tidegate_core::grpc::web::{BadContent, Format, Frames, encode_text, trailers_frame};
use tidegate_core::plan::GrpcStatus;

use crate::http::body::{Body, Frame, NextFrame, Source};
use crate::http::last_words::LastWords;

/// The content of a response whose client reads it in `format`: the messages, each piece as it comes, and the trailers; if
/// the head `is_told` the status, none need come. Where it breaks off between two messages, or its frames are none of
/// messages, the trailers say so; within a message it is cut off.
pub fn to_web(body: Body, format: Format, is_told: bool) -> Body {
    if is_told && body.is_end() {
        return body;
    }
    let stage = Stage::Content { is_told };
    Body::stream(ToWeb { inner: body, format, frames: Frames::default(), stage })
}

struct ToWeb {
    inner: Body,
    format: Format,
    frames: Frames,
    stage: Stage,
}

/// What comes next.
#[derive(Clone, Copy)]
enum Stage {
    /// Messages, or the trailers.
    Content {
        /// Whether the head has the status.
        is_told: bool,
    },
    /// The break that the trailers told of.
    Broken(Failure),
    /// Nothing.
    Over,
}

impl ToWeb {
    fn write(&self, bytes: Bytes) -> Frame {
        Frame::Data(match self.format {
            Format::Binary => bytes,
            Format::Text => encode_text(&bytes).into(),
        })
    }

    fn write_trailers(&mut self, trailers: &HeaderMap, then: Stage) -> Frame {
        self.stage = then;
        self.write(trailers_frame(trailers).into())
    }

    fn pass(&mut self, next: Option<Frame>, is_told: bool) -> Result<Option<Frame>, BadContent> {
        if let Some(Frame::Data(piece)) = next {
            self.frames.pass(&piece)?;
            return Ok(Some(self.write(piece)));
        }
        self.frames.end()?;
        let trailers = match next {
            Some(Frame::Trailers(trailers)) => trailers,
            _ if is_told => {
                self.stage = Stage::Over;
                return Ok(None);
            }
            _ => without_status(),
        };
        Ok(Some(self.write_trailers(&trailers, Stage::Over)))
    }

    fn break_off(&mut self, failure: Failure) -> Frame {
        let trailers = HeaderMap::from_iter(failure.meaning().grpc_fields());
        self.write_trailers(&trailers, Stage::Broken(failure))
    }
}

impl Source for ToWeb {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let is_told = match self.stage {
            Stage::Content { is_told } => is_told,
            Stage::Broken(failure) => return Poll::Ready(Some(Err(failure))),
            Stage::Over => return Poll::Ready(None),
        };
        let next = ready!(self.inner.poll_frame(cx));
        let is_between = self.frames.is_between();
        let passed = next.transpose().and_then(|next| {
            self.pass(next, is_told).map_err(|bad| {
                tracing::debug!(%bad, "the content of a response is no gRPC");
                Failure::UpstreamProtocol
            })
        });
        Poll::Ready(match passed {
            Err(failure) if is_between => Some(Ok(self.break_off(failure))),
            passed => passed.transpose(),
        })
    }

    fn is_end(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    fn last_words(&self, _failure: Failure) -> LastWords {
        match self.stage {
            Stage::Broken(_) => LastWords::InContent,
            Stage::Content { .. } | Stage::Over => LastWords::Cut,
        }
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
    use crate::http::body::testing::{breaks, channel, data, read};

    fn status(value: &'static str) -> Frame {
        Frame::Trailers(HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static(value))]))
    }

    #[test]
    fn messages_go_on_as_they_come_and_trailers_are_the_last_frame() {
        let (sender, body) = channel(2);
        let mut body = to_web(body, Format::Binary, false);
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
        let mut body = to_web(body, Format::Text, false);
        sender.try_send(data("\0\0\0\0\x01a")).unwrap();
        assert_eq!(read(&mut body), ("AAAAAAFh".into(), None));
        sender.try_send(data("\0\0\0\0\x02bc")).unwrap();
        assert_eq!(read(&mut body), ("AAAAAAJiYw==".into(), None));
        sender.try_send(status("5")).unwrap();
        assert_eq!(read(&mut body), ("gAAAABBncnBjLXN0YXR1czogNQ0K".into(), Some(Ok(()))));
    }

    #[test]
    fn a_response_without_a_status_gets_the_one_that_clients_make_of_it() {
        let mut body = to_web(Body::full("\0\0\0\0\0"), Format::Binary, false);
        let (content, end) = read(&mut body);
        let trailers = "grpc-status: 2\r\ngrpc-message: the response ended without a status\r\n";
        assert!(content.ends_with(trailers), "{content}");
        assert_eq!(end, Some(Ok(())));
    }

    #[test]
    fn a_status_in_the_head_is_not_told_again() {
        let told = |body| to_web(body, Format::Text, true);
        assert_eq!(read(&mut told(Body::full("\0\0\0\0\x01a"))), ("AAAAAAFh".into(), Some(Ok(()))));
        assert!(matches!(told(Body::Empty), Body::Empty));
        let (sender, body) = channel(1);
        drop(sender);
        assert_eq!(read(&mut told(body)), (String::new(), Some(Ok(()))));
    }

    #[test]
    fn a_break_between_messages_is_told_in_trailers() {
        let failure = Failure::RequestTimeout;
        let mut body = to_web(breaks(&["\0\0\0\0\x01", "a"], failure), Format::Binary, false);
        let (content, end) = read(&mut body);
        assert!(content.starts_with("\0\0\0\0\x01a\u{fffd}\0\0\0"), "{content:?}");
        assert!(content.contains("grpc-status: 4\r\ngrpc-message: request_timeout: "), "{content}");
        assert_eq!(end, Some(Err(failure)), "it is known to be broken");
        assert_eq!(body.last_words(failure), LastWords::InContent, "and its reader, too");
    }

    #[test]
    fn a_break_within_a_message_cuts_it_off() {
        let failure = Failure::UpstreamReset;
        let mut body = to_web(breaks(&["\0\0\0\0\x02", "a"], failure), Format::Binary, false);
        assert_eq!(read(&mut body), ("\0\0\0\0\x02a".into(), Some(Err(failure))));
        assert_eq!(body.last_words(failure), LastWords::Cut);
    }

    #[test]
    fn content_that_is_no_grpc_fails() {
        let failed = Some(Err(Failure::UpstreamProtocol));
        let mut partial = to_web(Body::full("\0\0\0\0\x02a"), Format::Binary, false);
        assert_eq!(read(&mut partial).1, failed);
        assert_eq!(partial.last_words(Failure::UpstreamProtocol), LastWords::Cut);
        let mut foreign = to_web(Body::full("<html>"), Format::Binary, false);
        let (content, end) = read(&mut foreign);
        assert_eq!(end, failed);
        assert!(content.contains("grpc-status: 13\r\n"), "{content}");
        assert!(!content.contains("html"), "{content}");
    }
}
