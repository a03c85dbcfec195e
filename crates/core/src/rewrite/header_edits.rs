//! Changes of header fields.

use std::collections::BTreeMap;

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

/// Whether the field belongs to one connection or frames a message, so that the gateway makes it itself.
pub(crate) fn is_own(name: &HeaderName) -> bool {
    OWN.contains(&name.as_str())
}

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
        let mut check = |at: String, name: &str, value: &str| match settable_field(name, value) {
            Ok(field) => Some(field),
            Err(wrong) => {
                issues.push(Issue::new(at, wrong));
                None
            }
        };
        let mut pairs = |kind: &str, fields: &BTreeMap<String, String>| {
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

/// A field that the configuration may set.
///
/// # Errors
/// Why it may not, for people.
pub fn settable_field(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("`{name}` is not the name of a header field"))?;
    if name == "host" {
        return Err("`host` is part of the target: use `rewrite.host`".into());
    }
    if is_own(&name) {
        return Err(format!(
            "`{name}` frames messages or belongs to one connection; the gateway sets it itself"
        ));
    }
    // RFC 9110 §5.5: blanks at its ends are not part of a value.
    let value = HeaderValue::from_str(value.trim_matches([' ', '\t'])).map_err(|_| {
        format!("the value of `{name}` may not hold line breaks or control characters")
    })?;
    Ok((name, value))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn build(edits: Value) -> (HeaderEdits, Vec<String>) {
        let mut whole = json!({"set": {}, "add": {}, "remove": []});
        whole.as_object_mut().unwrap().extend(edits.as_object().unwrap().clone());
        let mut issues = Vec::new();
        let edits = HeaderEdits::build(&serde_json::from_value(whole).unwrap(), "e", &mut issues);
        (edits, issues.into_iter().map(|issue| issue.path).collect())
    }

    #[test]
    fn fields_are_removed_then_set_then_added() {
        let (edits, issues) = build(json!({
            "remove": ["X-Gone", "x-both"], "set": {"X-Set": "new"}, "add": {"x-set": "more", "x-both": "1"}
        }));
        assert_eq!(issues, [""; 0]);
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-gone", "1"), ("x-both", "0"), ("x-set", "a"), ("x-set", "b")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        edits.apply(&mut headers);
        assert_eq!(headers.get_all("x-set").iter().collect::<Vec<_>>(), ["new", "more"]);
        assert_eq!(headers.get_all("x-both").iter().collect::<Vec<_>>(), ["1"]);
        assert!(!headers.contains_key("x-gone"));
    }

    #[test]
    fn fields_that_frame_messages_cannot_be_touched() {
        for name in OWN.into_iter().chain(["Host", "Transfer-Encoding"]) {
            let (edits, issues) =
                build(json!({"set": {name: "x"}, "add": {name: "x"}, "remove": [name]}));
            assert!(edits.is_empty());
            assert_eq!(
                issues,
                [format!("e.set.{name}"), format!("e.add.{name}"), "e.remove.0".into()]
            );
        }
    }

    #[test]
    fn names_and_values_that_cannot_be_sent_are_refused() {
        let (_, issues) = build(json!({"set": {"a b": "x", "x-a": "1\r\nx-b: 2"}, "remove": [""]}));
        assert_eq!(issues, ["e.set.a b", "e.set.x-a", "e.remove.0"]);
    }
}
