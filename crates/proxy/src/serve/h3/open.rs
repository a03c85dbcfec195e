//! Requests that are under way on a connection.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

use crate::account::metrics::QuicEvent;
use crate::client::Client;

/// Counts the requests that are under way, and tells when there are none.
pub struct Open {
    client: Rc<Client>,
    count: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

/// A request that is under way until this is dropped.
pub struct Place(Rc<Open>);

impl Open {
    /// None yet, of this client.
    pub fn new(client: Rc<Client>) -> Rc<Self> {
        Rc::new(Self { client, count: Cell::default(), waker: RefCell::default() })
    }

    /// One more is.
    pub fn enter(self: &Rc<Self>) -> Place {
        self.client.listener.metrics.quic.count(self.client.local.index(), QuicEvent::StreamOpened);
        self.count.set(self.count.get() + 1);
        Place(self.clone())
    }

    /// Whether there are none; the task is woken when that comes about.
    pub fn poll_none(&self, cx: &Context<'_>) -> bool {
        if self.count.get() == 0 {
            return true;
        }
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        false
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let client = &self.0.client;
        client.listener.metrics.quic.count(client.local.index(), QuicEvent::StreamClosed);
        let left = self.0.count.get() - 1;
        self.0.count.set(left);
        if left == 0
            && let Some(waker) = self.0.waker.take()
        {
            waker.wake();
        }
    }
}
