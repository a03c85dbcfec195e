//! Rewrite: the target that the upstream gets.

use http::header::HOST;
use tidegate_core::failure::Failure;
use tidegate_core::rewrite::Target;

use crate::call::Call;

/// Change the path and the host.
///
/// # Errors
/// If the new path is not one of a target.
pub fn before(target: Option<&Target>, call: &mut Call<'_>) -> Result<(), Failure> {
    let Some(target) = target else { return Ok(()) };
    let path = target.path(call.head.uri.path(), &call.found);
    if path != call.head.uri.path() {
        call.head.uri = call.target_with_path(&path)?;
    }
    if let Some(host) = target.host() {
        call.head.headers.insert(HOST, host.clone());
    }
    Ok(())
}
