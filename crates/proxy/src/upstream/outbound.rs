//! What a worker sends requests with.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use tidegate_core::balance::SplitMix64;
use tidegate_core::plan;
use tokio::time::Instant;

use super::Member;
use super::pool::Pool;

/// One worker's connections to endpoints and its random numbers. Only its thread ever sees it.
pub struct Outbound {
    /// The worker's number, by which it counts.
    pub worker: usize,
    /// Its random numbers.
    pub random: RefCell<SplitMix64>,
    pools: RefCell<HashMap<u64, Rc<Pool>, BuildHasherDefault<IdHasher>>>,
}

impl Outbound {
    /// No connections yet.
    pub fn new(worker: usize, random: SplitMix64) -> Self {
        Self { worker, random: RefCell::new(random), pools: RefCell::default() }
    }

    /// This worker's connections to `member`.
    pub fn pool(&self, member: &Arc<Member>, plan: &plan::Pool) -> Rc<Pool> {
        let mut pools = self.pools.borrow_mut();
        let pool =
            pools.entry(member.id).or_insert_with(|| Rc::new(Pool::new(member.clone(), plan)));
        pool.configure(plan);
        pool.clone()
    }

    /// Close what has been unused for too long.
    pub fn sweep(&self, now: Instant) {
        self.pools.borrow_mut().retain(|_, pool| pool.sweep(now));
    }
}

/// Members' ids are unique already.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, id: u64) {
        // Spread over the high bits, which the map looks at.
        self.0 = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
