//! Identity headers: the upstream is told where the request comes from.

use tidegate_core::auth::IdentityHeaders;

use crate::call::Call;

/// Write the fields that tell of the identity; a request without one has none of them.
pub fn before(told: &IdentityHeaders, call: &mut Call<'_>) {
    if let Some(proof) = &call.proof {
        told.add_to(&mut call.head.headers, &proof.identity);
    }
}
