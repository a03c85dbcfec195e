//! Carrying bytes between two streams that speak a protocol of their own.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::io::{poll_read_buf, poll_write_buf};

use crate::http::body::Duplex;
use crate::net::deadline::Deadline;

/// Size of each direction's buffer.
const BUFFER: usize = 16 * 1024;

/// Carry bytes both ways until both sides have ended, or nothing moved for as long as `endpoint` may be
/// silent. Answers with how many bytes went to the client.
pub async fn run(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut endpoint: Box<dyn Duplex>,
) -> u64 {
    let mut up = Direction::default();
    let mut down = Direction::default();
    let mut idle = Idle { deadline: Deadline::default(), limit: endpoint.idle() };
    idle.moved();
    let finished = poll_fn(|cx| {
        let upward = up.poll(&mut client, &mut endpoint, &mut idle, cx)?;
        let downward = down.poll(&mut endpoint, &mut client, &mut idle, cx)?;
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
    limit: Duration,
}

impl Idle {
    fn moved(&mut self) {
        self.deadline.set(Instant::now(), self.limit);
    }
}

#[derive(Default)]
struct Direction {
    buffer: BytesMut,
    state: State,
    carried: u64,
}

#[derive(Default)]
enum State {
    #[default]
    Open,
    /// The source ended; the target is told once it has everything.
    Ending,
    Ended,
}

impl Direction {
    fn poll(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        idle: &mut Idle,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            while !self.buffer.is_empty() {
                let count = ready!(poll_write_buf(Pin::new(&mut *to), cx, &mut self.buffer))?;
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
