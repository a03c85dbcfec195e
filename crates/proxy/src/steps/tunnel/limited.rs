//! A tunnel that lasts no longer than it may.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tidegate_core::plan;
use tidegate_core::websocket::frames::{Frames, GOING_AWAY};
use tokio::time::Instant;

use crate::http::duplex::Duplex;
use crate::local::{DrainSignal, FAREWELL};
use crate::net::deadline::Deadline;

/// Longest silence of a side that still is to end when the other has.
const HALF_OPEN: Duration = Duration::from_secs(60);

/// The endpoint's end of a tunnel, which ends after a silence, after a time, or when its connection is about to be cut.
///
/// A WebSocket's client is told so, between two frames of the endpoint, and may answer.
pub(super) struct Limited {
    endpoint: Box<dyn Duplex>,
    /// Longest silence of both sides.
    idle: Duration,
    silence: Deadline,
    /// When it is over, silent or not.
    end: Deadline,
    /// The frames that the client is sent, of a WebSocket.
    frames: Option<Frames>,
    stage: Stage,
    /// Tells that its connection is about to be cut.
    signal: Rc<DrainSignal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// It is to end, of which a WebSocket's client is told between two frames.
    Ending,
    /// The client was told, and nothing more comes from the endpoint.
    Parting,
}

impl Limited {
    /// The tunnel to `endpoint` begins `now`, and lasts as long as `plan` says.
    pub(super) fn new(
        endpoint: Box<dyn Duplex>,
        plan: &plan::Tunnel,
        is_websocket: bool,
        signal: Rc<DrainSignal>,
        now: Instant,
    ) -> Self {
        let (idle, frames) = (plan.idle.duration(), is_websocket.then(Frames::default));
        let (mut silence, mut end) = (Deadline::default(), Deadline::default());
        silence.set(now, idle);
        if let Some(longest) = plan.max {
            end.set(now, longest.duration());
        }
        Self { endpoint, idle, silence, end, frames, stage: Stage::Open, signal }
    }

    fn moved(&mut self) {
        self.silence.set(Instant::now(), self.idle);
    }

    /// One side has ended.
    fn half_ended(&mut self, cx: &mut Context<'_>) {
        self.idle = self.idle.min(HALF_OPEN);
        self.moved();
        // The task is to be woken earlier than it was to be so far.
        let _ = self.silence.poll_expired(cx);
    }

    /// What the client is sent to the end of the frame that it is sent, and then that nothing more comes.
    fn poll_last(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let Some(frames) = self.frames.as_mut().filter(|frames| !frames.is_closed()) else {
            return self.endpoint.poll_read(cx);
        };
        if frames.is_between() {
            self.stage = Stage::Parting;
            return Poll::Ready(Ok(Some(Bytes::from_static(&GOING_AWAY))));
        }
        let mut piece = ready!(self.endpoint.poll_read(cx))?;
        if let Some(piece) = &mut piece {
            let of_frame = frames.follow_frame(piece);
            piece.truncate(of_frame);
        }
        Poll::Ready(Ok(piece))
    }
}

