//! Reading a plan.
//!
//! What a change leaves as it is does not cross the border again: in the place of an item of `listeners`, `routes`,
//! `upstreams` or named objects may stand the digest of the text that it crossed in before. So reading costs what is new, and
//! plans that follow one another share their items.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use tidegate_core::plan::{
    AccessLog, Authenticator, Cache, Explain, Issue, Listener, Millis, Plan, RateLimit, Route,
    Store, Upstream, Workers,
};

/// The first half of the SHA-256 of an item's text, in lower-case hexadecimal digits.
type Digest = [u8; 32];

/// Why a plan is refused.
#[derive(Debug)]
pub enum Refused {
    /// Everything that is wrong with it.
    Issues(Vec<Issue>),
    /// It names items by digests that are not known: they must cross whole.
    Unknown(Vec<String>),
}

/// A plan as it crosses: the text of each item is still to be read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Crossing<'a> {
    name: String,
    zone: Option<String>,
    workers: Workers,
    drain_timeout: Millis,
    access_log: Option<AccessLog>,
    explain: Explain,
    #[serde(borrow)]
    listeners: Vec<&'a RawValue>,
    #[serde(borrow)]
    routes: Vec<&'a RawValue>,
    #[serde(borrow)]
    upstreams: Vec<&'a RawValue>,
    #[serde(borrow)]
    rate_limits: Vec<&'a RawValue>,
    #[serde(borrow)]
    authenticators: Vec<&'a RawValue>,
    #[serde(borrow)]
    stores: Vec<&'a RawValue>,
    #[serde(borrow)]
    caches: Vec<&'a RawValue>,
}

/// The items that have crossed, for as long as a plan has them.
#[derive(Debug, Default)]
pub struct Items {
    listeners: Known<Listener>,
    routes: Known<Route>,
    upstreams: Known<Upstream>,
    rate_limits: Known<RateLimit>,
    authenticators: Known<Authenticator>,
    stores: Known<Store>,
    caches: Known<Cache>,
}

impl Items {
    /// The plan in `text`.
    ///
    /// # Errors
    /// If it is not of a plan's shape, or names items that are not known.
    pub fn read(&mut self, text: &[u8]) -> Result<Plan, Refused> {
        let crossing: Crossing<'_> =
            parse(text, "").map_err(|issue| Refused::Issues(vec![issue]))?;
        let mut failures = Failures::default();
        let plan = Plan {
            name: crossing.name,
            zone: crossing.zone,
            workers: crossing.workers,
            drain_timeout: crossing.drain_timeout,
            access_log: crossing.access_log,
            explain: crossing.explain,
            listeners: self.listeners.read(&crossing.listeners, "listeners", &mut failures),
            routes: self.routes.read(&crossing.routes, "routes", &mut failures),
            upstreams: self.upstreams.read(&crossing.upstreams, "upstreams", &mut failures),
            rate_limits: self.rate_limits.read(&crossing.rate_limits, "rate_limits", &mut failures),
            authenticators: self.authenticators.read(
                &crossing.authenticators,
                "authenticators",
                &mut failures,
            ),
            stores: self.stores.read(&crossing.stores, "stores", &mut failures),
            caches: self.caches.read(&crossing.caches, "caches", &mut failures),
        };
        match failures {
            Failures { issues, .. } if !issues.is_empty() => Err(Refused::Issues(issues)),
            Failures { unknown, .. } if !unknown.is_empty() => Err(Refused::Unknown(unknown)),
            _ => Ok(plan),
        }
    }
}

#[derive(Default)]
struct Failures {
    issues: Vec<Issue>,
    unknown: Vec<String>,
}

/// The items of one kind by digest.
#[derive(Debug)]
struct Known<T>(HashMap<Digest, Weak<T>>);

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: DeserializeOwned> Known<T> {
    /// The items of the list `name`.
    fn read(&mut self, texts: &[&RawValue], name: &str, failures: &mut Failures) -> Vec<Arc<T>> {
        let mut items = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().map(|text| text.get()).enumerate() {
            match named(text) {
                Some(digest) => match self.0.get(digest).and_then(Weak::upgrade) {
                    Some(known) => items.push(known),
                    None => failures.unknown.push(text.trim_matches('"').to_owned()),
                },
                None => match self.take(text, &format!("{name}.{index}")) {
                    Ok(item) => items.push(item),
                    Err(issue) => failures.issues.push(issue),
                },
            }
        }
        if self.0.len() > 2 * items.len() {
            self.0.retain(|_, item| item.strong_count() > 0);
        }
        items
    }

    /// The item in `text`, which is `at` this place of the plan.
    fn take(&mut self, text: &str, at: &str) -> Result<Arc<T>, Issue> {
        let digest = digest(text);
        if let Some(known) = self.0.get(&digest).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let item = Arc::new(parse(text.as_bytes(), at)?);
        self.0.insert(digest, Arc::downgrade(&item));
        Ok(item)
    }
}

