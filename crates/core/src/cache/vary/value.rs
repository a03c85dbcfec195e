//! A field's value in the form in which it is compared.

use smallvec::SmallVec;

/// A value in the form in which it is compared.
pub(super) type Value = SmallVec<[u8; 128]>;

/// Begins what was read and ends its parts: no value has it, so that no other text is the same.
pub(super) const END: u8 = b'\n';
