//! A tunnel that lasts no longer than it may.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tidegate_core::plan;
use tidegate_core::websocket::frames::{Frames, GOING_AWAY};
use tokio::time::Instant;

use crate::http::duplex::Duplex;
use crate::local::{FAREWELL, TunnelPlace};
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
    place: TunnelPlace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// It is to end, of which a WebSocket's client is told between two frames.
    Ending,
    /// The client was told, and nothing more comes from the endpoint.
    Told,
}

impl Limited {
    /// The tunnel to `endpoint` begins `now`, and lasts as long as `plan` says.
    pub(super) fn new(
        endpoint: Box<dyn Duplex>,
        plan: &plan::Tunnel,
        is_websocket: bool,
        place: TunnelPlace,
        now: Instant,
    ) -> Self {
        let (idle, frames) = (plan.idle.duration(), is_websocket.then(Frames::default));
        let (mut silence, mut end) = (Deadline::default(), Deadline::default());
        silence.set(now, idle);
        if let Some(longest) = plan.max {
            end.set(now, longest.duration());
        }
        Self { endpoint, idle, silence, end, frames, stage: Stage::Open, place }
    }

    fn moved(&mut self) {
        self.silence.set(Instant::now(), self.idle);
    }

    /// One side has ended.
    fn half_ended(&mut self) {
        self.idle = self.idle.min(HALF_OPEN);
    }

    /// Look whether it is to end, and fail once it is over.
    fn look(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.stage == Stage::Open {
            let is_to_end = self.place.signal.poll_draining(cx)
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

    /// What the client is sent to the end of the frame that it is sent, and then that nothing more comes.
    fn poll_last(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let Some(frames) = self.frames.as_mut().filter(|frames| !frames.is_closed()) else {
            return self.endpoint.poll_read(cx);
        };
        if frames.is_between() {
            self.stage = Stage::Told;
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
        if self.stage == Stage::Open {
            if let Poll::Ready(piece) = self.endpoint.poll_read(cx)? {
                match (&piece, &mut self.frames) {
                    (Some(piece), Some(frames)) => frames.follow(piece),
                    (Some(_), None) => {}
                    (None, _) => self.half_ended(),
                }
                self.moved();
                return Poll::Ready(Ok(piece));
            }
            self.look(cx)?;
        }
        match self.stage {
            Stage::Open => Poll::Pending,
            Stage::Ending => self.poll_last(cx),
            Stage::Told => Poll::Ready(Ok(None)),
        }
    }

    fn poll_write(&mut self, bytes: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.endpoint.poll_write(bytes, cx)? {
            Poll::Ready(()) => {
                self.moved();
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                self.look(cx)?;
                Poll::Pending
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.look(cx)?;
        self.endpoint.poll_flush(cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.endpoint.poll_end(cx))?;
        self.half_ended();
        self.moved();
        Poll::Ready(Ok(()))
    }
}
