//! The content of the response to an RPC: its status counts, and where it breaks off its reader is told why.

use std::task::{Context, Poll, ready};

use http::HeaderMap;
use tidegate_core::failure::Failure;
use tidegate_core::grpc::read_status;

use crate::account::rpc::CountedRpc;
use crate::http::body::{Body, Frame, NextFrame, Source};
use crate::http::last_words::LastWords;

/// The content of a response whose head has no status.
pub(super) fn of_rpc(inner: Body, mut counted: Option<Box<CountedRpc>>) -> Body {
    if inner.is_end() {
        counted.iter_mut().for_each(|counted| counted.note_end());
        return inner;
    }
    Body::stream(RpcContent { inner, counted })
}

struct RpcContent {
    inner: Body,
    /// Where the route counts RPCs.
    counted: Option<Box<CountedRpc>>,
}

impl Source for RpcContent {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let frame = ready!(self.inner.poll_frame(cx));
        if let Some(counted) = &mut self.counted {
            match &frame {
                Some(Ok(Frame::Data(_))) => {}
                Some(Ok(Frame::Trailers(trailers))) => {
                    read_status(trailers)
                        .into_iter()
                        .for_each(|status| counted.note_status(status));
                    counted.note_end();
                }
                Some(Err(failure)) => counted.note_status(failure.meaning().grpc.number()),
                None => counted.note_end(),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end(&self) -> bool {
        self.inner.is_end()
    }

    fn last_words(&self, failure: Failure) -> LastWords {
        LastWords::Trailers(HeaderMap::from_iter(failure.meaning().grpc_fields()))
    }
}

impl Drop for RpcContent {
    fn drop(&mut self) {
        // Its reader need not ask for more when it knows that there is nothing.
        if self.inner.is_end() {
            self.counted.iter_mut().for_each(|counted| counted.note_end());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use tidegate_core::grpc::GRPC_STATUS;

    use super::*;
    use crate::account::rpc::tests::{counted, ended_with};
    use crate::http::body::testing::{breaks, channel, data, read};

    /// As what an RPC is counted whose response has this content, of which all is read that there is.
    fn counted_with(content: Body) -> String {
        counted(|rpc| drop(read(&mut of_rpc(content, Some(Box::new(rpc))))))
    }

    /// Content that has one field in its trailers.
    fn with_trailer(name: HeaderName, value: &'static str) -> Body {
        let (sender, body) = channel(2);
        let trailers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        sender.try_send(data("message")).unwrap();
        sender.try_send(Frame::Trailers(trailers)).unwrap();
        body
    }

    #[test]
    fn the_status_in_the_trailers_counts() {
        assert_eq!(counted_with(with_trailer(GRPC_STATUS, "5")), ended_with("not_found"));
        assert_eq!(counted_with(with_trailer(GRPC_STATUS, "x")), ended_with("unknown"));
    }

    #[test]
    fn trailers_without_a_status_and_no_trailers_are_of_unknown() {
        let sum = HeaderName::from_static("sum");
        assert_eq!(counted_with(with_trailer(sum, "1")), ended_with("unknown"));
        assert_eq!(counted_with(Body::full("message")), ended_with("unknown"));
        assert_eq!(counted_with(Body::Empty), ended_with("unknown"));
        let (sender, body) = channel(1);
        drop(sender);
        assert_eq!(counted_with(body), ended_with("unknown"));
    }

    #[test]
    fn what_is_not_read_to_its_end_was_cancelled() {
        let (_sender, body) = channel(1);
        assert_eq!(counted_with(body), ended_with("cancelled"));
    }

    #[test]
    fn content_that_breaks_off_has_the_status_of_its_failure() {
        let broken = breaks(&[], Failure::RequestTimeout);
        assert_eq!(counted_with(broken), ended_with("deadline_exceeded"));
    }

    #[test]
    fn only_an_rpc_that_breaks_off_is_told_why() {
        let (_sender, body) = channel(1);
        let failure = Failure::RequestTimeout;
        assert_eq!(body.last_words(failure), LastWords::Cut);
        let told = HeaderMap::from_iter(failure.meaning().grpc_fields());
        assert_eq!(read_status(&told), Some(4));
        assert_eq!(of_rpc(body, None).last_words(failure), LastWords::Trailers(told));
        assert!(matches!(of_rpc(Body::Empty, None), Body::Empty));
    }
}
