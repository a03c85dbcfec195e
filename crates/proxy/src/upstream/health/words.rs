//! How checks fail, in words.

use tidegate_core::failure::Failure;

/// The endpoint's address, which would be the `Host` of a request, cannot be in a field.
pub const NO_HOST: &str = "its address is no host";

/// A failure as a cause: `connect refused`.
pub fn told(failure: Failure) -> String {
    failure.meaning().label.replace('_', " ")
}
