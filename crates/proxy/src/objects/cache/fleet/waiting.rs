//! Purges that other gateways are still to be told of.
//!
//! The queue has an end. Where more waits than it holds, because the store has been away for long, all of it gives way to
//! one purge of everything, which takes what they take.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::objects::cache::purge_request::PurgeRequest;

/// Bytes of what waits at the most.
const MOST: usize = 4 << 20;
/// Bytes that one takes beside its text.
const EACH: usize = 64;
/// Purges that are told at once.
const AT_ONCE: usize = 100;

/// Purges that wait, in the order in which they were made.
#[derive(Debug)]
pub struct Waiting {
    queue: Mutex<Queue>,
    /// There is one more.
    added: Notify,
    /// Up to which number they were told.
    told: watch::Sender<u64>,
    /// The same, or that the store is away.
    settled: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Numbered>,
    bytes: usize,
    /// The number of the last one.
    last: u64,
    told: u64,
    /// Whether the store cannot be told anything.
    is_away: bool,
}

/// A purge with its number, as JSON.
#[derive(Debug, Clone)]
pub struct Numbered {
    /// The number.
    pub number: u64,
    /// The purge.
    pub purge: Arc<str>,
}

impl Default for Waiting {
    fn default() -> Self {
        let queue = Mutex::default();
        Self { queue, added: Notify::new(), told: watch::Sender::new(0), settled: Condvar::new() }
    }
}

impl Waiting {
    /// One more is to be told. Returns its number.
    pub fn add(&self, purge: &PurgeRequest) -> u64 {
        let mut queue = self.queue.lock();
        queue.push(purge);
        if queue.bytes > MOST {
            (queue.waiting, queue.bytes) = (VecDeque::new(), 0);
            queue.push(&PurgeRequest::everything());
        }
        self.added.notify_one();
        queue.last
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.queue.lock().waiting.len()
    }

    /// Wait for some, and see the first of them.
    pub(super) async fn next(&self) -> Vec<Numbered> {
        loop {
            let first: Vec<_> = self.queue.lock().waiting.iter().take(AT_ONCE).cloned().collect();
            if !first.is_empty() {
                return first;
            }
            self.added.notified().await;
        }
    }

    /// The store has those up to this number.
    pub(super) fn tell(&self, number: u64) {
        let mut queue = self.queue.lock();
        while let Some(first) = queue.waiting.pop_front() {
            if first.number > number {
                queue.waiting.push_front(first);
                break;
            }
            queue.bytes -= first.purge.len() + EACH;
        }
        (queue.told, queue.is_away) = (number, false);
        drop(queue);
        self.told.send_replace(number);
        self.settled.notify_all();
    }

    /// The store cannot be told anything; whether that is new.
    pub(super) fn leave(&self) -> bool {
        let was_away = std::mem::replace(&mut self.queue.lock().is_away, true);
        // Those that wait for a word have it.
        self.told.send_modify(|_| {});
        self.settled.notify_all();
        !was_away
    }

    /// Whether the store has the one of this number, within `limit`; where it is known to be away that is not waited for.
    pub fn is_told(&self, number: u64, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut queue = self.queue.lock();
        while queue.told < number && !queue.is_away {
            if self.settled.wait_until(&mut queue, deadline).timed_out() {
                break;
            }
        }
        queue.told >= number
    }

    /// The same for a worker, which does not stand still for it.
    pub async fn becomes_told(&self, number: u64, limit: Duration) -> bool {
        let mut told = self.told.subscribe();
        let has_word = told.wait_for(|told| *told >= number || self.queue.lock().is_away);
        // Without a word it is not told.
        let _ = timeout(limit, has_word).await;
        self.queue.lock().told >= number
    }
}

impl Queue {
    fn push(&mut self, purge: &PurgeRequest) {
        self.last += 1;
        let purge: Arc<str> = purge.to_string().into();
        self.bytes += purge.len() + EACH;
        self.waiting.push_back(Numbered { number: self.last, purge });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn tag(name: &str) -> PurgeRequest {
        serde_json::from_value(serde_json::json!({"tag": name})).unwrap()
    }

    fn first(waiting: &Waiting) -> Vec<Numbered> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(waiting.next())
    }

    #[test]
    fn they_wait_in_order_until_they_are_told() {
        let waiting = Waiting::default();
        let numbers: Vec<_> = (0..250).map(|n| waiting.add(&tag(&n.to_string()))).collect();
        let batch = first(&waiting);
        assert_eq!(batch.len(), AT_ONCE);
        assert_eq!(&*batch[99].purge, r#"{"tag":"99","soft":false}"#);
        waiting.tell(batch[99].number);
        assert_eq!((waiting.len(), first(&waiting)[0].number), (150, numbers[100]));
        assert!(waiting.is_told(numbers[99], LONG));
        assert!(!waiting.is_told(numbers[100], Duration::ZERO));
    }

    #[test]
    fn too_many_become_one_of_everything() {
        let waiting = Waiting::default();
        let long = tag(&"x".repeat(8_000));
        let before = waiting.add(&long);
        let sent = first(&waiting);
        (0..MOST / 8_000).for_each(|_| _ = waiting.add(&long));
        assert!(waiting.len() < 10, "{}", waiting.len());
        assert_eq!(&*first(&waiting)[0].purge, r#"{"all":true,"soft":false}"#);
        // What was under way meanwhile takes nothing of what waits now.
        waiting.tell(sent[0].number);
        assert_eq!(&*first(&waiting)[0].purge, r#"{"all":true,"soft":false}"#);
        assert!(waiting.is_told(before, LONG));
        let last = waiting.add(&long);
        waiting.tell(last);
        assert_eq!(waiting.queue.lock().bytes, 0);
    }

    #[test]
    fn a_store_that_is_away_is_not_waited_for() {
        let waiting = Arc::new(Waiting::default());
        let number = waiting.add(&tag("a"));
        let waits = waiting.clone();
        let waiter = thread::spawn(move || waits.is_told(number, LONG));
        waiting.leave();
        assert!(!waiter.join().unwrap());
        assert!(!waiting.is_told(number, LONG));
        waiting.tell(number);
        assert!(waiting.is_told(number, LONG));
    }

    #[tokio::test]
    async fn a_worker_has_word_as_soon_as_there_is_any() {
        let waiting = Waiting::default();
        let number = waiting.add(&tag("a"));
        let (told, ()) = tokio::join!(waiting.becomes_told(number, LONG), async {
            waiting.tell(number);
        });
        assert!(told);
        let number = waiting.add(&tag("b"));
        let (told, ()) = tokio::join!(waiting.becomes_told(number, LONG), async {
            waiting.leave();
        });
        assert!(!told);
    }
}
