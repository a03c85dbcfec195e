//! Which route takes a request, asked of what is served or of a plan that is not.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::{Deserialize, Serialize};
use tidegate_core::plan::{Plan, Route};
use tidegate_core::rewrite::{Redirect, Requested, Target};
use tidegate_core::route::{Explanation, Found, RouteQuery, RouteTable, normalize_path};

/// A request that is only asked about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteQuestion {
    method: String,
    scheme: String,
    host: String,
    path: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
    listener: Option<String>,
}

/// Which route takes a request, and where that leads.
#[derive(Debug, Serialize)]
pub(super) struct Routing {
    #[serde(flatten)]
    explanation: Explanation,
    #[serde(flatten)]
    leads: Leads,
}

/// Where a request is sent.
#[derive(Debug, Default, Serialize)]
struct Leads {
    /// The `Host` that an endpoint gets.
    host: Option<String>,
    /// The path, with the query, that an endpoint gets.
    path: Option<String>,
    /// Where a redirect leads.
    location: Option<String>,
}

impl RouteQuestion {
    /// What `table`, which was built from `plan`, says of it.
    ///
    /// # Errors
    /// What is wrong with the request, for people.
    pub(super) fn answer(&self, table: &RouteTable, plan: &Plan) -> Result<Routing, String> {
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
        let request = RouteQuery {
            listener,
            host: &self.host,
            path: &path,
            query: self.query.as_deref(),
            method: &method,
            headers: &headers,
        };
        let route = |found: Found| Some((plan.routes.get(found.route)?, found));
        let leads = table.find(&request).and_then(route);
        Ok(Routing {
            explanation: table.explain(&request),
            leads: leads
                .map_or_else(Leads::default, |(route, found)| self.leads(route, &path, &found)),
        })
    }

    /// Where `route`, which was found as `found` for `path`, leads.
    fn leads(&self, route: &Route, path: &str, found: &Found) -> Leads {
        // The plan is built already: there is nothing wrong with it.
        let (matched, at, no_issues) = (route.matches.path.as_ref(), "", &mut Vec::new());
        if let Some(redirect) = &route.redirect {
            let query = self.query.as_deref();
            let host = Some(self.host.as_str()).filter(|host| !host.is_empty());
            let requested = Requested { scheme: &self.scheme, host, path, query };
            let location = Redirect::build(redirect, matched, at, no_issues)
                .and_then(|redirect| redirect.location(&requested, found));
            return Leads { location, ..Leads::default() };
        }
        if route.respond.is_some() {
            return Leads::default();
        }
        let target = route
            .rewrite
            .as_ref()
            .and_then(|rewrite| Target::build(rewrite, matched, at, no_issues));
        let path = target.as_ref().map_or(path.into(), |target| target.path(path, found));
        let host = target.as_ref().and_then(|target| target.host()?.to_str().ok());
        let query = self.query.as_ref().filter(|query| !query.is_empty());
        Leads {
            host: Some(host.unwrap_or(&self.host).to_owned()),
            path: Some(query.map_or_else(|| path.to_string(), |query| format!("{path}?{query}"))),
            location: None,
        }
    }
}
