//! What the engine has to tell: events for the control plane, which waits for them.
//!
//! Telling never waits. Where events are not taken, or not quickly enough, the queue is full, and what comes
//! then is counted and dropped.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;

use crate::net::clock;

/// Events that are kept until they are taken.
const KEPT: usize = 4096;

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Seconds since 1970.
    pub time: f64,
    /// What.
    #[serde(flatten)]
    pub happening: Happening,
}

/// What happens; `kind` names it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Happening {
    /// An endpoint's health changed: it was ejected, failed its checks, returned, drains, …
    HealthChanged {
        /// Its upstream.
        upstream: String,
        /// Its address.
        endpoint: String,
        /// The state before.
        from: &'static str,
        /// The state since.
        to: &'static str,
        /// Why, for people.
        cause: String,
    },
    /// An upstream's panic mode began or ended.
    PanicMode {
        /// The upstream.
        upstream: String,
        /// Whether it began.
        active: bool,
    },
    /// What an operator says of an endpoint holds from now on.
    WordApplied {
        /// Its upstream.
        upstream: String,
        /// Its address.
        endpoint: String,
        /// What is said; null: nothing any more.
        word: Value,
        /// Whether there is such an endpoint now.
        present: bool,
    },
    /// A task panicked; it alone ended.
    TaskPanicked {
        /// The thread: a worker's number, or `health`.
        thread: String,
        /// What the panic said.
        message: String,
        /// File and line.
        place: String,
    },
    /// A thread panicked and is started anew.
    ThreadRestarted {
        /// The thread: a worker's number, or `health`.
        thread: String,
        /// What the panic said.
        message: String,
    },
    /// Events came faster than they were taken.
    EventsLost {
        /// How many.
        count: u64,
    },
}

/// The events that wait to be taken.
#[derive(Debug, Default)]
pub struct Events {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// The engine itself acts on this kind.
    health_changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Event>,
    lost: u64,
    ended: bool,
}

impl Events {
    /// Tell what happened just now.
    pub fn tell(&self, happening: Happening) {
        if let Happening::HealthChanged { .. } = happening {
            self.health_changed.notify_one();
        }
        let mut queue = self.queue.lock();
        if queue.waiting.len() < KEPT {
            queue.waiting.push_back(Event::now(happening));
        } else {
            queue.lost += 1;
        }
        self.arrived.notify_one();
    }

    /// All events that have not been taken yet, the oldest first; where there are none, those that come within
    /// `limit`. `None`: there will be no more.
    pub fn wait(&self, limit: Duration) -> Option<Vec<Event>> {
        let deadline = Instant::now() + limit;
        let mut queue = self.queue.lock();
        while queue.waiting.is_empty() && !queue.ended {
            if self.arrived.wait_until(&mut queue, deadline).timed_out() {
                break;
            }
        }
        if queue.ended && queue.waiting.is_empty() {
            return None;
        }
        let mut events = Vec::from(std::mem::take(&mut queue.waiting));
        let lost = std::mem::take(&mut queue.lost);
        events.extend((lost > 0).then(|| Event::now(Happening::EventsLost { count: lost })));
        Some(events)
    }

    /// Wait for a change of health, which only one task does.
    pub async fn health_changed(&self) {
        self.health_changed.notified().await;
    }

    /// There will be no more: waits end.
    pub fn end(&self) {
        self.queue.lock().ended = true;
        self.arrived.notify_all();
    }
}

impl Event {
    fn now(happening: Happening) -> Self {
        Self { time: clock::unix_nanos() as f64 / 1e9, happening }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn happening(number: u64) -> Happening {
        Happening::EventsLost { count: number }
    }

    fn happenings(events: Vec<Event>) -> Vec<Happening> {
        events.into_iter().map(|event| event.happening).collect()
    }

    #[test]
    fn events_are_taken_once_and_in_order() {
        let events = Events::default();
        (1..=3).for_each(|number| events.tell(happening(number)));
        let taken = happenings(events.wait(LONG).unwrap());
        assert_eq!(taken, [happening(1), happening(2), happening(3)]);
        assert_eq!(events.wait(Duration::ZERO), Some(Vec::new()));
    }

    #[test]
    fn a_wait_ends_when_something_happens() {
        let events = Arc::new(Events::default());
        let telling = events.clone();
        let teller = thread::spawn(move || telling.tell(happening(1)));
        assert_eq!(happenings(events.wait(LONG).unwrap()), [happening(1)]);
        teller.join().unwrap();
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let events = Events::default();
        (0..KEPT as u64 + 2).for_each(|_| events.tell(happening(0)));
        let taken = happenings(events.wait(LONG).unwrap());
        assert_eq!(taken.len(), KEPT + 1);
        assert_eq!(taken.last(), Some(&happening(2)));
    }

    #[test]
    fn at_the_end_a_wait_ends_after_what_was_told() {
        let events = Arc::new(Events::default());
        let waiting = events.clone();
        let waiter = thread::spawn(move || waiting.wait(LONG));
        events.end();
        assert_eq!(waiter.join().unwrap(), None);
        events.tell(happening(1));
        assert_eq!(happenings(events.wait(LONG).unwrap()), [happening(1)]);
        assert_eq!(events.wait(LONG), None);
    }

    #[test]
    fn an_event_is_one_flat_object() {
        let event = Event { time: 1.5, happening: happening(7) };
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(text, r#"{"time":1.5,"kind":"events_lost","count":7}"#);
    }
}
