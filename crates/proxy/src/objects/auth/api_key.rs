//! Keys that clients are given.

use std::sync::Arc;

use http::HeaderValue;
use tidegate_core::auth::{ApiKeys, Finding, Place, Refusal};
use tidegate_core::plan::{self, Issue};

use super::live::LiveAuthenticator;
use super::{Presented, places};

/// Knows keys by what they hash to.
#[derive(Debug)]
pub(super) struct ApiKey {
    /// Those of the file; the others are live values.
    keys: ApiKeys,
    live: Arc<LiveAuthenticator>,
    places: Box<[Place]>,
    challenge: HeaderValue,
}

impl ApiKey {
    /// That of the authenticator `name`, whose option stands at `at`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn build(
        name: &str,
        wanted: &plan::ApiKey,
        at: &str,
        live: Arc<LiveAuthenticator>,
    ) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        let places = places(&wanted.from, &format!("{at}.from"), &mut issues);
        let text = wanted.file.as_deref().unwrap_or("[]");
        let keys = ApiKeys::read(&Arc::from(name), text);
        let keys = keys.map_err(|wrong| {
            let issue = |mistake| Issue::new(format!("{at}.file"), mistake);
            issues.extend(wrong.into_iter().map(issue));
        });
        let scheme = if places.contains(&Place::BEARER) { "Bearer" } else { "ApiKey" };
        match (keys, issues.is_empty()) {
            (Ok(keys), true) => {
                Ok(Self { keys, live, places, challenge: HeaderValue::from_static(scheme) })
            }
            _ => Err(issues),
        }
    }

    pub(super) fn examine(&self, presented: Presented<'_>) -> Finding {
        let Presented { head, address, now, .. } = presented;
        let found = self.places.iter().find_map(|place| Some((place, place.find(head)?)));
        let Some((place, key)) = found else { return Finding::Absent };
        let found = match self.keys.find(&key, address, now) {
            Err(Refusal::UnknownKey) => self.live.api_keys().find(&key, address, now).cloned(),
            found => found.cloned(),
        };
        match found {
            Ok(identity) => Finding::Proven { identity, ambient: place.is_ambient() },
            Err(refusal) => Finding::Refused(refusal),
        }
    }

    pub(super) const fn challenge(&self) -> &HeaderValue {
        &self.challenge
    }

    pub(super) const fn places(&self) -> &[Place] {
        &self.places
    }
}
