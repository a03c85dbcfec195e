//! Changes of header fields.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::plan::{self, Issue};

/// Fields that belong to one connection or frame a message (RFC 9110 §7.6.1, §8.6; RFC 9112 §6.1):
/// the gateway makes them itself, and a second opinion on them lets requests be smuggled.
const OWN: [&str; 9] = [
    "connection",
    "content-length",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Changes of header fields, done in the order remove, set, add.
#[derive(Debug, Clone, Default)]
pub struct HeaderEdits {
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
}

impl HeaderEdits {
    /// Reads the option `edits`, which stands at `at` (like `routes.3.request_headers`). What is wrong
    /// is added to `issues` and left out.
    pub fn build(edits: &plan::HeaderEdits, at: &str, issues: &mut Vec<Issue>) -> Self {
        let mut check = |at: String, name: &str, value: &str| match field(name, value) {
            Ok(field) => Some(field),
            Err(wrong) => {
                issues.push(Issue::new(at, wrong));
                None
            }
        };
        let mut pairs = |kind: &str, fields: &std::collections::BTreeMap<String, String>| {
            let pair = |(name, value): (&String, &String)| {
                check(format!("{at}.{kind}.{name}"), name, value)
            };
            fields.iter().filter_map(pair).collect()
        };
        let (set, add) = (pairs("set", &edits.set), pairs("add", &edits.add));
        let removed = |(position, name): (usize, &String)| {
            check(format!("{at}.remove.{position}"), name, "").map(|(name, _)| name)
        };
        Self { remove: edits.remove.iter().enumerate().filter_map(removed).collect(), set, add }
    }

    /// Makes the changes.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name, value.clone());
        }
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }
}

fn field(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("`{name}` is not the name of a header field"))?;
    if name == "host" {
        return Err("`host` is part of the target: use `rewrite.host`".into());
    }
    if OWN.contains(&name.as_str()) {
        return Err(format!(
            "`{name}` frames messages or belongs to one connection; the gateway sets it itself"
        ));
    }
    let value = HeaderValue::from_str(value).map_err(|_| {
        format!("the value of `{name}` may not hold line breaks or control characters")
    })?;
    Ok((name, value))
}
