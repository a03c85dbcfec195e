//! Whether, when and how often a request is sent again.
//!
//! A try that came to nothing has a [`Reason`]. A route's [`Policy`] says which reasons are worth another
//! try, and how long to pause before it; its upstream's [`Budget`] says whether there may be another one at
//! all. The budget is what keeps retries from multiplying the load of a service that is in trouble.

mod backoff;
mod budget;
mod policy;
mod reason;
mod retry_after;

pub use backoff::Backoff;
pub use budget::{Allowance, Budget};
pub use policy::Policy;
pub use reason::Reason;
pub use retry_after::retry_after;
