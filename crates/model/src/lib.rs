//! Models that were trained elsewhere, and the answers that they give.
//!
//! A model comes as one value, a tar: its manifest, golden vectors, and trees or a network. [`Model::load`] refuses
//! whatever is not what it claims to be, answers otherwise than the library that trained it, or takes too long; so what
//! it returns can be asked in the path of a request.

mod budget;
mod golden;
mod manifest;
mod model;
mod network;
mod package;
mod refusal;
#[cfg(test)]
mod testing;
mod trees;

#[cfg(test)]
use network::proto;

pub use budget::BUDGET;
pub use manifest::{Kind, Manifest};
pub use model::Model;
pub use refusal::Refusal;
