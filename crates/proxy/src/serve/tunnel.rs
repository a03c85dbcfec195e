//! Carrying bytes between two streams that speak a protocol of their own.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use crate::net::deadline::Deadline;
use crate::upstream::client::h1::Upgraded;

/// Size of each direction's buffer.
const BUFFER: usize = 16 * 1024;

/// Carry bytes both ways until both sides have ended, or nothing moved for the upstream's idle timeout.
/// Returns how many bytes went to the client.
pub async fn run(mut client: impl AsyncRead + AsyncWrite + Unpin, mut upgraded: Upgraded) -> u64 {
    let mut up = Direction::new(BytesMut::new());
    let mut down = Direction::new(std::mem::take(&mut upgraded.early));
    let mut idle = Idle { deadline: Deadline::default(), patience: upgraded.idle };
    idle.moved();
    let finished = poll_fn(|cx| {
        let upward = up.poll(&mut client, &mut upgraded.io, &mut idle, cx)?;
        let downward = down.poll(&mut upgraded.io, &mut client, &mut idle, cx)?;
        match (upward, downward) {
            (Poll::Ready(()), Poll::Ready(())) => Poll::Ready(io::Result::Ok(())),
            _ => idle.deadline.poll_expired(cx).map(Ok),
        }
    });
    if let Err(error) = finished.await {
        tracing::debug!(%error, "a tunnel broke");
    }
    down.carried
}

struct Idle {
    deadline: Deadline,
    patience: Duration,
}

impl Idle {
    fn moved(&mut self) {
        self.deadline.set(Instant::now(), self.patience);
    }
}

struct Direction {
    buffer: BytesMut,
    state: State,
    carried: u64,
}

#[derive(PartialEq)]
enum State {
    Open,
    /// The source ended; the target is told once it has everything.
    Ending,
    Ended,
}

impl Direction {
    fn new(buffer: BytesMut) -> Self {
        Self { buffer, state: State::Open, carried: 0 }
    }

    fn poll(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        idle: &mut Idle,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            while !self.buffer.is_empty() {
                let count = ready!(Pin::new(&mut *to).poll_write(cx, &self.buffer))?;
                self.buffer.advance(count);
                self.carried += count as u64;
                idle.moved();
            }
            match self.state {
                State::Ended => return Poll::Ready(Ok(())),
                State::Ending => {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.state = State::Ended;
                }
                State::Open => {
                    ready!(Pin::new(&mut *to).poll_flush(cx))?;
                    self.buffer.reserve(BUFFER);
                    match ready!(poll_read_buf(Pin::new(&mut *from), cx, &mut self.buffer))? {
                        0 => self.state = State::Ending,
                        _ => idle.moved(),
                    }
                }
            }
        }
    }
}
