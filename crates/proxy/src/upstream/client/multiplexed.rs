//! Connections that many requests share.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::{h2, h3};

/// A connection that many requests share, by its protocol.
#[derive(Clone)]
pub enum Multiplexed {
    /// HTTP/2.
    H2(Rc<h2::Connection>),
    /// HTTP/3.
    H3(Rc<h3::Connection>),
}

impl Multiplexed {
    /// What is made of it.
    pub fn usage(&self) -> &Usage {
        match self {
            Self::H2(connection) => connection.usage(),
            Self::H3(connection) => connection.usage(),
        }
    }

    /// Whether another request may be sent on it.
    pub fn takes_streams(&self, now: Instant, max_age: Duration) -> bool {
        let usage = self.usage();
        !usage.is_closed()
            && usage.age(now) < max_age
            && match self {
                Self::H2(connection) => connection.has_room(),
                Self::H3(connection) => connection.has_room(),
            }
    }

    /// Whether the endpoint takes extended CONNECT, which its settings say; they are waited for, for at most `limit`.
    pub async fn takes_extended_connect(&self, limit: Duration) -> bool {
        match self {
            Self::H2(connection) => connection.takes_extended_connect(limit).await,
            Self::H3(connection) => connection.takes_extended_connect(limit).await,
        }
    }
}

/// What is made of such a connection, and since when.
#[derive(Debug)]
pub struct Usage {
    opened: Instant,
    streams: Cell<usize>,
    last_used: Cell<Instant>,
    /// When the head of a response, an interim one too, last came.
    heard: Cell<Instant>,
    closed: Cell<bool>,
}

impl Usage {
    /// Of a connection that was opened just now.
    pub fn begin() -> Self {
        let now = Instant::now();
        Self {
            opened: now,
            streams: Cell::new(0),
            last_used: Cell::new(now),
            heard: Cell::new(now),
            closed: Cell::new(false),
        }
    }

    /// Requests that are under way on it.
    pub fn streams(&self) -> usize {
        self.streams.get()
    }

    /// Time since it was opened.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.opened)
    }

    /// Time since its last request ended; absent while there is one.
    pub fn idle_for(&self, now: Instant) -> Option<Duration> {
        let idle = self.streams.get() == 0;
        idle.then(|| now.saturating_duration_since(self.last_used.get()))
    }

    /// Whether it has ended, or is not to be used again.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Use it for nothing more.
    pub fn close(&self) {
        self.closed.set(true);
    }

    /// The head of a response, or of an interim one, came.
    pub fn heard_at(&self, at: Instant) {
        self.heard.set(at);
    }

    /// A request sent at `began` got no response in time. If no other did since, the connection itself may be
    /// dead, which its transport can take long to notice: nothing more is sent on it.
    pub fn timed_out(&self, began: Instant) {
        if self.heard.get() <= began {
            self.close();
        }
    }
}

/// A connection of which it is known what is made of it.
pub trait Used {
    /// What is made of it.
    fn usage(&self) -> &Usage;
}

/// One of a connection's streams, counted until dropped.
pub struct Stream<C: Used>(Rc<C>);

impl<C: Used> Stream<C> {
    /// One more stream of `connection`.
    pub fn new(connection: Rc<C>) -> Self {
        let streams = &connection.usage().streams;
        streams.set(streams.get() + 1);
        Self(connection)
    }

    /// The connection that it is a part of.
    pub fn connection(&self) -> &C {
        &self.0
    }

    /// What is made of that.
    pub fn usage(&self) -> &Usage {
        self.0.usage()
    }
}

impl<C: Used> Drop for Stream<C> {
    fn drop(&mut self) {
        let usage = self.usage();
        usage.streams.set(usage.streams.get() - 1);
        usage.last_used.set(Instant::now());
    }
}
