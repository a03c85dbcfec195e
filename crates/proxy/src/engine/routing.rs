//! Which route takes a request, asked of what is served or of a plan that is not.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use tidegate_core::plan::Plan;
use tidegate_core::route::{Explanation, RouteQuery, RouteTable, normalize_path};

/// A request that is only asked about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteQuestion {
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

impl RouteQuestion {
    /// What `table`, which was built from `plan`, says of it.
    ///
    /// # Errors
    /// What is wrong with the request, for people.
    pub(super) fn answer(&self, table: &RouteTable, plan: &Plan) -> Result<Explanation, String> {
        let listener = match &self.listener {
            None => 0,
            Some(name) => plan
                .listeners
                .iter()
                .position(|listener| listener.name == *name)
                .ok_or_else(|| format!("there is no listener `{name}`"))?,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
            let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
            headers.append(name, value);
        }
        let method =
            Method::from_bytes(self.method.as_bytes()).map_err(|error| error.to_string())?;
        let path = normalize_path(&self.path).map_err(|error| error.to_string())?;
        Ok(table.explain(&RouteQuery {
            listener,
            host: &self.host,
            path: &path,
            query: self.query.as_deref(),
            method: &method,
            headers: &headers,
        }))
    }
}
