//! The engine's handle.

use std::time::Duration;

use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tidegate_proxy::engine::log::Format;
use tidegate_proxy::engine::{self, Refused};

use crate::error::{json, plan_error, unknown_items};

/// A snapshot that is built and waits to be committed.
#[pyclass(module = "tidegate._engine", frozen)]
pub struct Prepared {
    /// Taken by the commit.
    snapshot: Mutex<Option<engine::Prepared>>,
    diff: String,
}

#[pymethods]
impl Prepared {
    /// What a commit would change, as JSON.
    #[getter]
    fn diff(&self) -> &str {
        &self.diff
    }
}

/// The data plane of this process.
#[pyclass(module = "tidegate._engine", frozen)]
pub struct Engine(engine::Engine);

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (workers, log_format = "text", log_filter = "info"))]
    fn new(workers: usize, log_format: &str, log_filter: &str) -> PyResult<Self> {
        let format = match log_format {
            "text" => Format::Text,
            "json" => Format::Json,
            other => {
                return Err(PyValueError::new_err(format!(
                    "`{other}` is not a log format: expected `text` or `json`"
                )));
            }
        };
        if workers == 0 {
            return Err(PyValueError::new_err("an engine needs at least one worker"));
        }
        match engine::Engine::start(workers, format, log_filter) {
            Ok(engine) => Ok(Self(engine)),
            Err(error @ engine::StartError::Log(_)) => {
                Err(PyValueError::new_err(error.to_string()))
            }
            Err(error) => Err(PyRuntimeError::new_err(error.to_string())),
        }
    }

    fn prepare(&self, py: Python<'_>, plan: &[u8]) -> PyResult<Prepared> {
        let prepared = py.detach(|| self.0.prepare(plan)).map_err(|refused| match refused {
            Refused::Issues(issues) => plan_error(py, issues),
            Refused::Unknown(digests) => unknown_items(py, digests),
        })?;
        let diff = json(&prepared.diff)?;
        Ok(Prepared { snapshot: Mutex::new(Some(prepared)), diff })
    }

    fn commit(&self, py: Python<'_>, prepared: &Prepared) -> PyResult<()> {
        let snapshot = prepared.snapshot.lock().take();
        let snapshot =
            snapshot.ok_or_else(|| PyRuntimeError::new_err("this change was committed already"))?;
        py.detach(|| self.0.commit(snapshot))
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))
    }

    fn supply(&self, py: Python<'_>, kind: &str, name: &str, value: &[u8]) -> PyResult<()> {
        py.detach(|| self.0.supply(kind, name, value)).map_err(PyValueError::new_err)
    }

    fn ask<'py>(&self, py: Python<'py>, question: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let answer = py.detach(|| self.0.ask(question)).map_err(PyValueError::new_err)?;
        Ok(PyBytes::new(py, &answer))
    }

    fn wait<'py>(&self, py: Python<'py>, timeout_ms: u64) -> PyResult<Bound<'py, PyBytes>> {
        let events = py.detach(|| self.0.wait(Duration::from_millis(timeout_ms)));
        Ok(PyBytes::new(py, json(&events)?.as_bytes()))
    }

    fn metrics(&self, py: Python<'_>) -> String {
        py.detach(|| self.0.metrics())
    }

    fn drain(&self, py: Python<'_>, timeout_ms: u64) -> bool {
        py.detach(|| self.0.drain(Duration::from_millis(timeout_ms)))
    }
}
