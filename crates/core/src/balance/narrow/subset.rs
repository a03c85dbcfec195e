//! Subsets by label.

use crate::plan::{Endpoint, Labels};

/// The endpoints that carry all of `labels`.
pub(super) fn members(endpoints: &[Endpoint], labels: &Labels) -> Vec<u32> {
    let carries = |endpoint: &Endpoint| {
        labels.iter().all(|(name, value)| endpoint.labels.get(name) == Some(value))
    };
    (0u32..).zip(endpoints).filter(|(_, each)| carries(each)).map(|(index, _)| index).collect()
}
