//! The simulators.

use pyo3::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_core::plan::Issue;
use tidegate_sim::{cache, run};

use crate::error::{json, plan_error};

/// Run a scenario of balancing; the report is JSON as well.
#[pyfunction]
pub fn simulate(py: Python<'_>, scenario: &str) -> PyResult<String> {
    report(py, scenario, run)
}

/// Run a scenario of a cache; the report is JSON as well.
#[pyfunction]
pub fn simulate_cache(py: Python<'_>, scenario: &str) -> PyResult<String> {
    report(py, scenario, cache::run)
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
