//! What the engine has to tell the control plane, which waits for it: notices, which become its events.
//!
//! Telling never waits. Where notices are not taken, or not quickly enough, the queue is full, and what comes
//! then is counted and dropped.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;

use super::samples::Sample;
use crate::net::clock;

/// Notices that are kept until they are taken.
const KEPT: usize = 4096;

/// A notice and when it was given.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimedNotice {
    /// Seconds since 1970.
    pub time: f64,
    /// What happened.
    #[serde(flatten)]
    pub notice: Notice,
}

/// Something that happened; `kind` names it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Notice {
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
    /// Requests took longer with predictions than without: predictions are off.
    PredictionOff {
        /// The upstream.
        upstream: String,
        /// How much longer: 0.1 is a tenth.
        worse_by: f64,
        /// Until when, in seconds since 1970.
        until: f64,
    },
    /// Predictions are on again, and compared anew.
    PredictionOn {
        /// The upstream.
        upstream: String,
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
    /// A token names a key that its issuer has not been known to have.
    UnknownKey {
        /// The authenticator whose tokens these are.
        authenticator: String,
        /// The name of the key.
        kid: String,
    },
    /// A client has purged what is stored of a URL.
    Purged {
        /// The cache.
        cache: String,
        /// The URL.
        url: String,
        /// Whether it is stale from now on, and not gone.
        soft: bool,
        /// Where that came from.
        author: String,
    },
    /// Purges of other gateways may have been missed, and all that a cache had stored is purged.
    PurgesMissed {
        /// The cache.
        cache: String,
        /// The stream in which they are told.
        stream: String,
    },
    /// A store answers, or does not any more.
    StoreChanged {
        /// The store.
        store: String,
        /// Whether it answers.
        up: bool,
        /// Why it does not; empty where it does.
        cause: String,
    },
    /// A model is not asked any more, and the learner predicts alone.
    ModelFallback {
        /// The upstream that it predicted for.
        upstream: String,
        /// Its name and its digest.
        model: String,
        /// Why: `skill`, `drift`, `budget`, `outcome` or `not_finite`.
        reason: &'static str,
    },
    /// Samples of requests were taken.
    Samples {
        /// Their upstream.
        upstream: String,
        /// The schema of their features.
        features: &'static str,
        /// The requests.
        rows: Vec<Sample>,
    },
    /// A task panicked; it alone ended.
    TaskPanicked {
        /// The thread: a worker's number, `health`, `long-work` or `stores`.
        thread: String,
        /// What the panic said.
        message: String,
        /// File and line.
        place: String,
    },
    /// A thread panicked and is started anew.
    ThreadRestarted {
        /// The thread: a worker's number, `health`, `long-work` or `stores`.
        thread: String,
        /// What the panic said.
        message: String,
    },
    /// Notices came faster than they were taken.
    EventsLost {
        /// How many.
        count: u64,
    },
}

/// The notices that wait to be taken.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// The engine itself acts on this kind.
    health_changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<TimedNotice>,
    lost: u64,
    ended: bool,
}

impl Outbox {
    /// Tell what happened just now.
    pub fn tell(&self, notice: Notice) {
        if let Notice::HealthChanged { .. } = notice {
            self.health_changed.notify_one();
        }
        let mut queue = self.queue.lock();
        if queue.waiting.len() < KEPT {
            queue.waiting.push_back(TimedNotice::now(notice));
        } else {
            queue.lost += 1;
        }
        self.arrived.notify_one();
    }

    /// All notices that have not been taken yet, the oldest first; where there are none, those that come within
    /// `limit`. `None`: there will be no more.
    pub fn wait(&self, limit: Duration) -> Option<Vec<TimedNotice>> {
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
        let mut notices = Vec::from(std::mem::take(&mut queue.waiting));
        let lost = std::mem::take(&mut queue.lost);
        notices.extend((lost > 0).then(|| TimedNotice::now(Notice::EventsLost { count: lost })));
        Some(notices)
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

impl TimedNotice {
    /// `notice` is given just now.
    pub fn now(notice: Notice) -> Self {
        Self { time: clock::unix_nanos() as f64 / 1e9, notice }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn notice(number: u64) -> Notice {
        Notice::EventsLost { count: number }
    }

    fn notices(outbox: Vec<TimedNotice>) -> Vec<Notice> {
        outbox.into_iter().map(|told| told.notice).collect()
    }

    #[test]
    fn events_are_taken_once_and_in_order() {
        let outbox = Outbox::default();
        (1..=3).for_each(|number| outbox.tell(notice(number)));
        let taken = notices(outbox.wait(LONG).unwrap());
        assert_eq!(taken, [notice(1), notice(2), notice(3)]);
        assert_eq!(outbox.wait(Duration::ZERO), Some(Vec::new()));
    }

    #[test]
    fn a_wait_ends_when_something_happens() {
        let outbox = Arc::new(Outbox::default());
        let telling = outbox.clone();
        let teller = thread::spawn(move || telling.tell(notice(1)));
        assert_eq!(notices(outbox.wait(LONG).unwrap()), [notice(1)]);
        teller.join().unwrap();
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let outbox = Outbox::default();
        (0..KEPT as u64 + 2).for_each(|_| outbox.tell(notice(0)));
        let taken = notices(outbox.wait(LONG).unwrap());
        assert_eq!(taken.len(), KEPT + 1);
        assert_eq!(taken.last(), Some(&notice(2)));
    }

    #[test]
    fn at_the_end_a_wait_ends_after_what_was_told() {
        let outbox = Arc::new(Outbox::default());
        let waiting = outbox.clone();
        let waiter = thread::spawn(move || waiting.wait(LONG));
        outbox.end();
        assert_eq!(waiter.join().unwrap(), None);
        outbox.tell(notice(1));
        assert_eq!(notices(outbox.wait(LONG).unwrap()), [notice(1)]);
        assert_eq!(outbox.wait(LONG), None);
    }

    #[test]
    fn a_notice_is_one_flat_object() {
        let timed = TimedNotice { time: 1.5, notice: notice(7) };
        let text = serde_json::to_string(&timed).unwrap();
        assert_eq!(text, r#"{"time":1.5,"kind":"events_lost","count":7}"#);
    }
}
