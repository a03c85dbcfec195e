//! A client's connection as bytes: what is read and written on it, and until when.

use std::cell::{RefCell, RefMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{io, rc::Rc};

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::state::{Event, Next, State};
use crate::http::duplex::Duplex;
use crate::http::h1::duplex;
use crate::http::h1::framing::{Decoder, Encoder};
use crate::http::h1::output::Output;
use crate::net::deadline::Deadline;
use crate::net::io::Io;

/// Once so much was read ahead of the request that is being answered, no more is.
const READ_AHEAD: usize = 64 * 1024;

/// A connection's stream and what is read and written on it.
///
/// The connection, the body of its request and the sink of its interim responses share it. Each of its
/// methods has the [`Wire`] for as long as it runs, and none of them calls a body: polling a response's body
/// may read the request's, which comes back here.
pub struct Transport(RefCell<Wire>);

/// See [`Transport`].
pub type SharedTransport = Rc<Transport>;

/// A stream, its buffers, its codecs and where they stand.
pub(super) struct Wire {
    pub io: Io,
    /// What was read and not yet taken.
    pub input: BytesMut,
    /// How much of it is known to hold no whole head.
    pub scanned: usize,
    /// What is to be written.
    pub output: Output,
    /// Reads the request's body.
    pub decoder: Decoder,
    /// Writes the response's body.
    pub encoder: Encoder,
    pub state: State,
    /// Until when what is awaited from the client must come.
    pub reading: Deadline,
    /// Until when the client must have taken what waits.
    pub writing: Deadline,
}

impl Transport {
    /// The stream of a connection, of which `input` was read already; its first head has to come within
    /// `header_read`.
    pub fn new(io: Io, input: BytesMut, header_read: Duration) -> Self {
        let mut reading = Deadline::default();
        reading.set(Instant::now(), header_read);
        Self(RefCell::new(Wire {
            io,
            input,
            scanned: 0,
            output: Output::default(),
            decoder: Decoder::Done,
            encoder: Encoder::None,
            state: State::OPENED,
            reading,
            writing: Deadline::default(),
        }))
    }

    /// For one method of this type only.
    pub(super) fn wire(&self) -> RefMut<'_, Wire> {
        self.0.borrow_mut()
    }

    /// What is to be done with the connection after a response.
    pub fn next(&self) -> Next {
        self.wire().state.next()
    }

    /// While a response is awaited: write interim ones, and notice a client that leaves.
    pub fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let wire = &mut *self.wire();
        if let Poll::Ready(Err(_)) = wire.poll_write(cx) {
            wire.state.on(Event::Gone);
            return Poll::Ready(());
        }
        while wire.state.is_request_done() && wire.input.len() < READ_AHEAD {
            match ready!(wire.io.poll_read_through(cx, &mut wire.input)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => {
                    wire.state.on(Event::Gone);
                    return Poll::Ready(());
                }
            }
        }
        Poll::Pending
    }
}

impl Wire {
    /// Write what waits.
    pub fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.output.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.output.poll_write(&mut self.io, cx)
    }
}

/// What is behind status 101, as another protocol reads and writes it.
impl Duplex for &Transport {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let wire = &mut *self.wire();
        duplex::poll_read(&mut wire.io, &mut wire.input, cx)
    }

    fn poll_write(&mut self, bytes: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = &mut *self.wire();
        // Earlier responses may fill the way to a client that does not read.
        ready!(wire.poll_write(cx))?;
        duplex::poll_write(&mut wire.io, bytes, cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = &mut *self.wire();
        ready!(wire.poll_write(cx))?;
        Pin::new(&mut wire.io).poll_flush(cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = &mut *self.wire();
        ready!(wire.poll_write(cx))?;
        Pin::new(&mut wire.io).poll_shutdown(cx)
    }

    fn keep_to_limits(&mut self, _: &mut Context<'_>) -> io::Result<()> {
        Ok(())
    }
}
