//! Access: whether the identity has what the route requires.

use std::sync::LazyLock;

use tidegate_core::access::DeniedBy;
use tidegate_core::auth::Claims;
use tidegate_core::failure::Failure;

use crate::call::Call;
use crate::snapshot::Access;

/// What is known of a request that has proven nothing.
static NONE: LazyLock<Claims> = LazyLock::new(Claims::default);

/// Judge the identity.
///
/// # Errors
/// If it lacks something.
pub fn before(access: &Access, call: &Call<'_>) -> Result<(), Failure> {
    let claims = call.proof.as_ref().map_or(&*NONE, |proof| &proof.identity.claims);
    match access.requirements.iter().find_map(|requirement| requirement.unmet(claims)) {
        None => Ok(()),
        Some(unmet) => Err(call.deny(DeniedBy::Require, &|| unmet.to_string().into())),
    }
}
