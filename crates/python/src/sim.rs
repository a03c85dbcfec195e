//! The simulators.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_core::plan::Issue;
use tidegate_sim::{cache, run};

use crate::error::{json, plan_error};

/// Run a scenario of this kind; the report is JSON as well.
#[pyfunction]
pub fn simulate(py: Python<'_>, kind: &str, scenario: &str) -> PyResult<String> {
    match kind {
        "balancing" => report(py, scenario, run),
        "cache" => report(py, scenario, cache::run),
        _ => Err(PyValueError::new_err(format!("there is no simulator of {kind}"))),
    }
}

fn report<Scenario: DeserializeOwned, Report: Serialize + Send>(
    py: Python<'_>,
    scenario: &str,
    run: fn(&Scenario) -> Result<Report, Issue>,
) -> PyResult<String> {
    let simulated = || run(&read(scenario)?);
    let report = py.detach(simulated).map_err(|issue| plan_error(py, vec![issue]))?;
    json(&report)
}

fn read<Scenario: DeserializeOwned>(scenario: &str) -> Result<Scenario, Issue> {
    let mut reader = serde_json::Deserializer::from_str(scenario);
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| Issue::new(error.path().to_string(), error.inner().to_string()))
}
