//! The index: from host and path to the rules that may take a request, without looking at the others.
//!
//! Rules are numbered in order of precedence within a host, and every list here is in that order.

mod path_tree;
mod template_tree;

use std::collections::HashMap;

use foldhash::fast::FixedState;
use smallvec::SmallVec;

use self::path_tree::PathTree;
use self::template_tree::TemplateTree;
use super::host::{HostPattern, MAX_NAME, suffixes};
use super::pattern::PathPattern;
use super::rule::Rule;
use crate::plan::Issue;

/// A map whose keys come from the configuration.
type Map<V> = HashMap<Box<str>, V, FixedState>;

/// Numbers of rules, in order of precedence.
type Rules = SmallVec<[u32; 2]>;

/// The rules by host.
#[derive(Debug, Default)]
pub(super) struct HostIndex {
    exact: Map<PathIndex>,
    wildcard: Map<PathIndex>,
    any: PathIndex,
}

/// The rules of one host pattern by path.
#[derive(Debug, Default)]
struct PathIndex {
    exact: Map<Rules>,
    templates: TemplateTree,
    tree: PathTree,
}

/// The first segment of `path`, which has no slash before it, and what follows the slash behind it.
fn split_segment(path: &str) -> (&str, Option<&str>) {
    // Segments are short: a plain loop over bytes beats a vectorised search.
    match path.bytes().position(|byte| byte == b'/') {
        Some(slash) => (&path[..slash], Some(&path[slash + 1..])),
        None => (path, None),
    }
}

impl HostIndex {
    /// Indexes `rules`, which stand in order of precedence.
    pub(super) fn build(rules: &[Rule]) -> Result<Self, Issue> {
        let mut index = Self::default();
        for (number, rule) in (0..).zip(rules) {
            for host in &rule.hosts {
                let paths = match host {
                    HostPattern::Exact(name) => index.exact.entry(name.clone()).or_default(),
                    HostPattern::Wildcard(suffix) => {
                        index.wildcard.entry(suffix.clone()).or_default()
                    }
                    HostPattern::Any => &mut index.any,
                };
                paths.insert(number, &rule.path);
            }
        }
        let groups = index.exact.values_mut().chain(index.wildcard.values_mut());
        for paths in groups.chain([&mut index.any]) {
            paths.tree.seal()?;
        }
        Ok(index)
    }

    /// The first rule, from the most specific host on, that takes `path` and that `accepts` agrees to.
    pub(super) fn find(
        &self,
        host: &str,
        path: &str,
        accepts: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        if host.len() <= MAX_NAME {
            let exact = || self.exact.get(host)?.find(path, &accepts);
            let wildcard = || {
                let mut groups = suffixes(host).filter_map(|suffix| self.wildcard.get(suffix));
                groups.find_map(|paths| paths.find(path, &accepts))
            };
            let named = (!self.exact.is_empty()).then(exact).flatten();
            let named = named.or_else(|| (!self.wildcard.is_empty()).then(wildcard).flatten());
            if named.is_some() {
                return named;
            }
        }
        self.any.find(path, &accepts)
    }
}

impl PathIndex {
    fn insert(&mut self, number: u32, path: &PathPattern) {
        match path {
            PathPattern::Exact(path) => self.exact.entry(path.clone()).or_default().push(number),
            PathPattern::Template(template) => self.templates.insert(number, template),
            PathPattern::Regex(pattern) => self.tree.insert_regex(number, pattern),
            PathPattern::Prefix(prefix) => self.tree.insert_prefix(number, prefix),
        }
    }

    fn find(&self, path: &str, accepts: &impl Fn(u32) -> bool) -> Option<u32> {
        let first = |rules: &Rules| rules.iter().copied().find(|&number| accepts(number));
        let exact = || self.exact.get(path).and_then(first);
        (!self.exact.is_empty())
            .then(exact)
            .flatten()
            .or_else(|| self.templates.find(path, accepts))
            .or_else(|| self.tree.find(path, accepts))
    }
}
