//! Bodies one after the other, as one.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use super::{Body, NextFrame, Source};

struct Joined(VecDeque<Body>);

impl Body {
    /// All of `bodies`, one after the other.
    pub fn joined(bodies: impl IntoIterator<Item = Body>) -> Self {
        Self::stream(Joined(bodies.into_iter().collect()))
    }
}

impl Source for Joined {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        while let Some(first) = self.0.front_mut() {
            match ready!(first.poll_frame(cx)) {
                None => self.0.pop_front(),
                frame => return Poll::Ready(frame),
            };
        }
        Poll::Ready(None)
    }

    fn is_end(&self) -> bool {
        self.0.iter().all(Body::is_end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::read;
    use super::*;

    #[test]
    fn bodies_are_read_one_after_the_other() {
        let inner = Body::joined([Body::full("two "), Body::Empty]);
        let mut body = Body::joined([Body::Empty, Body::full("one "), inner, Body::full("three")]);
        assert!(!body.is_end());
        assert_eq!(read(&mut body), ("one two three".into(), Some(Ok(()))));
        assert!(body.is_end());
    }
}
