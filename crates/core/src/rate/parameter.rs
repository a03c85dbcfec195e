//! Names of parameters of the fields that tell clients of limits.

use sfv::KeyRef;

/// Of a policy: what it allows ...
pub(super) const QUOTA: &KeyRef = KeyRef::constant("q");
/// ... in so many seconds ...
pub(super) const WINDOW: &KeyRef = KeyRef::constant("w");
/// ... and of what, if not of requests.
pub(super) const UNIT: &KeyRef = KeyRef::constant("qu");
/// Of a service limit: what is left ...
pub(super) const REMAINING: &KeyRef = KeyRef::constant("r");
/// ... and the seconds until there is more ...
pub(super) const RESET: &KeyRef = KeyRef::constant("t");
/// ... as it is written before them.
pub(super) const THEN_RESET: &[u8] = b";t=";
/// Of both: what tells the client from others.
pub(super) const PARTITION_KEY: &KeyRef = KeyRef::constant("pk");
