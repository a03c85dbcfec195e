//! Which labels the routes ask for, by upstream.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_core::plan::{Labels, Route};

/// The distinct labels that routes ask for.
#[derive(Debug, Default)]
pub struct Subsets<'a>(HashMap<&'a str, Asked<'a>>);

/// What is asked of one upstream.
#[derive(Debug, Default)]
struct Asked<'a> {
    labels: Vec<Labels>,
    places: HashMap<&'a Labels, usize>,
}

impl<'a> Subsets<'a> {
    /// Those of all `routes`.
    pub fn of(routes: &'a [Arc<Route>]) -> Self {
        let mut subsets = Self::default();
        for route in routes {
            if let Some(upstream) = &route.upstream {
                subsets.add(upstream, &route.subset);
            }
            for share in route.split.iter().flatten() {
                subsets.add(&share.upstream, &share.subset);
            }
        }
        subsets
    }

    fn add(&mut self, upstream: &'a str, labels: &'a Labels) {
        if labels.is_empty() {
            return;
        }
        let Asked { labels: known, places } = self.0.entry(upstream).or_default();
        places.entry(labels).or_insert_with(|| {
            known.push(labels.clone());
            known.len() - 1
        });
    }

    /// What is asked of `upstream`.
    pub fn of_upstream(&self, upstream: &str) -> &[Labels] {
        self.0.get(upstream).map_or(&[], |asked| &asked.labels)
    }

    /// The place of `labels` among what is asked of `upstream`; `None` if nothing is asked.
    pub fn find(&self, upstream: &str, labels: &Labels) -> Option<usize> {
        if labels.is_empty() {
            return None;
        }
        self.0.get(upstream)?.places.get(labels).copied()
    }
}
