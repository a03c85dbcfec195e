//! A stream that carries another protocol, by extended CONNECT (RFC 9220).

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::code::Code;
use super::frame::Piece;
use super::receiving::Receiving;
use super::sending::Sending;
use crate::http::duplex::Duplex;

/// Both halves of the stream. One that is dropped before both have ended is reset.
pub struct TunnelStream {
    incoming: Receiving,
    outgoing: Rc<RefCell<Sending>>,
}

impl TunnelStream {
    /// The stream of which these are the halves.
    pub fn new(incoming: Receiving, outgoing: Rc<RefCell<Sending>>) -> Self {
        Self { incoming, outgoing }
    }
}

impl Duplex for TunnelStream {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        Poll::Ready(match ready!(self.incoming.poll_piece(cx)) {
            Ok(Some(Piece::Data(piece))) => Ok(Some(piece)),
            Ok(None) => Ok(None),
            Ok(Some(Piece::Section(_) | Piece::Control(..))) => {
                // RFC 9114 §4.4: behind the head there is nothing but content.
                self.incoming.end_all(Code::FRAME_UNEXPECTED);
                Err(io::ErrorKind::InvalidData.into())
            }
            Err(_) => Err(io::ErrorKind::ConnectionReset.into()),
        })
    }

    fn poll_write(&mut self, bytes: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        self.outgoing.borrow_mut().push_data(std::mem::take(bytes));
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.outgoing.borrow_mut().poll_flush(cx);
        flushed.map_err(|_| io::ErrorKind::ConnectionReset.into())
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        self.outgoing.borrow_mut().finish();
        Poll::Ready(Ok(()))
    }

    fn keep_to_limits(&mut self, _: &mut Context<'_>) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for TunnelStream {
    fn drop(&mut self) {
        // RFC 9220 §3: as a connection over TCP is reset.
        self.outgoing.borrow_mut().give_up();
        if !self.incoming.is_end() {
            self.incoming.stop(Code::REQUEST_CANCELLED);
        }
    }
}
