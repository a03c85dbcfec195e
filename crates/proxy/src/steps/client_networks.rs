//! Client networks: whether the client may use the route, by where its address is.

use tidegate_core::access::AddressRules;
use tidegate_core::failure::Failure;

use crate::call::Call;

/// Look at the address.
///
/// # Errors
/// If the rules keep it out.
pub fn before(rules: Option<&AddressRules>, call: &Call<'_>) -> Result<(), Failure> {
    let Some(rules) = rules else { return Ok(()) };
    rules
        .check(call.address, &*call.snapshot.geoip)
        .map_err(|denied| call.deny(denied.by(), &|| denied.to_string().into()))
}
