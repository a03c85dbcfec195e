//! Content that passes no faster than it may.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tidegate_core::rate::Share;
use tokio::time::{Sleep, sleep};

use super::{Body, Frame, NextFrame, Source};

/// Says how many of so many bytes that are ready may pass now.
pub type Pace = Box<dyn FnMut(u64) -> Share>;

struct Paced {
    inner: Body,
    pace: Pace,
    /// Content that came and may not pass yet.
    ready: Bytes,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Body {
    /// This body, of which no more passes than `pace` lets.
    pub fn paced(self, pace: Pace) -> Self {
        if self.is_end() {
            return self;
        }
        Self::stream(Paced { inner: self, pace, ready: Bytes::new(), timer: None })
    }
}

impl Source for Paced {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        while self.ready.is_empty() {
            match ready!(self.inner.poll_frame(cx)) {
                Some(Ok(Frame::Data(data))) => self.ready = data,
                other => return Poll::Ready(other),
            }
        }
        loop {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(cx));
                self.timer = None;
            }
            match (self.pace)(self.ready.len() as u64) {
                Share::Bytes(bytes) => {
                    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.ready.len());
                    return Poll::Ready(Some(Ok(Frame::Data(self.ready.split_to(bytes)))));
                }
                Share::Later(pause) => self.timer = Some(Box::pin(sleep(pause))),
            }
        }
    }

    fn is_end(&self) -> bool {
        self.ready.is_empty() && self.inner.is_end()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    use super::super::testing::{channel, data, read};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn content_passes_in_the_shares_that_it_gets() {
        let (sender, body) = channel(1);
        let turn = Rc::new(Cell::new(0));
        let pace = {
            let turn = turn.clone();
            Box::new(move |_| match turn.replace(turn.get() + 1) {
                0 => Share::Bytes(2),
                1 => Share::Later(Duration::from_secs(1)),
                _ => Share::Bytes(100),
            })
        };
        let mut body = body.paced(pace);
        sender.try_send(data("12345")).unwrap();
        drop(sender);
        assert_eq!(read(&mut body), ("12".into(), None));
        assert!(!body.is_end());
        tokio::time::advance(Duration::from_millis(1_001)).await;
        assert_eq!(read(&mut body), ("345".into(), Some(Ok(()))));
        assert_eq!(turn.get(), 3);
    }
}
