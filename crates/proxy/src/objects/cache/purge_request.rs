//! What is asked to be purged, as people and programs write it.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidegate_core::cache::tags;

use super::asked_url::AskedUrl;
use super::purge::{Force, Purging, Target, written};
use super::urls::Urls;
use crate::account::metrics::PurgeKind;

/// What is asked to be purged: exactly one option beside `soft` is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PurgeRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    all: bool,
    soft: bool,
}

impl PurgeRequest {
    /// All that is stored, hard.
    pub fn everything() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// What is stored of a URL.
    pub fn of_url(url: String, soft: bool) -> Self {
        Self { url: Some(url), soft, ..Self::default() }
    }

    /// What it takes of a cache with these `urls`; `None`: no route asks that cache.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn purging(&self, urls: Option<&Urls>) -> Result<Purging, String> {
        let Self { url, key, tag, prefix, host, all, soft } = self;
        let force = if *soft { Force::Soft } else { Force::Hard };
        let one = |kind, target| Ok(Purging { kind, targets: vec![target], force });
        match (url, key, tag, prefix, host, all) {
            (Some(url), None, None, None, None, false) => {
                let asked = AskedUrl::read(url)?;
                let url = asked.url();
                let hashes = urls.into_iter().flat_map(|urls| urls.hashes(&url));
                let targets = hashes.map(Target::Url).collect();
                Ok(Purging { kind: PurgeKind::Url, targets, force })
            }
            (None, Some(key), None, None, None, false) => {
                let hash = u128::from_str_radix(key, 16)
                    .map_err(|_| format!("a key is 32 hexadecimal digits, not `{key}`"))?;
                one(PurgeKind::Key, Target::Key(hash))
            }
            (None, None, Some(tag), None, None, false) => {
                one(PurgeKind::Tag, Target::Tag(tags::hash(tag)))
            }
            (None, None, None, Some(prefix), None, false) => {
                let asked = AskedUrl::read(prefix)?;
                one(PurgeKind::Prefix, Target::Prefix(written(&asked.url()).into()))
            }
            (None, None, None, None, Some(host), false) => one(PurgeKind::Host, Target::host(host)),
            (None, None, None, None, None, true) => one(PurgeKind::All, Target::All),
            _ => {
                Err("expected exactly one of `url`, `key`, `tag`, `prefix`, `host` and `all`"
                    .into())
            }
        }
    }
}

/// It is written as it is read, in JSON.
impl fmt::Display for PurgeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}
