//! Long work: what takes longer than a worker may be away from its connections.
//!
//! It waits in a bounded queue for the threads beside the workers, which the engine runs. A queue that is full
//! says so at once, and its caller decides what becomes of the work.

use std::collections::VecDeque;
use std::fmt;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

/// Work that waits at the most, where nothing else is said.
const WAITING: usize = 1024;

type Work = Box<dyn FnOnce() + Send>;

/// The queue of long work.
pub struct LongWork {
    most: usize,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    ended: bool,
}

/// As much work waits as may wait, or none is done any more.
#[derive(Debug, PartialEq, Eq)]
pub struct QueueFull;

impl Default for LongWork {
    fn default() -> Self {
        Self::holding(WAITING)
    }
}

impl LongWork {
    /// A queue in which so much work waits at the most.
    pub fn holding(most: usize) -> Self {
        Self { most, queue: Mutex::default(), changed: Condvar::new() }
    }

    /// Have `work` done by another thread.
    ///
    /// # Errors
    /// If the queue is full; the work is dropped.
    pub fn submit(&self, work: impl FnOnce() + Send + 'static) -> Result<(), QueueFull> {
        let mut queue = self.queue.lock();
        if queue.ended || queue.waiting.len() >= self.most {
            return Err(QueueFull);
        }
        queue.waiting.push_back(Box::new(work));
        self.changed.notify_one();
        Ok(())
    }

    /// Have `work` done by another thread, however much waits: for what something else bounds.
    pub fn insist(&self, work: impl FnOnce() + Send + 'static) {
        let mut queue = self.queue.lock();
        if !queue.ended {
            queue.waiting.push_back(Box::new(work));
            self.changed.notify_one();
        }
    }

    /// What `work` comes to, which another thread does.
    ///
    /// # Errors
    /// If the queue is full or ends; the work is dropped.
    pub async fn result<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueueFull> {
        let (tell, told) = oneshot::channel();
        self.submit(move || {
            // What asked may be gone.
            let _ = tell.send(work());
        })?;
        told.await.map_err(|_| QueueFull)
    }

    /// How much waits.
    pub fn waiting(&self) -> usize {
        self.queue.lock().waiting.len()
    }

    /// Do what is submitted, one after the other, until the end: what a thread beside the workers does.
    pub fn run(&self) {
        while let Some(work) = self.next() {
            work();
        }
    }

    /// Do what waits, and say how much that was.
    #[cfg(test)]
    pub fn run_waiting(&self) -> usize {
        let waiting = std::mem::take(&mut self.queue.lock().waiting);
        let count = waiting.len();
        waiting.into_iter().for_each(|work| work());
        count
    }

    /// Wait for work; `None` at the end.
    fn next(&self) -> Option<Work> {
        let mut queue = self.queue.lock();
        loop {
            if queue.ended {
                return None;
            }
            if let Some(work) = queue.waiting.pop_front() {
                return Some(work);
            }
            self.changed.wait(&mut queue);
        }
    }

    /// Nothing more is to be done: what waits is dropped.
    pub fn end(&self) {
        let mut queue = self.queue.lock();
        queue.ended = true;
        queue.waiting.clear();
        self.changed.notify_all();
    }
}

impl fmt::Debug for LongWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LongWork").field("waiting", &self.queue.lock().waiting.len()).finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;

    #[test]
    fn work_is_done_by_the_threads_that_run_it_until_the_end() {
        let work = Arc::new(LongWork::default());
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let work = work.clone();
                thread::spawn(move || work.run())
            })
            .collect();
        let (done, results) = mpsc::channel();
        for number in 0..100 {
            let done = done.clone();
            work.submit(move || done.send(number).unwrap()).unwrap();
        }
        let mut numbers: Vec<i32> = results.iter().take(100).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, Vec::from_iter(0..100));
        work.end();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(work.submit(|| ()), Err(QueueFull));
    }

    #[test]
    fn a_queue_that_is_full_says_so() {
        let work = LongWork::default();
        (0..WAITING).for_each(|_| work.submit(|| ()).unwrap());
        assert_eq!(work.submit(|| ()), Err(QueueFull));
        drop(work.next());
        assert_eq!(work.submit(|| ()), Ok(()));
    }
}
