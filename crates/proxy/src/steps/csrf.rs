//! CSRF: a request that a page of another origin made a browser send goes no further.

use tidegate_core::access::DeniedBy;
use tidegate_core::csrf::{Asked, Csrf};
use tidegate_core::failure::Failure;

use crate::call::Call;

/// Look where the request comes from.
///
/// # Errors
/// If it comes from a page of an origin that is not trusted.
pub fn before(csrf: Option<&Csrf>, call: &Call<'_>) -> Result<(), Failure> {
    let Some(csrf) = csrf else { return Ok(()) };
    let asked = Asked {
        head: call.head,
        is_ambient: call.proof.as_ref().map(|proof| proof.ambient),
        has_certificate: call.client.certificate().is_some(),
        is_upgrade: call.upgrade.is_some(),
        scheme: call.client.peer.client_scheme(&call.head.headers),
        host: call.host(),
    };
    csrf.check(&asked).map_err(|told| call.deny(DeniedBy::Csrf, &|| told.label().into()))
}
