//! Mistakes in the health settings of a plan.

use http::{HeaderName, HeaderValue, Method};
use regex::bytes::Regex;

use crate::plan::{self, Issue};

/// All mistakes in `health`, whose place in the plan is `path` (like `upstreams.0.health`).
pub fn check(path: &str, health: &plan::Health) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut demand = |met: bool, option: &str, message: &str| {
        if !met {
            let place = if option.is_empty() { path.into() } else { format!("{path}.{option}") };
            issues.push(Issue::new(place, message));
        }
    };
    let outlier = &health.outlier;
    let kinds = [health.http.is_some(), health.tcp.is_some(), health.grpc.is_some()];
    let kinds = kinds.into_iter().filter(|&given| given).count();
    demand(kinds <= 1, "", "expected at most one of http, tcp and grpc");
    let begins = health.initial == plan::InitialHealth::Healthy || kinds > 0;
    demand(begins, "initial", "endpoints that begin unhealthy need a check that ends it");
    let (rest, ejection) = (outlier.rest, outlier.ejection);
    demand(outlier.max_rest >= rest, "outlier.max_rest", "must not be shorter than `rest`");
    let longest = outlier.max_ejection >= ejection;
    demand(longest, "outlier.max_ejection", "must not be shorter than `ejection`");
    if let Some(http) = &health.http {
        issues.extend(check_http(&format!("{path}.http"), http));
    }
    issues
}

fn check_http(path: &str, http: &plan::HealthHttp) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut report = |option: &str, message: String| {
        issues.push(Issue::new(format!("{path}.{option}"), message));
    };
    if http.path.parse::<http::uri::PathAndQuery>().is_err() || !http.path.starts_with('/') {
        report("path", format!("`{}` is no request target: expected a path", http.path));
    }
    if Method::from_bytes(http.method.as_bytes()).is_err() {
        report("method", format!("`{}` is no method", http.method));
    }
    if http.host.as_ref().is_some_and(|host| HeaderValue::try_from(host).is_err()) {
        report("host", "a field value cannot hold control characters".into());
    }
    for (name, value) in &http.headers {
        if HeaderName::try_from(name).is_err() {
            report(&format!("headers.{name}"), format!("`{name}` is not a field name"));
        }
        if HeaderValue::try_from(value).is_err() {
            let message = "a field value cannot hold control characters";
            report(&format!("headers.{name}"), message.into());
        }
    }
    if http.statuses.is_empty() {
        report("statuses", "expected at least one status code".into());
    }
    match http.body.as_ref().map(|body| (&body.contains, &body.regex)) {
        None | Some((Some(_), None)) => {}
        Some((None, Some(regex))) => {
            if let Err(error) = Regex::new(regex) {
                report("body.regex", error.to_string());
            }
        }
        Some(_) => report("body", "expected exactly one of contains and regex".into()),
    }
    issues
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::health::testing::health;
    use crate::plan::testing::number;
    use crate::plan::{HealthBody, HealthTcp, InitialHealth};

    fn places(health: &plan::Health) -> Vec<String> {
        check("h", health).into_iter().map(|issue| issue.path).collect()
    }

    #[test]
    fn good_settings_have_no_mistakes() {
        assert_eq!(check("h", &health()), []);
    }

    #[test]
    fn every_mistake_is_reported_with_its_place() {
        let mut health = health();
        health.tcp = Some(HealthTcp {});
        let outlier = &mut health.outlier;
        (outlier.rest, outlier.max_rest) = (number(10), number(9));
        (outlier.ejection, outlier.max_ejection) = (number(10), number(9));
        assert_eq!(places(&health), ["h", "h.outlier.max_rest", "h.outlier.max_ejection"]);
    }

    #[test]
    fn an_endpoint_that_begins_unhealthy_needs_a_check() {
        let health = plan::Health { http: None, initial: InitialHealth::Unhealthy, ..health() };
        assert_eq!(places(&health), ["h.initial"]);
    }

    #[test]
    fn every_mistake_of_a_request_is_reported_with_its_place() {
        let mut health = health();
        let http = health.http.as_mut().unwrap();
        http.path = "healthz".into();
        http.method = "GE T".into();
        http.host = Some("a\r\n".into());
        http.headers.insert("a b".into(), "c".into());
        http.statuses.clear();
        http.body = Some(HealthBody { contains: None, regex: Some("(".into()) });
        let expected = [
            "h.http.path",
            "h.http.method",
            "h.http.host",
            "h.http.headers.a b",
            "h.http.statuses",
            "h.http.body.regex",
        ];
        assert_eq!(places(&health), expected);
    }
}
