//! The URLs of a cache, as the routes that ask it make keys of them.

use http::HeaderMap;
use tidegate_core::cache::key::{KeyRule, Url};
use tidegate_core::plan::{CacheKey, RouteCache};

/// How the routes that ask a cache make keys of URLs: an entry is found for its URL whichever route has stored it.
#[derive(Debug)]
pub struct Urls {
    /// Each once.
    rules: Box<[KeyRule]>,
    /// Whether no route adds anything to the URL, so that its hash is that of the key.
    pub are_keys: bool,
}

impl Urls {
    /// Those of the routes with these options.
    pub fn of<'p>(routes: impl IntoIterator<Item = &'p RouteCache>) -> Self {
        let (mut queries, mut are_keys) = (Vec::new(), true);
        for RouteCache { key, .. } in routes {
            are_keys &= key.headers.is_empty() && key.cookies.is_empty() && !key.route;
            if !queries.contains(&&key.query) {
                queries.push(&key.query);
            }
        }
        let rules = queries.into_iter().map(|query| {
            let (headers, cookies) = (Vec::new(), Vec::new());
            let url = CacheKey { query: query.clone(), headers, cookies, route: false };
            // What is wrong with it is told of its route.
            KeyRule::build(&url, "", "", &mut Vec::new())
        });
        Self { rules: rules.collect(), are_keys }
    }

    /// The hashes that `url` has in keys.
    pub fn hashes(&self, url: &Url<'_>) -> impl Iterator<Item = u128> {
        let no_fields = HeaderMap::new();
        self.rules.iter().map(move |rule| rule.key(url, &no_fields).url)
    }
}
