//! Models, without a running engine.

use std::time::Instant;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tidegate_core::predict::features::Schema;
use tidegate_model::Model;

use crate::error::json;

/// What models are told of a request, as JSON.
#[pyfunction]
pub fn feature_schema() -> PyResult<String> {
    json(&Schema::current())
}

/// The answers of the model in `tar` to `rows`.
#[pyfunction]
pub fn score_model<'py>(py: Python<'py>, tar: &[u8], rows: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let score = || {
        let began = Instant::now();
        let model = Model::load(tar, &|| began.elapsed()).map_err(|refusal| refusal.to_string())?;
        model.score(rows)
    };
    let answers = py.detach(score).map_err(PyValueError::new_err)?;
    Ok(PyBytes::new(py, &answers))
}
