//! Changing targets and header fields.
//!
//! All is read and checked once, when a plan is built; what is left for a request cannot fail.

mod header_edits;
mod path_change;
mod path_text;
mod prefix;
mod redirect;
mod target;

pub(crate) use header_edits::is_own;
pub use header_edits::{HeaderEdits, settable_field};
pub use redirect::{Redirect, Requested};
pub use target::Target;
