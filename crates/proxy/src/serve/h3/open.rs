//! Requests that are under way on a connection.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

/// Counts the requests that are under way, and tells when there are none.
#[derive(Debug, Default)]
pub struct Open {
    count: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub struct Place(Rc<Open>);

impl Open {
    /// One more is.
    pub fn enter(self: &Rc<Self>) -> Place {
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
        let left = self.0.count.get() - 1;
        self.0.count.set(left);
        if left == 0
            && let Some(waker) = self.0.waker.take()
        {
            waker.wake();
        }
    }
}
