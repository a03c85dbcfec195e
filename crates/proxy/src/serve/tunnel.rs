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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::net::io::Prefixed;

    const IDLE: Duration = Duration::from_secs(60);

    impl Duplex for DuplexStream {
        fn idle(&self) -> Duration {
            IDLE
        }
    }

    #[tokio::test]
    async fn bytes_go_both_ways_until_both_sides_have_ended() {
        let ((mut client, near), (far, mut endpoint)) = (duplex(64), duplex(64));
        let early = Prefixed::new(BytesMut::from("early "), near);
        let sides = async {
            client.write_all(b"question").await.unwrap();
            client.shutdown().await.unwrap();
            let mut asked = String::new();
            endpoint.read_to_string(&mut asked).await.unwrap();
            endpoint.write_all(b"answer").await.unwrap();
            endpoint.shutdown().await.unwrap();
            let mut answered = String::new();
            client.read_to_string(&mut answered).await.unwrap();
            (asked, answered)
        };
        let (carried, sides) = tokio::join!(run(early, Box::new(far)), sides);
        assert_eq!(sides, ("early question".into(), "answer".into()));
        assert_eq!(carried, 6);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_on_both_sides_ends_it() {
        let ((_client, near), (far, _endpoint)) = (duplex(64), duplex(64));
        let began = Instant::now();
        assert_eq!(run(near, Box::new(far)).await, 0);
        assert!(began.elapsed() >= IDLE);
    }
}
