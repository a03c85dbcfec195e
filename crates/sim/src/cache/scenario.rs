//! What is simulated.
//!
//! Python's side of it is `src/tidegate/sim/cache/`, which knows the short forms and the defaults. Here everything is given.

use serde::Deserialize;
use tidegate_core::plan::Issue;

use super::policy::PolicyName;
use crate::scenario::{Distribution, demand};

/// Requests for objects, and caches of several sizes with one policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// All random numbers follow from it.
    pub seed: u64,
    /// What leaves a full cache.
    pub policy: PolicyName,
    /// How large the caches are.
    pub capacities: Vec<Capacity>,
    /// What is asked for.
    pub stream: Stream,
}

/// How much a cache holds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capacity {
    /// So many bytes.
    Bytes(u64),
    /// A part of all objects that are asked for.
    Share(f64),
}

impl Capacity {
    pub(super) fn bytes(self, footprint: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Share(share) => (footprint as f64 * share) as u64,
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Objects at random.
    Synthetic(Synthetic),
    /// Objects by number, each with its size in bytes, in the order in which they were asked for.
    Recorded(Vec<(u64, u64)>),
}

/// Requests at random: for object k of a catalogue with a probability in proportion to 1 / kˢ, and some that ask for something
/// else.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// How many.
    pub requests: u32,
    /// Objects in the catalogue.
    pub objects: u32,
    /// Zipf's exponent s; 0: all alike.
    pub skew: f64,
    /// The part of the requests that ask for what is never asked for again.
    pub once: f64,
    /// Scans over the catalogue.
    pub scans: Scans,
    /// Sizes of objects, in bytes.
    pub size: Distribution,
}

/// Something that reads objects of the catalogue in order, like a crawler, between the other requests.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scans {
    /// The part of the requests that it makes.
    pub share: f64,
    /// How many objects it reads before it begins anew at another one.
    pub length: u32,
}

impl Scenario {
    pub(super) fn check(&self) -> Result<(), Issue> {
        for (index, capacity) in self.capacities.iter().enumerate() {
            if let Capacity::Share(share) = capacity {
                let message = "must be a part from 0 to 1 of all objects";
                demand((0.0..=1.0).contains(share), &format!("capacities.{index}"), message)?;
            }
        }
        match &self.stream {
            Stream::Synthetic(synthetic) => synthetic.check(),
            Stream::Recorded(_) => Ok(()),
        }
    }
}

impl Synthetic {
    fn check(&self) -> Result<(), Issue> {
        let has_objects = self.objects > 0 && self.skew >= 0.0 && self.skew.is_finite();
        demand(has_objects, "objects", "must be at least one, with a skew of at least 0")?;
        let is_share = self.once >= 0.0 && self.scans.share >= 0.0;
        let are_parts = is_share && self.once + self.scans.share <= 1.0;
        demand(are_parts, "once", "and scans.share must be parts of one whole")?;
        demand(self.scans.length > 0, "scans.length", "must be at least 1")?;
        self.size.check("size")
    }
}
