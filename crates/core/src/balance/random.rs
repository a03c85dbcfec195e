//! Weighted random.

use super::candidates::Candidates;
use super::{Pick, Policy};

/// Each endpoint with a probability in proportion to its weight, in O(log n).
#[derive(Debug)]
pub(super) struct Random;

impl Policy for Random {
    fn choose(&self, from: &Candidates<'_>, pick: &mut Pick<'_>) -> usize {
        from.draw(pick.random)
    }
}
