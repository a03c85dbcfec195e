//! Guarded fields: what tells upstreams of identities is taken off what clients send.

use crate::call::Call;

/// Take off the fields that only the gateway may write, on every route, before anything is decided by them. They are
/// not in the trailers either.
pub fn before(call: &mut Call<'_>) {
    let guarded = &call.snapshot.guarded_fields;
    if guarded.is_empty() {
        return;
    }
    guarded.take_off(&mut call.head.headers);
    if !call.body.is_end() {
        *call.body = std::mem::take(call.body).guarded(guarded.clone());
    }
}
