//! The simulator.

use pyo3::prelude::*;
use tidegate_core::plan::Issue;
use tidegate_sim::{Report, Scenario, run};

use crate::error::{json, plan_error};

/// Run a scenario; the report is JSON as well.
#[pyfunction]
pub fn simulate(py: Python<'_>, scenario: &str) -> PyResult<String> {
    let report = py.detach(|| simulated(scenario)).map_err(|issue| plan_error(py, vec![issue]))?;
    json(&report)
}

fn simulated(scenario: &str) -> Result<Report, Issue> {
    let mut reader = serde_json::Deserializer::from_str(scenario);
    let scenario: Scenario = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| Issue::new(error.path().to_string(), error.inner().to_string()))?;
    run(&scenario)
}
