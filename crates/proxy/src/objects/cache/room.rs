//! The memory that fills may take of a cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How much of it is taken.
#[derive(Debug)]
pub struct Room {
    most: u64,
    taken: AtomicU64,
}

/// What one fill has taken of it; given back when dropped.
#[derive(Debug)]
pub struct Taken {
    room: Arc<Room>,
    bytes: u64,
}

impl Room {
    /// Room for so many bytes.
    pub fn new(most: u64) -> Arc<Self> {
        Arc::new(Self { most, taken: AtomicU64::new(0) })
    }

    /// Bytes that are taken.
    pub fn taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }

    /// Nothing of it yet.
    pub fn nothing(self: &Arc<Self>) -> Taken {
        Taken { room: self.clone(), bytes: 0 }
    }
}

impl Taken {
    /// Take so many bytes more; false where there are not that many.
    pub fn take(&mut self, bytes: u64) -> bool {
        let Room { most, taken } = &*self.room;
        let took = taken.fetch_update(Relaxed, Relaxed, |all| {
            let all = all.checked_add(bytes)?;
            (all <= *most).then_some(all)
        });
        if took.is_ok() {
            self.bytes += bytes;
        }
        took.is_ok()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_there_is_and_all_is_given_back() {
        let room = Room::new(10);
        let (mut one, mut other) = (room.nothing(), room.nothing());
        assert!(one.take(6) && other.take(4));
        assert!(!one.take(1) && !other.take(u64::MAX));
        drop(one);
        assert_eq!(room.taken(), 4);
        assert!(other.take(6));
        drop(other);
        assert_eq!(room.taken(), 0);
    }
}
