//! A purge: what it takes, and how.

use tidegate_core::cache::key::Url;

use crate::account::metrics::PurgeKind;

/// What a purge takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// What has this URL, by the key of a route.
    Url(u128),
    /// What has this key.
    Key(u128),
    /// What carries this tag.
    Tag(u64),
    /// What has a URL that begins so.
    Prefix(Box<str>),
    /// What has this host, whatever the port.
    Host(Box<str>),
    /// Everything.
    All,
}

impl Target {
    /// What has this host.
    pub fn host(host: &str) -> Self {
        Self::Host(name_of(host).to_ascii_lowercase().into())
    }
}

/// How a purge takes things away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// They are stale from now on.
    Soft,
    /// They are gone.
    Hard,
}

/// What is to be purged, and how.
#[derive(Debug)]
pub struct Purging {
    /// What it takes.
    pub kind: PurgeKind,
    /// All that it takes: a URL is as many things as routes make keys of it in different ways.
    pub targets: Vec<Target>,
    /// How.
    pub force: Force,
}

/// A purge that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// Its number.
    pub number: u64,
    /// What it takes.
    pub target: Target,
    /// How.
    pub force: Force,
}

/// The purges that are known of a cache's past.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The number of the last purge.
    pub last: u64,
    /// The purges that objects may still have to be compared with.
    pub purges: Vec<Purge>,
}

/// A URL as people write it.
pub fn written(url: &Url<'_>) -> String {
    let Url { scheme, host, path, query } = url;
    match query {
        Some(query) => format!("{scheme}://{host}{path}?{query}"),
        None => format!("{scheme}://{host}{path}"),
    }
}

/// A host without its port, and without the dot after which no domain comes; addresses of IPv6 stand in brackets.
fn name_of(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}
