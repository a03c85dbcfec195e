//! What a predictor has learnt, as it is kept from one process to the next.

use serde::{Deserialize, Serialize};

use super::cost::KnownCosts;
use super::parameters::REMEMBERED;

/// What the present form is called.
const VERSION: u32 = 1;

/// What a [`Predictor`](super::Predictor) has learnt. Its seed is part of it: all hashes hang on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knowledge {
    version: u32,
    pub(super) costs: KnownCosts,
    /// How often costs were seen, and the requests a second.
    pub(super) distribution: Vec<u32>,
    pub(super) rate: f64,
    /// What predictions were worth.
    pub(super) skill: Vec<u64>,
    /// The numeric query parameters that have a place.
    pub(super) parameters: [u64; REMEMBERED],
}

impl Knowledge {
    pub(super) fn new(
        costs: KnownCosts,
        (distribution, rate): (Vec<u32>, f64),
        skill: Vec<u64>,
        parameters: [u64; REMEMBERED],
    ) -> Self {
        Self { version: VERSION, costs, distribution, rate, skill, parameters }
    }

    /// Whether it is of the present form.
    ///
    /// # Errors
    /// Which one it is of.
    pub(super) fn check(&self) -> Result<(), String> {
        let wrong =
            || format!("it is of version {}, and this release reads {VERSION}", self.version);
        (self.version == VERSION).then_some(()).ok_or_else(wrong)
    }
}
