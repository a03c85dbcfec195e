//! Errors as Python sees them.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use tidegate_core::plan::Issue;

pyo3::create_exception!(tidegate._engine, PlanError, PyValueError, "The plan cannot be served.");

/// Issues as `(path, message)` pairs.
pub fn pairs(issues: Vec<Issue>) -> Vec<(String, String)> {
    issues.into_iter().map(|issue| (issue.path, issue.message)).collect()
}

/// A `PlanError` that carries all issues in its attribute `errors`.
pub fn plan_error(py: Python<'_>, issues: Vec<Issue>) -> PyErr {
    let text = issues.iter().map(Issue::to_string).collect::<Vec<_>>().join("\n");
    let error = PlanError::new_err(text);
    let attached = PyList::new(py, pairs(issues))
        .and_then(|errors| error.value(py).setattr("errors", errors));
    attached.err().unwrap_or(error)
}
