//! A connection that was switched to another protocol (RFC 9110 §7.8).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Connection;
use crate::http::body::Duplex;
use crate::net::io::{Io, Prefixed};
use crate::upstream::connection_slot::ConnectionSlot;
use crate::upstream::flight::Flight;

/// The connection, which counts as one, and as a request in flight, until it is dropped.
pub(super) struct Upgraded {
    stream: Prefixed<Io>,
    idle: Duration,
    _flight: Flight,
    _slot: ConnectionSlot,
}

impl Upgraded {
    /// What is behind status 101 on `connection`, and may be silent for as long as `idle`.
    pub(super) fn new(connection: Connection, idle: Duration, flight: Flight) -> Self {
        let Connection { input, io, slot, .. } = connection;
        Self { stream: Prefixed::new(input, io), idle, _flight: flight, _slot: slot }
    }
}

impl Duplex for Upgraded {
    fn idle(&self) -> Duration {
        self.idle
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