impl Duplex for Limited {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        match self.stage {
            Stage::Open => {
                let piece = ready!(self.endpoint.poll_read(cx))?;
                match &piece {
                    Some(piece) => {
                        self.frames.iter_mut().for_each(|frames| frames.follow(piece));
                        self.moved();
                    }
                    None => self.half_ended(cx),
                }
                Poll::Ready(Ok(piece))
            }
            Stage::Ending => self.poll_last(cx),
            Stage::Parting => Poll::Ready(Ok(None)),
        }
    }

    fn poll_write(&mut self, bytes: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.endpoint.poll_write(bytes, cx))?;
        self.moved();
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.endpoint.poll_flush(cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.endpoint.poll_end(cx))?;
        self.half_ended(cx);
        Poll::Ready(Ok(()))
    }

    fn keep_to_limits(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.stage == Stage::Open {
            let is_to_end = self.signal.poll_draining(cx)
                || self.silence.poll_expired(cx).is_ready()
                || self.end.poll_expired(cx).is_ready();
            if !is_to_end {
                return Ok(());
            }
            self.stage = Stage::Ending;
            let patience = if self.frames.is_some() { FAREWELL } else { Duration::ZERO };
            self.end.set(Instant::now(), patience);
        }
        match self.end.poll_expired(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::future::poll_fn;
    use std::task::Waker;

    use super::*;

    /// An endpoint that says what it was given to say, and takes all that it is sent.
    #[derive(Clone, Default)]
    struct Script(Rc<RefCell<VecDeque<Option<&'static [u8]>>>>);

    impl Duplex for Script {
        fn poll_read(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
            match self.0.borrow_mut().pop_front() {
                Some(piece) => Poll::Ready(Ok(piece.map(Bytes::from_static))),
                None => Poll::Pending,
            }
        }

        fn poll_write(&mut self, bytes: &mut Bytes, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            bytes.clear();
            Poll::Ready(Ok(()))
        }

        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn keep_to_limits(&mut self, _: &mut Context<'_>) -> io::Result<()> {
            Ok(())
        }
    }

    /// A tunnel under test, its endpoint and what tells it to end.
    struct Test {
        tunnel: Limited,
        endpoint: Script,
        signal: Rc<DrainSignal>,
    }

    fn tunnel(is_websocket: bool, max: Option<u64>) -> Test {
        let (endpoint, signal) = (Script::default(), DrainSignal::new(0));
        let idle = plan::Timeout::new(100_000).unwrap();
        let limits = plan::Tunnel { idle, max: max.and_then(plan::Timeout::new) };
        let (end, now) = (Box::new(endpoint.clone()), Instant::now());
        let tunnel = Limited::new(end, &limits, is_websocket, signal.clone(), now);
        Test { tunnel, endpoint, signal }
    }

    impl Test {
        fn says(&self, piece: &'static [u8]) {
            self.endpoint.0.borrow_mut().push_back(Some(piece));
        }

        /// What the client is sent next; nothing while that is not known.
        fn sent(&mut self) -> Option<Bytes> {
            let mut cx = Context::from_waker(Waker::noop());
            self.tunnel.keep_to_limits(&mut cx).unwrap();
            match self.tunnel.poll_read(&mut cx) {
                Poll::Ready(sent) => sent.unwrap(),
                Poll::Pending => Some(Bytes::new()),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_websocket_that_is_to_end_closes_between_two_frames() {
        let mut test = tunnel(true, None);
        test.says(b"\x81\x05he");
        assert_eq!(test.sent().unwrap(), b"\x81\x05he"[..]);
        test.signal.drain();
        assert_eq!(test.sent().unwrap(), "", "the frame that has begun is not whole");
        test.says(b"llo\x81\x03not");
        assert_eq!(test.sent().unwrap(), "llo");
        assert_eq!(test.sent().unwrap(), GOING_AWAY[..]);
        test.says(b"\x81\x03not");
        assert_eq!(test.sent(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_websocket_that_closes_by_itself_is_left_alone() {
        let mut test = tunnel(true, None);
        test.says(b"\x88\x00");
        assert_eq!(test.sent().unwrap(), b"\x88\x00"[..]);
        test.signal.drain();
        assert_eq!(test.sent().unwrap(), "");
        test.endpoint.0.borrow_mut().push_back(None);
        assert_eq!(test.sent(), None);
    }

    /// How long it takes until the tunnel is cut.
    async fn cut(mut test: Test) -> Duration {
        let began = Instant::now();
        let cut = poll_fn(|cx| match test.tunnel.keep_to_limits(cx) {
            Err(error) => Poll::Ready(error.kind()),
            Ok(()) => {
                let _ = test.tunnel.poll_read(cx);
                Poll::Pending
            }
        });
        assert_eq!(cut.await, io::ErrorKind::TimedOut);
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_close_is_cut_off() {
        let mut test = tunnel(true, None);
        test.signal.drain();
        assert_eq!(test.sent().unwrap(), GOING_AWAY[..]);
        assert_eq!(cut(test).await, FAREWELL);
    }

    /// After how many milliseconds the tunnel ends, if its endpoint says something of another protocol each 40 seconds.
    async fn lasts(mut test: Test, says: usize) -> u128 {
        let began = Instant::now();
        for _ in 0..says {
            test.says(b"word");
            assert_eq!(test.sent().unwrap(), "word");
            tokio::time::advance(Duration::from_secs(40)).await;
        }
        cut(test).await;
        began.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_ends_it_and_so_does_its_longest_time() {
        assert_eq!(lasts(tunnel(false, None), 0).await, 100_000);
        assert_eq!(lasts(tunnel(false, None), 5).await, 4 * 40_000 + 100_000);
        assert_eq!(lasts(tunnel(false, Some(150_000)), 3).await, 150_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_is_left_alone_may_be_silent_for_less_long() {
        let test = tunnel(false, None);
        test.endpoint.0.borrow_mut().push_back(None);
        assert_eq!(cut(test).await, HALF_OPEN);
    }
}
