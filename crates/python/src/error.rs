//! Errors as Python sees them.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use tidegate_core::plan::Issue;

pyo3::create_exception!(tidegate._engine, PlanError, PyValueError, "The plan cannot be served.");
pyo3::create_exception!(
    tidegate._engine,
    UnknownItemsError,
    PyValueError,
    "The plan names items that the engine does not have."
);

/// A `PlanError` that carries all issues, as pairs of path and message, in its attribute `errors`.
pub fn plan_error(py: Python<'_>, issues: Vec<Issue>) -> PyErr {
    let text = issues.iter().map(Issue::to_string).collect::<Vec<_>>().join("\n");
    let pairs: Vec<_> = issues.into_iter().map(|issue| (issue.path, issue.message)).collect();
    with(py, PlanError::new_err(text), "errors", PyList::new(py, pairs))
}

/// An `UnknownItemsError` that carries the digests in its attribute `digests`.
pub fn unknown_items(py: Python<'_>, digests: Vec<String>) -> PyErr {
    let text = format!("the engine does not have {} items of the plan", digests.len());
    with(py, UnknownItemsError::new_err(text), "digests", PyList::new(py, digests))
}

fn with(py: Python<'_>, error: PyErr, name: &str, list: PyResult<Bound<'_, PyList>>) -> PyErr {
    list.and_then(|list| error.value(py).setattr(name, list)).err().unwrap_or(error)
}

/// A value as JSON text.
pub fn json(value: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(|error| PyValueError::new_err(error.to_string()))
}
