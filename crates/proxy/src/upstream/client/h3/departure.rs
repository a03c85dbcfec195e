//! An endpoint that goes away: which requests it will not carry out (RFC 9114 §5.2).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::task::{Context, Waker};

use crate::http::h3::code::Code;

/// Streams of requests have every fourth number (RFC 9000 §2.1).
const STEP: u64 = 4;

/// What an endpoint said of its going away.
#[derive(Debug, Default)]
pub(super) struct Departure {
    /// The first stream that it will not look at; absent: it does not go away.
    first_refused: Cell<Option<u64>>,
    /// The tasks that wait for what comes of requests, by their streams.
    waiting: RefCell<BTreeMap<u64, Waker>>,
}

impl Departure {
    /// Whether it goes away.
    pub fn is_announced(&self) -> bool {
        self.first_refused.get().is_some()
    }

    /// It will not look at streams from `first` on.
    ///
    /// # Errors
    /// That cannot be: it is no stream of a request, or others were refused before, which stay so.
    pub fn announce(&self, first: u64) -> Result<(), Code> {
        let grows = self.first_refused.get().is_some_and(|before| first > before);
        if grows || !first.is_multiple_of(STEP) {
            return Err(Code::ID_ERROR);
        }
        self.first_refused.set(Some(first));
        let refused = self.waiting.borrow_mut().split_off(&first);
        refused.into_values().for_each(Waker::wake);
        Ok(())
    }

    /// Whether it will not look at this stream.
    pub fn refuses(&self, stream: u64) -> bool {
        self.first_refused.get().is_some_and(|first| stream >= first)
    }

    /// The same; the task is woken when that comes about.
    pub fn poll_refuses(&self, stream: u64, cx: &Context<'_>) -> bool {
        if self.refuses(stream) {
            return true;
        }
        let mut waiting = self.waiting.borrow_mut();
        let waker = waiting.entry(stream).or_insert_with(|| cx.waker().clone());
        waker.clone_from(cx.waker());
        false
    }

    /// Nothing waits for what comes of this stream any more.
    pub fn forget(&self, stream: u64) {
        self.waiting.borrow_mut().remove(&stream);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::Wake;

    use super::*;

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// A task that waits for what comes of this stream.
    fn waits(departure: &Departure, stream: u64) -> Arc<Task> {
        let task = Arc::new(Task::default());
        let waker = Waker::from(task.clone());
        assert!(!departure.poll_refuses(stream, &Context::from_waker(&waker)));
        task
    }

    #[test]
    fn a_request_that_is_refused_is_woken_and_others_are_not() {
        let departure = Departure::default();
        let tasks = [0, 4, 8].map(|stream| waits(&departure, stream));
        let forgotten = waits(&departure, 12);
        departure.forget(12);
        assert_eq!(departure.announce(4), Ok(()));
        assert_eq!(tasks.map(|task| task.0.load(Relaxed)), [0, 1, 1]);
        assert_eq!(forgotten.0.load(Relaxed), 0);
        assert_eq!([0, 4, 8].map(|stream| departure.refuses(stream)), [false, true, true]);
        assert!(departure.is_announced());
    }

    #[test]
    fn more_may_be_refused_later_but_not_less() {
        let departure = Departure::default();
        assert_eq!(departure.announce(8), Ok(()));
        assert_eq!(departure.announce(4), Ok(()));
        assert_eq!(departure.announce(8), Err(Code::ID_ERROR));
        assert_eq!(departure.announce(3), Err(Code::ID_ERROR), "a stream of another kind");
        assert!(departure.refuses(4));
    }
}
