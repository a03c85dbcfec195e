//! Questions about a plan that need no running engine.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Deserialize;
use tidegate_core::plan::{Issue, Plan};
use tidegate_core::route::{RouteQuery, RouteTable, normalize_path};
use tidegate_proxy::engine::check;

use crate::error::{pairs, plan_error};

/// Read a plan; the single issue says where it is not of the plan's shape.
pub fn read(json: &str) -> Result<Plan, Vec<Issue>> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| vec![Issue::new(error.path().to_string(), error.inner().to_string())])
}

/// All errors of a plan that can be found without starting anything.
#[pyfunction]
pub fn check_plan(py: Python<'_>, plan: &str) -> Vec<(String, String)> {
    py.detach(|| match read(plan) {
        Ok(plan) => pairs(check(plan)),
        Err(issues) => pairs(issues),
    })
}

/// The JSON Schema of the plan.
#[pyfunction]
pub fn plan_schema() -> PyResult<String> {
    json(&schemars::schema_for!(Plan))
}

/// The routes in order of precedence, as JSON.
#[pyfunction]
pub fn route_table(py: Python<'_>, plan: &str) -> PyResult<String> {
    let (table, _) = table(py, plan)?;
    json(&table.rows())
}

/// A request to be explained.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    method: String,
    #[serde(rename = "scheme")]
    _scheme: String,
    host: String,
    path: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
    #[serde(rename = "client")]
    _client: Option<String>,
    listener: Option<String>,
}

/// Which route takes a request, and why the nearer ones do not, as JSON.
#[pyfunction]
pub fn explain_route(py: Python<'_>, plan: &str, request: &str) -> PyResult<String> {
    let asked: Asked = serde_json::from_str(request).map_err(refused)?;
    let (table, plan) = table(py, plan)?;
    let listener = match &asked.listener {
        None => 0,
        Some(name) => plan
            .listeners
            .iter()
            .position(|listener| listener.name == *name)
            .ok_or_else(|| refused(format!("there is no listener `{name}`")))?,
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &asked.headers {
        let name = HeaderName::try_from(name).map_err(refused)?;
        headers.append(name, HeaderValue::try_from(value).map_err(refused)?);
    }
    let method = Method::from_bytes(asked.method.as_bytes()).map_err(refused)?;
    let path = normalize_path(&asked.path).map_err(refused)?;
    json(&table.explain(&RouteQuery {
        listener,
        host: &asked.host,
        path: &path,
        query: asked.query.as_deref(),
        method: &method,
        headers: &headers,
    }))
}

fn table(py: Python<'_>, plan: &str) -> PyResult<(RouteTable, Plan)> {
    let built = read(plan).and_then(|plan| {
        RouteTable::build(&plan.routes, &plan.listeners).map(|table| (table, plan))
    });
    built.map_err(|issues| plan_error(py, issues))
}

/// A value as JSON text.
pub fn json(value: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(refused)
}

fn refused(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}
