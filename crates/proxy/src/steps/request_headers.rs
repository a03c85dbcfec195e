//! Request headers: the route's changes of the fields that the upstream gets.

use tidegate_core::failure::Failure;
use tidegate_core::rewrite::HeaderEdits;

use crate::call::Call;

/// Make the changes.
///
/// # Errors
/// None.
pub fn before(edits: &HeaderEdits, call: &mut Call<'_>) -> Result<(), Failure> {
    edits.apply(&mut call.head.headers);
    Ok(())
}
