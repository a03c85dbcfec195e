//! Claims: what is known of an identity, and how one of them is named.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

/// What is known of an identity, by name (RFC 7519 §4). A clone shares it: most of a million API keys have the claims
/// of many others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims(Arc<Map<String, Value>>);

impl Claims {
    /// These claims.
    pub fn new(claims: Map<String, Value>) -> Self {
        Self(Arc::new(claims))
    }

    /// All of them.
    pub fn all(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// The name of a claim. One with dots is that of a claim as a whole, or else leads through the claims within claims:
/// `realm_access.roles`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim(Box<str>);

impl Claim {
    /// The claim of this name.
    pub fn named(name: &str) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub const fn name(&self) -> &str {
        &self.0
    }

    /// Its value among `claims`; `None` where it is absent, or null.
    pub fn of<'c>(&self, claims: &'c Claims) -> Option<&'c Value> {
        found(&claims.0, &self.0).filter(|value| !value.is_null())
    }

    /// Its value as one text: items of a list with a comma between them, what has no text of its own in JSON.
    pub fn text<'c>(&self, claims: &'c Claims) -> Option<Cow<'c, str>> {
        self.of(claims).map(text)
    }

    /// Its values, each as a text: the items of a list, the words of a text where `words` are asked for, as `scope`
    /// has them (RFC 8693 §4.2), or the one value that it is.
    pub fn values<'c>(
        &self,
        claims: &'c Claims,
        words: bool,
    ) -> impl Iterator<Item = Cow<'c, str>> {
        let (items, words) = match self.of(claims) {
            // An item of a list may hold blanks: it is one value.
            Some(Value::Array(items)) => (items.as_slice(), false),
            Some(one) => (std::slice::from_ref(one), words),
            None => (&[][..], words),
        };
        items.iter().flat_map(move |item| {
            let (of_text, whole) = match item {
                Value::String(item) if words => (Some(item.split_ascii_whitespace()), None),
                item => (None, Some(text(item))),
            };
            of_text.into_iter().flatten().map(Cow::Borrowed).chain(whole)
        })
    }
}

/// The value whose name is the whole `path`, or else what its first name that is there leads to.
fn found<'c>(claims: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    path.match_indices('.')
        .find_map(|(dot, _)| found(claims.get(&path[..dot])?.as_object()?, &path[dot + 1..]))
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(",").into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        Claims::new(value.as_object().unwrap().clone())
    }

    fn values(value: Value, words: bool) -> Vec<String> {
        let claims = claims(json!({"c": value}));
        Claim::named("c").values(&claims, words).map(Cow::into_owned).collect()
    }

    #[test]
    fn a_claim_is_found_by_its_whole_name_or_by_the_names_that_lead_to_it() {
        let claims = claims(json!({
            "sub": "ada", "https://example.com/roles": ["a"], "realm_access": {"roles": ["b"]},
            "a": {"b.c": 1, "b": {"c": 2}}, "a.d": 3,
        }));
        let of = |name: &str| Claim::named(name).of(&claims).cloned();
        assert_eq!(of("sub"), Some(json!("ada")));
        assert_eq!(of("https://example.com/roles"), Some(json!(["a"])));
        assert_eq!(of("realm_access.roles"), Some(json!(["b"])));
        assert_eq!((of("a.b.c"), of("a.d")), (Some(json!(1)), Some(json!(3))));
        assert_eq!((of("sub.x"), of("x.y"), of("")), (None, None, None));
    }

    #[test]
    fn a_claim_that_is_null_is_absent() {
        assert_eq!(Claim::named("c").of(&claims(json!({"c": null}))), None);
    }

    #[test]
    fn a_value_is_one_text() {
        let text = |value| {
            let claims = claims(json!({"c": value}));
            Claim::named("c").text(&claims).unwrap().into_owned()
        };
        assert_eq!(text(json!("a b")), "a b");
        assert_eq!(text(json!(["a", 1, true])), "a,1,true");
        assert_eq!((text(json!(7)), text(json!(false))), ("7".into(), "false".into()));
        assert_eq!(text(json!({"a": 1})), r#"{"a":1}"#);
    }

    #[test]
    fn the_values_of_a_claim_are_its_items_or_the_words_of_its_text() {
        assert_eq!(values(json!(["a b", 2]), false), ["a b", "2"]);
        assert_eq!(values(json!(["a b", 2]), true), ["a b", "2"]);
        assert_eq!(
            values(json!("orders:read  orders:write"), true),
            ["orders:read", "orders:write"]
        );
        assert_eq!(values(json!("a b"), false), ["a b"]);
        assert_eq!(values(json!(true), true), ["true"]);
        assert_eq!(values(json!(""), true), [""; 0]);
    }
}
