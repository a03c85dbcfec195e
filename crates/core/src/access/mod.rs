//! Access: which requests may use a route.

mod address_rules;
mod denied_by;
mod lists;
mod network_list;
mod networks;
mod ranges;

pub use address_rules::{AddressDenied, AddressRules};
pub use denied_by::DeniedBy;
pub use networks::{KeptOut, Networks};
