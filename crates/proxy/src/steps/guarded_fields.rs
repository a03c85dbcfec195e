//! Guarded fields: what tells upstreams of identities is taken off what clients send.

use crate::call::Call;

/// Take off the fields that only the gateway may write, on every route.
pub fn before(call: &mut Call<'_>) {
    let guarded = &call.snapshot.guarded_fields;
    if !guarded.is_empty() {
        guarded.take_off(&mut call.head.headers);
    }
}
