//! The border between Python and the engine: a plan in, one handle out, plain values back.
//!
//! Python's side of it is `src/tidegate/_engine.pyi`. Nothing here decides anything.

mod engine;
mod error;
mod model;
mod plan;
mod sim;

use mimalloc::MiMalloc;
use pyo3::prelude::*;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The engine: per-request work, in Rust, on threads of its own.
#[pymodule]
mod _engine {
    #[pymodule_export]
    use crate::engine::{Engine, Prepared};
    #[pymodule_export]
    use crate::error::{PlanError, UnknownItemsError};
    #[pymodule_export]
    use crate::model::{feature_schema, score_model};
    #[pymodule_export]
    use crate::plan::{inspect, plan_schema};
    #[pymodule_export]
    use crate::sim::simulate;

    use pyo3::prelude::*;

    /// The engine's version.
    #[pyfunction]
    fn version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}
