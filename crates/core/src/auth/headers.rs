//! Identity headers: what upstreams are told of the identity.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Claim, Identity};
use crate::plan::{self, Issue};
use crate::rewrite::settable_field;

/// The fields that tell upstreams of the identity.
#[derive(Debug, Default)]
pub struct IdentityHeaders(Vec<(HeaderName, Told)>);

/// What a field tells.
#[derive(Debug)]
enum Told {
    Authenticator,
    Subject,
    Claim(Claim),
}

impl IdentityHeaders {
    /// Reads the option that stands at `at`. What is wrong is added to `issues`.
    pub fn build(
        wanted: &BTreeMap<String, plan::IdentityHeader>,
        at: &str,
        issues: &mut Vec<Issue>,
    ) -> Self {
        let field = |(name, wanted): (&String, &plan::IdentityHeader)| {
            let field =
                settable_field(name, "").and_then(|(name, _)| Ok((name, Told::read(wanted)?)));
            field.map_err(|wrong| issues.push(Issue::new(format!("{at}.{name}"), wrong))).ok()
        };
        Self(wanted.iter().filter_map(field).collect())
    }

    /// The names of the fields.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().map(|(name, _)| name)
    }

    /// Tell of `identity`. What it lacks, and what no field can hold, is left out.
    pub fn add_to(&self, headers: &mut HeaderMap, identity: &Identity) {
        for (name, told) in &self.0 {
            let value = match told {
                Told::Authenticator => HeaderValue::from_str(&identity.authenticator).ok(),
                Told::Subject => identity.subject.as_ref().and_then(|subject| field_value(subject)),
                Told::Claim(claim) => {
                    claim.text(&identity.claims).and_then(|text| field_value(&text))
                }
            };
            match value {
                Some(value) => _ = headers.insert(name, value),
                None => _ = headers.remove(name),
            }
        }
    }
}

/// A text in UTF-8, which is how HTTP would have it today (RFC 9110 §5.5 leaves other than ASCII opaque).
fn field_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).ok()
}

impl Told {
    fn read(wanted: &plan::IdentityHeader) -> Result<Self, String> {
        match wanted {
            plan::IdentityHeader { claim: Some(name), subject: None, authenticator: None } => {
                Ok(Self::Claim(Claim::named(name)))
            }
            plan::IdentityHeader { claim: None, subject: Some(true), authenticator: None } => {
                Ok(Self::Subject)
            }
            plan::IdentityHeader { claim: None, subject: None, authenticator: Some(true) } => {
                Ok(Self::Authenticator)
            }
            _ => Err("expected exactly one of claim, subject and authenticator".into()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::super::Claims;
    use super::*;

    fn headers(wanted: serde_json::Value) -> (IdentityHeaders, Vec<String>) {
        let mut issues = Vec::new();
        let wanted = serde_json::from_value(wanted).unwrap();
        let headers = IdentityHeaders::build(&wanted, "i", &mut issues);
        (headers, issues.iter().map(ToString::to_string).collect())
    }

    fn identity() -> Identity {
        let claims = json!({"sub": "ada", "roles": ["a", "b"], "evil": "x\r\ny: z", "name": "Zoë"});
        Identity {
            authenticator: "users".into(),
            subject: Some("ada".into()),
            claims: Claims::new(claims.as_object().unwrap().clone()),
        }
    }

    #[test]
    fn fields_tell_of_the_identity() {
        let (told, _) = headers(json!({
            "x-by": {"authenticator": true}, "x-user": {"subject": true},
            "x-roles": {"claim": "roles"}, "x-name": {"claim": "name"},
        }));
        let mut headers = HeaderMap::new();
        told.add_to(&mut headers, &identity());
        let value =
            |name: &str| headers.get(name).map(|value| str::from_utf8(value.as_bytes()).unwrap());
        assert_eq!((value("x-by"), value("x-user")), (Some("users"), Some("ada")));
        assert_eq!((value("x-roles"), value("x-name")), (Some("a,b"), Some("Zoë")));
    }

    #[test]
    fn what_is_absent_or_fits_in_no_field_is_told_by_no_field() {
        let (told, _) = headers(json!({"x-team": {"claim": "team"}, "x-evil": {"claim": "evil"}}));
        let mut headers = HeaderMap::new();
        headers.insert("x-team", HeaderValue::from_static("mallory"));
        told.add_to(&mut headers, &identity());
        assert!(headers.is_empty());
    }

    #[test]
    fn fields_that_the_gateway_sets_itself_are_refused() {
        let (_, issues) = headers(json!({"host": {"subject": true}, "x-a": {}}));
        assert_eq!(issues.len(), 2);
    }
}