/// The digest that stands in the place of an item; `None` where the item itself does.
fn named(text: &str) -> Option<&Digest> {
    text.strip_prefix('"')?.strip_suffix('"')?.as_bytes().try_into().ok()
}

/// The digest of an item's text.
fn digest(text: &str) -> Digest {
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(Sha256::digest(text.as_bytes())) {
        for (digit, half) in pair.iter_mut().zip([byte >> 4, byte & 0xf]) {
            *digit = b"0123456789abcdef"[usize::from(half)];
        }
    }
    digits
}

/// What `text`, which is `at` this place of the plan, says.
fn parse<'a, T: Deserialize<'a>>(text: &'a [u8], at: &str) -> Result<T, Issue> {
    // To know the place of each value takes time, which only a mistake is worth.
    serde_json::from_slice(text).map_err(|error| {
        let mut reader = serde_json::Deserializer::from_slice(text);
        match serde_path_to_error::deserialize::<_, T>(&mut reader) {
            Ok(_) => Issue::new(at, error.to_string()), // what follows it is wrong
            Err(error) => {
                let path = match (at, error.path().to_string()) {
                    ("", path) => path,
                    (at, path) if path == "." => at.to_owned(),
                    (at, path) => format!("{at}.{path}"),
                };
                Issue::new(path, error.inner().to_string())
            }
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing;

    fn upstream(name: &str) -> Value {
        let mut upstream = testing::plan_data()["upstreams"][0].take();
        upstream["name"] = json!(name);
        upstream
    }

    fn crossing(upstreams: &[Value]) -> Vec<u8> {
        let plan = json!({
            "name": "tidegate", "zone": null, "workers": 1, "drain_timeout": 0, "access_log": null,
            "explain": {"sample": 0.0, "keep": 10, "slow": 1_000, "identities": false}, "listeners": [], "routes": [],
            "upstreams": upstreams, "rate_limits": [],
            "authenticators": [], "stores": [], "caches": [],
        });
        serde_json::to_vec(&plan).unwrap()
    }

    fn digest_of(item: &Value) -> Value {
        json!(String::from_utf8_lossy(&digest(&item.to_string())))
    }

    #[test]
    fn an_item_that_crossed_before_is_named_by_its_digest() {
        let (mut items, one, two) = (Items::default(), upstream("one"), upstream("two"));
        let first = items.read(&crossing(&[one.clone(), two.clone()])).unwrap();
        let second = items.read(&crossing(&[digest_of(&two), digest_of(&one)])).unwrap();
        assert!(Arc::ptr_eq(&first.upstreams[0], &second.upstreams[1]));
        assert!(Arc::ptr_eq(&first.upstreams[1], &second.upstreams[0]));
    }

    #[test]
    fn an_item_that_crosses_again_is_the_same_one() {
        let (mut items, text) = (Items::default(), crossing(&[upstream("one")]));
        let (first, second) = (items.read(&text).unwrap(), items.read(&text).unwrap());
        assert!(Arc::ptr_eq(&first.upstreams[0], &second.upstreams[0]));
    }

    #[test]
    fn an_item_that_no_plan_has_any_more_is_forgotten() {
        let (mut items, one) = (Items::default(), upstream("one"));
        drop(items.read(&crossing(std::slice::from_ref(&one))).unwrap());
        match items.read(&crossing(&[digest_of(&one)])) {
            Err(Refused::Unknown(digests)) => assert_eq!(json!(digests), json!([digest_of(&one)])),
            other => panic!("{other:?}"),
        }
        items.read(&crossing(&[])).unwrap();
        assert!(items.upstreams.0.is_empty());
    }

    #[test]
    fn what_is_not_of_the_plans_shape_is_told_with_its_place() {
        let mut wrong = upstream("one");
        wrong["pool"]["max_idle"] = json!("many");
        match Items::default().read(&crossing(&[upstream("two"), wrong, json!(7)])) {
            Err(Refused::Issues(issues)) => {
                let places: Vec<_> = issues.iter().map(|issue| issue.path.as_str()).collect();
                assert_eq!(places, ["upstreams.1.pool.max_idle", "upstreams.2"]);
            }
            other => panic!("{other:?}"),
        }
        match Items::default().read(br#"{"name": 7}"#) {
            Err(Refused::Issues(issues)) => assert_eq!(issues[0].path, "name"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_digest_is_half_of_a_sha256() {
        assert_eq!(&digest("abc"), b"ba7816bf8f01cfea414140de5dae2223");
    }
}
