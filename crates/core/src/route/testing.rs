//! What tests of routes and rewrites share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::Found;
use super::pattern::PathPattern;
use super::rule::Rule;
use crate::plan::{PathMatch, Route};

/// A route of the plan with defaults for what `options` leave out.
pub(crate) fn route(options: Value) -> Route {
    let mut whole = json!({
        "name": "r", "listeners": [],
        "match": {"hosts": [], "methods": [], "headers": [], "query": [], "cookies": []},
        "upstream": "app",
        "request_headers": {"set": {}, "add": {}, "remove": []},
        "response_headers": {"set": {}, "add": {}, "remove": []},
        "retry": {"attempts": 1}, "limits": {},
    });
    for (option, value) in options.as_object().unwrap() {
        match (option.as_str(), value) {
            ("match", Value::Object(matches)) => {
                whole["match"].as_object_mut().unwrap().extend(matches.clone());
            }
            _ => whole[option] = value.clone(),
        }
    }
    serde_json::from_value(whole).unwrap()
}

/// The condition on the path that `value` means; null: none.
pub(crate) fn path_match(value: &Value) -> Option<PathMatch> {
    serde_json::from_value(value.clone()).unwrap()
}

/// What a route that matches `value` finds in `path`.
pub(crate) fn found(value: &Value, path: &str) -> Found {
    let route = route(json!({"match": {"path": value}}));
    let rule = Rule::build(0, &route, &[], &mut Vec::new()).unwrap();
    assert!(rule.path.matches(path) || matches!(rule.path, PathPattern::Prefix(_)));
    rule.found(path)
}
