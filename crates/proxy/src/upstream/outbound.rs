//! What a worker sends requests with.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use tidegate_core::balance::SplitMix64;
use tidegate_core::plan;
use tokio::time::Instant;

use super::pool::Pool;
use super::{Member, Membership, Upstream};
use crate::long_work::LongWork;

/// A worker's own count of the uses of a membership, so that requests of different workers do not write to the
/// same cache line.
pub type HeldMembership = Rc<Arc<Membership>>;

/// One worker's connections to endpoints and its random numbers. Only its thread ever sees it.
pub struct Outbound {
    /// The worker's number, by which it counts.
    pub worker: usize,
    /// Its random numbers.
    pub random: RefCell<SplitMix64>,
    /// Where it leaves what takes long.
    pub long_work: Arc<LongWork>,
    pools: RefCell<ById<Rc<Pool>>>,
    memberships: RefCell<ById<HeldMembership>>,
}

impl Outbound {
    /// No connections yet.
    pub fn new(worker: usize, random: SplitMix64, long_work: Arc<LongWork>) -> Self {
        Self {
            worker,
            random: RefCell::new(random),
            long_work,
            pools: RefCell::default(),
            memberships: RefCell::default(),
        }
    }

    /// This worker's connections to `member`.
    pub fn pool(&self, member: &Arc<Member>, plan: &plan::Pool) -> Rc<Pool> {
        let mut pools = self.pools.borrow_mut();
        let pool =
            pools.entry(member.id).or_insert_with(|| Rc::new(Pool::new(member.clone(), plan)));
        pool.configure(plan);
        pool.clone()
    }

    /// The endpoints of `upstream` just now. A request takes them once.
    pub fn membership(&self, upstream: &Upstream) -> HeldMembership {
        let now = upstream.membership();
        let mut memberships = self.memberships.borrow_mut();
        match memberships.get(&upstream.id) {
            Some(held) if Arc::ptr_eq(held, &now) => held.clone(),
            _ => {
                let held = Rc::new(Arc::clone(&now));
                memberships.insert(upstream.id, held.clone());
                held
            }
        }
    }

    /// Close what has been unused for too long, and let go of endpoints that no request has.
    pub fn sweep(&self, now: Instant) {
        self.pools.borrow_mut().retain(|_, pool| pool.sweep(now));
        self.memberships.borrow_mut().retain(|_, held| Rc::strong_count(held) > 1);
    }
}

/// By an id that is unique for the life of the process.
type ById<T> = HashMap<u64, T, BuildHasherDefault<IdHasher>>;

/// Ids are unique already.
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
