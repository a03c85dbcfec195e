//! The check by an HTTP request.

use std::ops::RangeInclusive;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, request};
use regex::bytes::Regex;
use tidegate_core::plan;

use super::words::{NO_HOST, told};
use crate::upstream::fetch::Fetch;

/// So much of a body is looked at.
const LOOKED_AT: usize = 1024;
/// A longer body costs the connection.
const READ: usize = 64 * 1024;

/// A request, and which answers pass.
#[derive(Debug)]
pub struct HttpCheck {
    head: request::Parts,
    host: Option<HeaderValue>,
    statuses: Vec<RangeInclusive<u16>>,
    /// What must match in the body.
    body: Option<Regex>,
}

impl HttpCheck {
    /// What `plan` asks for; nothing if it has mistakes.
    pub fn build(plan: &plan::HealthHttp) -> Option<Self> {
        let mut request = Request::builder()
            .method(Method::from_bytes(plan.method.as_bytes()).ok()?)
            .uri(&plan.path)
            .header(USER_AGENT, "tidegate-health");
        for (name, value) in &plan.headers {
            let name = HeaderName::try_from(name).ok()?;
            // The operator's own words go before ours.
            request.headers_mut()?.insert(name, HeaderValue::try_from(value).ok()?);
        }
        let host = plan.host.as_ref().map(HeaderValue::try_from).transpose().ok()?;
        let body = match &plan.body {
            None => None,
            Some(plan::HealthBody { contains: Some(text), .. }) => {
                Some(Regex::new(&regex::escape(text)).ok()?)
            }
            Some(plan::HealthBody { regex, .. }) => Some(Regex::new(regex.as_deref()?).ok()?),
        };
        let statuses = plan.statuses.iter().map(|range| range.0.clone()).collect();
        Some(Self { head: request.body(()).ok()?.into_parts().0, host, statuses, body })
    }

    /// Check once.
    ///
    /// # Errors
    /// How it failed, for people.
    pub async fn run(&self, fetch: &Fetch<'_>) -> Result<(), String> {
        let mut head = self.head.clone();
        head.headers.insert(HOST, fetch.host(self.host.as_ref()).ok_or(NO_HOST)?);
        let mut fetched = fetch.send(&head, &Bytes::new(), false).await.map_err(told)?;
        let status = fetched.head.status.as_u16();
        let wanted = if self.body.is_some() { LOOKED_AT } else { 0 };
        let content = fetched.read(wanted, READ).await.map_err(told)?;
        if !self.statuses.iter().any(|range| range.contains(&status)) {
            return Err(format!("status {status}"));
        }
        let found = self.body.as_ref().is_none_or(|regex| regex.is_match(&content.start));
        if found { Ok(()) } else { Err("the body does not hold what is expected".into()) }
    }
}
