//! What the rules decide, case by case.
#![allow(clippy::unwrap_used)]

mod conditional;
mod directives;
mod freshening;
mod key;
mod oracle;
mod range;
mod reuse;
mod storing;
mod vary;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::Settings;
use crate::plan;

/// Fields that may have any bytes beyond ASCII too.
pub(super) fn fields<V: AsRef<[u8]>>(fields: &[(&str, V)]) -> HeaderMap {
    let field = |(name, value): &(&str, V)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_ref()).unwrap())
    };
    fields.iter().map(field).fold(HeaderMap::new(), |mut all, (name, value)| {
        all.append(name, value);
        all
    })
}

/// The options of a route's cache where it says nothing, with short windows for stale responses.
pub(super) fn wanted() -> plan::RouteCache {
    let wanted = json!({
        "name": "main",
        "key": {
            "query": {"allow": null, "deny": null, "sort": false},
            "headers": [],
            "cookies": [],
            "route": false,
        },
        "ttl": {},
        "stale": {"while_revalidate": 1_000, "if_error": 2_000, "if_disconnected": 3_000},
        "tags": [],
        "lock": 5_000,
        "targeted": ["CDN-Cache-Control"],
        "set_cookie": "explicit",
        "request_directives": "ignore",
        "vary": "normalised",
        "ignore": [],
        "bypass": [],
        "no_store": [],
        "min_uses": 1,
        "purge_from": [],
        "purge_token_file": null,
    });
    serde_json::from_value(wanted).unwrap()
}

/// What a route's cache is set to by them.
fn settings() -> Settings {
    let mut issues = Vec::new();
    let settings = Settings::build(&wanted(), "edge", "shop", "routes.0.cache", &mut issues);
    assert!(issues.is_empty(), "{issues:?}");
    settings
}
