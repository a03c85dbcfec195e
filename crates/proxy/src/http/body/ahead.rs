//! Content of which the first piece was read ahead.

use std::task::{Context, Poll};

use tidegate_core::failure::Failure;

use super::{Body, Frame, NextFrame, Source};

struct Ahead {
    first: Option<Result<Frame, Failure>>,
    rest: Box<dyn Source>,
}

impl Body {
    /// The same body. One whose content is all there, in one piece, is [`Body::Full`] from now on.
    #[must_use]
    pub fn read_ahead(self, cx: &mut Context<'_>) -> Self {
        let Self::Stream(mut rest) = self else { return self };
        match rest.poll_frame(cx) {
            Poll::Pending => Self::Stream(rest),
            Poll::Ready(None) => Self::Empty,
            Poll::Ready(Some(Ok(Frame::Data(content)))) if rest.is_end() => Self::Full(content),
            Poll::Ready(first) => Self::stream(Ahead { first, rest }),
        }
    }
}

impl Source for Ahead {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        match self.first.take() {
            None => self.rest.poll_frame(cx),
            first => Poll::Ready(first),
        }
    }

    fn is_end(&self) -> bool {
        self.first.is_none() && self.rest.is_end()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::task::Waker;

    use super::super::testing::{channel, data, read};
    use super::*;

    fn ahead(body: Body) -> Body {
        body.read_ahead(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn content_that_is_there_in_one_piece_is_full() {
        assert!(
            matches!(ahead(Body::joined([Body::full("all")])), Body::Full(all) if all == "all")
        );
        assert!(matches!(ahead(Body::joined([])), Body::Empty));
        assert!(matches!(ahead(Body::full("all")), Body::Full(_)));
    }

    #[test]
    fn what_comes_later_comes_behind_what_was_read_ahead() {
        let (sender, body) = channel(2);
        let body = ahead(body);
        sender.try_send(data("one ")).unwrap();
        let mut body = ahead(body);
        assert!(matches!(body, Body::Stream(_)) && !body.is_end());
        sender.try_send(data("two")).unwrap();
        drop(sender);
        assert_eq!(read(&mut body).0, "one two");
    }

    #[test]
    fn what_breaks_off_breaks_off_as_before() {
        let body = Body::full("long").metered(Some(1), Default::default());
        let mut body = ahead(body);
        assert!(!body.is_end());
        assert_eq!(read(&mut body).1, Some(Err(Failure::BodyTooLarge)));
    }
}
