//! Which labels the routes ask for, by upstream.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_core::plan::{Labels, Route};

/// The distinct labels that routes ask for.
#[derive(Debug, Default)]
pub struct Subsets<'a>(HashMap<&'a str, Vec<Labels>>);

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

    fn add(&mut self, upstream: &'a str, labels: &Labels) {
        if !labels.is_empty() && self.find(upstream, labels).is_none() {
            self.0.entry(upstream).or_default().push(labels.clone());
        }
    }

    /// What is asked of `upstream`.
    pub fn of_upstream(&self, upstream: &str) -> &[Labels] {
        self.0.get(upstream).map_or(&[], Vec::as_slice)
    }

    /// The place of `labels` among what is asked of `upstream`; `None` if nothing is asked.
    pub fn find(&self, upstream: &str, labels: &Labels) -> Option<usize> {
        self.of_upstream(upstream).iter().position(|known| known == labels)
    }
}
