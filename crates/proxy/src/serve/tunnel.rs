//! Carrying bytes between a client and an endpoint that speak a protocol of their own.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::http::duplex::Duplex;

/// Carry bytes both ways until both sides have ended. Those that the client took are counted in `sent`.
///
/// Of each direction one piece is held, and more is read once that was taken.
///
/// # Errors
/// One side broke off, or the tunnel may not last longer.
pub async fn run(
    client: &mut impl Duplex,
    mut endpoint: Box<dyn Duplex>,
    sent: &mut u64,
) -> io::Result<()> {
    let (mut up, mut down) = (Direction::default(), Direction::default());
    let endpoint = &mut *endpoint;
    let ended = poll_fn(|cx| {
        endpoint.keep_to_limits(cx)?;
        let upward = up.poll(client, endpoint, cx)?;
        let downward = down.poll(endpoint, client, cx);
        *sent = down.carried;
        match (upward, downward?) {
            (Poll::Ready(()), Poll::Ready(())) => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    });
    ended.await.inspect_err(|error| tracing::debug!(%error, "a tunnel broke"))
}

/// From one side to the other.
#[derive(Default)]
struct Direction {
    piece: Bytes,
    carried: u64,
    state: State,
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
        from: &mut (impl Duplex + ?Sized),
        to: &mut (impl Duplex + ?Sized),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            while !self.piece.is_empty() {
                let before = self.piece.len();
                ready!(to.poll_write(&mut self.piece, cx))?;
                self.carried += (before - self.piece.len()) as u64;
            }
            match self.state {
                State::Ended => return Poll::Ready(Ok(())),
                State::Ending => {
                    ready!(to.poll_end(cx))?;
                    self.state = State::Ended;
                }
                State::Open => {
                    ready!(to.poll_flush(cx))?;
                    match ready!(from.poll_read(cx))? {
                        Some(piece) => self.piece = piece,
                        None => self.state = State::Ending,
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{sleep, timeout};
    use tokio_util::io::{poll_read_buf, poll_write_buf};

    use super::*;
    use crate::net::deadline::Deadline;

    /// An end in memory, that holds so many bytes.
    struct End(DuplexStream);

    /// One that lasts so long.
    struct Limited(End, Deadline);

    impl Duplex for End {
        fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
            let mut piece = bytes::BytesMut::with_capacity(16);
            let count = ready!(poll_read_buf(pin!(&mut self.0), cx, &mut piece))?;
            Poll::Ready(Ok((count > 0).then(|| piece.freeze())))
        }

        fn poll_write(&mut self, bytes: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            poll_write_buf(pin!(&mut self.0), cx, bytes).map_ok(|_| ())
        }

        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            tokio::io::AsyncWrite::poll_shutdown(pin!(&mut self.0), cx)
        }

        fn keep_to_limits(&mut self, _: &mut Context<'_>) -> io::Result<()> {
            Ok(())
        }
    }

    impl Duplex for Limited {
        fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
            self.0.poll_read(cx)
        }

        fn poll_write(&mut self, bytes: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.0.poll_write(bytes, cx)
        }

        fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.0.poll_flush(cx)
        }

        fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.0.poll_end(cx)
        }

        fn keep_to_limits(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
            match self.1.poll_expired(cx) {
                Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
                Poll::Pending => Ok(()),
            }
        }
    }

    #[tokio::test]
    async fn bytes_go_both_ways_until_both_sides_have_ended() {
        let ((mut client, near), (far, mut endpoint)) = (duplex(64), duplex(64));
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
        let (mut near, mut sent) = (End(near), 0);
        let (ended, sides) = tokio::join!(run(&mut near, Box::new(End(far)), &mut sent), sides);
        ended.unwrap();
        assert_eq!(sides, ("question".into(), "answer".into()));
        assert_eq!(sent, 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_reads_nothing_holds_the_other_up() {
        let ((client, near), (far, mut endpoint)) = (duplex(64), duplex(64));
        let (mut near, mut sent) = (End(near), 0);
        let tunnel = run(&mut near, Box::new(End(far)), &mut sent);
        let written = async {
            let mut written = 0;
            while timeout(Duration::from_secs(1), endpoint.write_all(&[0; 16])).await.is_ok() {
                written += 16;
            }
            written
        };
        tokio::select! {
            _ = tunnel => unreachable!("both sides are open"),
            written = written => assert!(written <= 64 + 64 + 16, "{written}"),
        }
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_is_known_when_the_tunnel_is_cut() {
        let ((_client, near), (far, mut endpoint)) = (duplex(64), duplex(64));
        endpoint.write_all(b"hello").await.unwrap();
        let (mut near, mut sent) = (End(near), 0);
        tokio::select! {
            _ = run(&mut near, Box::new(End(far)), &mut sent) => unreachable!("both sides are open"),
            () = sleep(Duration::from_secs(1)) => {}
        }
        assert_eq!(sent, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn limits_hold_whatever_is_waited_for() {
        for client_ends in [false, true] {
            for endpoint_sends in [false, true] {
                let ((mut client, near), (far, mut endpoint)) = (duplex(64), duplex(1024));
                if client_ends {
                    client.shutdown().await.unwrap();
                }
                if endpoint_sends {
                    // More than the client, which reads nothing, is held.
                    endpoint.write_all(&[0; 1024]).await.unwrap();
                }
                let mut deadline = Deadline::default();
                deadline.ensure(Duration::from_secs(10));
                let (mut near, mut sent) = (End(near), 0);
                let far = Box::new(Limited(End(far), deadline));
                let ended = timeout(Duration::from_secs(60), run(&mut near, far, &mut sent)).await;
                assert_eq!(ended.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
            }
        }
    }
}
