//! Content that is copied on its way.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tidegate_core::failure::Failure;
use tokio::sync::mpsc;

use super::{Body, Frame, NextFrame, Source};

/// The original: what is read of it goes to the copy as well.
struct Tee {
    inner: Body,
    copy: Option<mpsc::Sender<Frame>>,
    whole: Rc<Cell<bool>>,
}

/// The copy. It fails where it broke off.
struct Copy {
    frames: mpsc::Receiver<Frame>,
    /// Whether the original ended, and all of it was copied.
    whole: Rc<Cell<bool>>,
}

impl Body {
    /// This body, and a copy of it. The copy breaks off where its reader falls
    /// behind by more than `pieces`, so that a slow copy never slows the original.
    pub fn tee(self, pieces: usize) -> (Self, Self) {
        if self.is_end() {
            return (self, Self::Empty);
        }
        let (copy, frames) = mpsc::channel(pieces);
        let whole = Rc::new(Cell::new(false));
        let tee = Tee { inner: self, copy: Some(copy), whole: whole.clone() };
        (Self::stream(tee), Self::stream(Copy { frames, whole }))
    }
}

impl Source for Tee {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let frame = ready!(self.inner.poll_frame(cx));
        let kept = match (&frame, &self.copy) {
            (Some(Ok(frame)), Some(copy)) => copy.try_send(frame.clone()).is_ok(),
            (None, _) => {
                self.whole.set(self.copy.is_some());
                false
            }
            _ => false,
        };
        if !kept {
            self.copy = None;
        }
        Poll::Ready(frame)
    }

    fn is_end(&self) -> bool {
        self.inner.is_end()
    }
}

impl Source for Copy {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        Poll::Ready(match ready!(self.frames.poll_recv(cx)) {
            Some(frame) => Some(Ok(frame)),
            None if self.whole.get() => None,
            None => Some(Err(Failure::ClientGone)),
        })
    }

    fn is_end(&self) -> bool {
        false
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::{channel, data, read};
    use super::*;

    #[test]
    fn the_copy_is_what_was_read_of_the_original() {
        let (sender, body) = channel(2);
        let (mut original, mut copy) = body.tee(2);
        sender.try_send(data("one")).unwrap();
        assert_eq!(read(&mut copy), (String::new(), None));
        assert_eq!(read(&mut original), ("one".into(), None));
        assert_eq!(read(&mut copy), ("one".into(), None));
        drop(sender);
        assert_eq!(read(&mut original), (String::new(), Some(Ok(()))));
        assert_eq!(read(&mut copy), (String::new(), Some(Ok(()))));
    }

    #[test]
    fn a_copy_that_falls_behind_breaks_off_and_the_original_goes_on() {
        let (sender, body) = channel(2);
        let (mut original, mut copy) = body.tee(1);
        sender.try_send(data("one")).unwrap();
        sender.try_send(data("two")).unwrap();
        drop(sender);
        assert_eq!(read(&mut original), ("onetwo".into(), Some(Ok(()))));
        assert_eq!(read(&mut copy), ("one".into(), Some(Err(Failure::ClientGone))));
    }

    #[test]
    fn the_copy_of_a_body_that_is_not_read_to_its_end_fails() {
        let (_sender, body) = channel(1);
        let (original, mut copy) = body.tee(1);
        drop(original);
        assert_eq!(read(&mut copy), (String::new(), Some(Err(Failure::ClientGone))));
    }
}
