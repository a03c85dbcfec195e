//! The engine's handle.

use std::time::Duration;

use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use tidegate_proxy::engine;
use tidegate_proxy::engine::log::Format;

use crate::error::plan_error;
use crate::plan::{json, read};

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

    fn prepare(&self, py: Python<'_>, plan: &str) -> PyResult<Prepared> {
        let prepared = py.detach(|| read(plan).and_then(|plan| self.0.prepare(plan)));
        let prepared = prepared.map_err(|issues| plan_error(py, issues))?;
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

    fn metrics(&self, py: Python<'_>) -> String {
        py.detach(|| self.0.metrics())
    }

    fn status(&self, py: Python<'_>) -> PyResult<String> {
        json(&py.detach(|| self.0.status()))
    }

    fn endpoint_health(
        &self,
        py: Python<'_>,
        upstream: &str,
        address: &str,
    ) -> PyResult<Option<String>> {
        py.detach(|| self.0.endpoint_health(upstream, address))
            .map(|health| json(&health))
            .transpose()
    }

    fn explain(&self, py: Python<'_>, request_id: &str) -> PyResult<Option<String>> {
        let explained = py.detach(|| self.0.explain(request_id));
        explained.map(|explained| json(&explained)).transpose()
    }

    fn outstanding(&self, py: Python<'_>, count: usize) -> PyResult<String> {
        json(&py.detach(|| self.0.outstanding(count)))
    }

    fn reopen_logs(&self) {
        self.0.reopen_logs();
    }

    fn set_log_filter(&self, directives: &str) -> PyResult<()> {
        self.0.set_log_filter(directives).map_err(PyValueError::new_err)
    }

    fn drain(&self, py: Python<'_>, timeout_ms: u64) -> bool {
        py.detach(|| self.0.drain(Duration::from_millis(timeout_ms)))
    }
}
