//! Content that is counted and limited.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tidegate_core::failure::Failure;

use super::{Body, Frame, NextFrame, Source};

struct Metered {
    inner: Body,
    limit: u64,
    taken: Rc<Cell<u64>>,
}

impl Body {
    /// This body, its bytes counted in `taken`, failing with [`Failure::BodyTooLarge`] where they
    /// go beyond `limit`.
    pub fn metered(self, limit: Option<u64>, taken: Rc<Cell<u64>>) -> Self {
        let limit = limit.unwrap_or(u64::MAX);
        Self::stream(Metered { inner: self, limit, taken })
    }
}

impl Source for Metered {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let frame = ready!(self.inner.poll_frame(cx));
        if let Some(Ok(Frame::Data(data))) = &frame {
            let taken = self.taken.get() + data.len() as u64;
            self.taken.set(taken);
            if taken > self.limit {
                return Poll::Ready(Some(Err(Failure::BodyTooLarge)));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end(&self) -> bool {
        self.inner.is_end()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::{channel, data, read};
    use super::*;

    #[test]
    fn content_up_to_the_limit_passes_and_is_counted() {
        let (sender, body) = channel(2);
        let taken = Rc::new(Cell::new(0));
        let mut body = body.metered(Some(6), taken.clone());
        sender.try_send(data("one")).unwrap();
        sender.try_send(data("two")).unwrap();
        drop(sender);
        assert_eq!(read(&mut body), ("onetwo".into(), Some(Ok(()))));
        assert_eq!(taken.get(), 6);
    }

    #[test]
    fn content_beyond_the_limit_fails() {
        let taken = Rc::new(Cell::new(0));
        let mut body = Body::full("1234567").metered(Some(6), taken.clone());
        assert!(!body.is_end());
        assert_eq!(read(&mut body), (String::new(), Some(Err(Failure::BodyTooLarge))));
        assert_eq!(taken.get(), 7);
    }
}
