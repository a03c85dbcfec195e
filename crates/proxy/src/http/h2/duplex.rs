//! A stream that carries another protocol, by extended CONNECT (RFC 8441 §5).

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};

use crate::http::duplex::Duplex;

/// Both halves of the stream. One that is dropped before both have ended is reset.
pub struct TunnelStream {
    incoming: RecvStream,
    outgoing: SendStream<Bytes>,
}

impl TunnelStream {
    /// The stream of which these are the halves.
    pub fn new(incoming: RecvStream, outgoing: SendStream<Bytes>) -> Self {
        Self { incoming, outgoing }
    }
}

impl Duplex for TunnelStream {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        Poll::Ready(match ready!(self.incoming.poll_data(cx)) {
            Some(Ok(piece)) => {
                // Only the next read lets the peer send more, so one piece is all that is held.
                let released = self.incoming.flow_control().release_capacity(piece.len());
                released.map(|()| Some(piece)).map_err(broken)
            }
            Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => Ok(None),
            Some(Err(error)) => Err(broken(error)),
            None => Ok(None),
        })
    }

    fn poll_write(&mut self, bytes: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.reserve_capacity(bytes.len());
        let mut room = self.outgoing.capacity();
        while room == 0 {
            room = match ready!(self.outgoing.poll_capacity(cx)) {
                Some(room) => room.map_err(broken)?,
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            };
        }
        let piece = bytes.split_to(room.min(bytes.len()));
        Poll::Ready(self.outgoing.send_data(piece, false).map_err(broken))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection's task writes what it was given.
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.outgoing.send_data(Bytes::new(), true).map_err(broken))
    }

    fn keep_to_limits(&mut self, _: &mut Context<'_>) -> io::Result<()> {
        Ok(())
    }
}

fn broken(error: h2::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}
