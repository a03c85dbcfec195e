//! Questions about a plan that need no running engine.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tidegate_core::plan::Plan;
use tidegate_proxy::engine::{self, NoAnswer};

use crate::error::{json, plan_error};

/// The answer to a question about a plan; both are JSON.
#[pyfunction]
pub fn inspect<'py>(
    py: Python<'py>,
    plan: &[u8],
    question: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let answer = py.detach(|| engine::inspect(plan, question)).map_err(|none| match none {
        NoAnswer::Plan(issues) => plan_error(py, issues),
        NoAnswer::Question(wrong) => PyValueError::new_err(wrong),
    })?;
    Ok(PyBytes::new(py, &answer))
}

/// The JSON Schema of the plan.
#[pyfunction]
pub fn plan_schema() -> PyResult<String> {
    json(&schemars::schema_for!(Plan))
}
