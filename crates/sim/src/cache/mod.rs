//! What a cache keeps: requests for objects, and core's own policies that say which ones leave when it is full.

mod policy;
mod report;
mod scenario;
mod stream;

pub use policy::PolicyName;
pub use report::{Misses, Report};
pub use scenario::{Capacity, Scans, Scenario, Stream, Synthetic};
pub use stream::Request;

use tidegate_core::cache::evict::{Lru, Policy};
use tidegate_core::plan::Issue;

/// Run a scenario: all its requests through a cache of each capacity, which is empty in the beginning.
///
/// # Errors
/// The first option that it cannot be run with.
pub fn run(scenario: &Scenario) -> Result<Report, Issue> {
    scenario.check()?;
    let requests = scenario.stream.requests(scenario.seed);
    let mut unbounded = Lru::new(u64::MAX);
    let cold = misses(&mut unbounded, &requests);
    let misses = scenario.capacities.iter().map(|capacity| {
        let mut policy = scenario.policy.build(capacity.bytes(unbounded.used()));
        misses(policy.as_mut(), &requests)
    });
    Ok(Report {
        requests: requests.len() as u64,
        bytes: requests.iter().map(|request| request.size).sum(),
        objects: unbounded.len() as u64,
        footprint: unbounded.used(),
        misses: misses.collect(),
        unbounded: Misses { capacity: unbounded.used(), ..cold },
    })
}

/// What is missed: every object that is asked for is put in if it is not there.
fn misses(policy: &mut dyn Policy, requests: &[Request]) -> Misses {
    let mut misses = Misses { capacity: policy.capacity(), requests: 0, bytes: 0 };
    for &Request { id, size } in requests {
        if !policy.touch(id) {
            misses.requests += 1;
            misses.bytes += size;
            policy.insert(id, size);
        }
    }
    misses
}
