//! Where stories are kept: two bounded rings per worker.
//!
//! What stood out is kept apart from what was sampled, so that the many ordinary requests do not push out the few
//! that are worth asking for. A worker never waits: a story that comes while its ring is being read is lost.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

use super::Story;
use super::story::Reason;

/// The stories of all workers.
#[derive(Debug)]
pub struct Archive {
    workers: Box<[CachePadded<Rings>]>,
}

/// The stories of one worker.
#[derive(Debug, Default)]
struct Rings {
    outstanding: Ring,
    sampled: Ring,
}

/// The latest stories, the oldest first.
type Ring = Mutex<VecDeque<Arc<Story>>>;

impl Archive {
    /// Empty rings for so many workers.
    pub fn new(workers: usize) -> Self {
        Self { workers: (0..workers).map(|_| CachePadded::default()).collect() }
    }

    /// Keep a story of `worker` in place of its oldest, where there are `most` of its kind.
    pub fn keep(&self, worker: usize, story: Story, most: u32) {
        let rings = &self.workers[worker];
        let ring = match story.reason {
            Reason::Sampled => &rings.sampled,
            _ => &rings.outstanding,
        };
        if let Some(mut ring) = ring.try_lock() {
            let room = (most as usize).saturating_sub(1);
            let surplus = ring.len().saturating_sub(room);
            ring.drain(..surplus);
            ring.push_back(Arc::new(story));
        }
    }

    /// Forget all but the latest `most` of each kind.
    pub fn trim(&self, most: u32) {
        for ring in self.rings() {
            let mut ring = ring.lock();
            let surplus = ring.len().saturating_sub(most as usize);
            ring.drain(..surplus);
        }
    }

    /// The latest request of this name.
    pub fn find(&self, request_id: &str) -> Option<Arc<Story>> {
        let found = self.rings().filter_map(|ring| {
            let ring = ring.lock();
            ring.iter().rev().find(|story| *story.request_id == *request_id).cloned()
        });
        found.max_by(|a, b| a.time.total_cmp(&b.time))
    }

    /// The last `count` requests that stood out, the latest first.
    pub fn last(&self, count: usize) -> Vec<Arc<Story>> {
        let mut stories: Vec<_> = self
            .workers
            .iter()
            .flat_map(|rings| {
                let ring = rings.outstanding.lock();
                ring.iter().rev().take(count).cloned().collect::<Vec<_>>()
            })
            .collect();
        stories.sort_by(|a, b| b.time.total_cmp(&a.time));
        stories.truncate(count);
        stories
    }

    fn rings(&self) -> impl Iterator<Item = &Ring> {
        self.workers.iter().flat_map(|rings| [&rings.outstanding, &rings.sampled])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::account::explain::story::Phases;

    fn story(name: &str, time: f64, reason: Reason) -> Story {
        Story {
            request_id: name.into(),
            time,
            reason,
            listener: "web".into(),
            method: "GET".into(),
            host: None,
            path: "/".into(),
            status: 200,
            error: None,
            detail: None,
            route: None,
            route_id: None,
            upstream: None,
            phases: Phases::default(),
            limits: Vec::new(),
            subject: None,
            auth: Vec::new(),
            access: None,
            cache: None,
            prediction: None,
            tries: Vec::new(),
            unpicked: None,
        }
    }

    #[test]
    fn a_full_ring_forgets_its_oldest_and_no_other() {
        let archive = Archive::new(2);
        for number in 0..5 {
            archive.keep(0, story(&number.to_string(), f64::from(number), Reason::Failed), 3);
        }
        archive.keep(1, story("other worker", 0.0, Reason::Failed), 3);
        archive.keep(0, story("sampled", 0.0, Reason::Sampled), 3);
        let kept = |name| archive.find(name).is_some();
        assert!(!kept("0") && !kept("1"));
        assert!(["2", "3", "4", "other worker", "sampled"].into_iter().all(kept));
    }

    #[test]
    fn samples_never_push_out_what_stood_out() {
        let archive = Archive::new(1);
        archive.keep(0, story("failed", 1.0, Reason::Failed), 2);
        (0..100).for_each(|_| archive.keep(0, story("good", 2.0, Reason::Sampled), 2));
        assert!(archive.find("failed").is_some());
    }

    #[test]
    fn of_two_requests_with_one_name_the_later_is_told() {
        let archive = Archive::new(2);
        archive.keep(1, story("twice", 2.0, Reason::Failed), 3);
        archive.keep(0, story("twice", 1.0, Reason::Failed), 3);
        assert_eq!(archive.find("twice").unwrap().time, 2.0);
    }

    #[test]
    fn the_list_has_the_latest_of_all_workers_first_and_no_samples() {
        let archive = Archive::new(2);
        archive.keep(0, story("a", 1.0, Reason::Failed), 3);
        archive.keep(1, story("b", 2.0, Reason::Slow), 3);
        archive.keep(0, story("c", 3.0, Reason::Retried), 3);
        archive.keep(0, story("good", 4.0, Reason::Sampled), 3);
        let names: Vec<_> = archive.last(2).iter().map(|s| s.request_id.to_string()).collect();
        assert_eq!(names, ["c", "b"]);
    }

    #[test]
    fn a_worker_does_not_wait_for_a_reader() {
        let archive = Archive::new(1);
        let looking = archive.workers[0].outstanding.lock();
        archive.keep(0, story("lost", 1.0, Reason::Failed), 3);
        drop(looking);
        assert!(archive.find("lost").is_none());
    }

    #[test]
    fn what_is_trimmed_to_nothing_is_empty() {
        let archive = Archive::new(1);
        archive.keep(0, story("a", 1.0, Reason::Failed), 3);
        archive.trim(0);
        assert!(archive.find("a").is_none());
    }
}
