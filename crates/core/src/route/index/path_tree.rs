//! Prefixes and regexes by the segments that they begin with.

use regex::{Regex, RegexSet, RegexSetBuilder};
use smallvec::SmallVec;

use super::{Map, Rules, split_segment};
use crate::plan::Issue;
use crate::route::pattern::RegexPattern;

/// The most memory that the regexes with one beginning may take together, in bytes.
const REGEX_SET_LIMIT: usize = 256 << 20;

/// Prefixes and regexes by the segments that they begin with. A walk hashes each segment of a path
/// once and ends where no route goes further.
#[derive(Debug)]
pub(super) struct PathTree {
    /// The root is the first.
    nodes: Vec<Node>,
    has_regexes: bool,
}

#[derive(Debug, Default)]
struct Node {
    children: Map<usize>,
    prefix: Rules,
    regexes: Regexes,
}

/// Regexes that begin with the same segments.
#[derive(Debug, Default)]
struct Regexes {
    members: Vec<(Regex, u32)>,
    /// All members as one automaton, where there are several.
    set: Option<RegexSet>,
}

impl Default for PathTree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], has_regexes: false }
    }
}

impl PathTree {
    /// Adds the rule `number` for all paths under `prefix`.
    pub(super) fn insert_prefix(&mut self, number: u32, prefix: &str) {
        self.node(prefix).prefix.push(number);
    }

    /// Adds the rule `number` for the paths that match `pattern`.
    pub(super) fn insert_regex(&mut self, number: u32, pattern: &RegexPattern) {
        self.has_regexes = true;
        self.node(&pattern.base).regexes.members.push((pattern.regex.clone(), number));
    }

    /// Makes the automata, once all rules are in.
    pub(super) fn seal(&mut self) -> Result<(), Issue> {
        self.nodes.iter_mut().try_for_each(|node| node.regexes.seal())
    }

    /// The first rule that takes `path` and that `accepts` agrees to: regexes before prefixes, and of
    /// each the deepest first.
    pub(super) fn find(&self, path: &str, accepts: &impl Fn(u32) -> bool) -> Option<u32> {
        let visited = self.walk(path);
        let deepest_first = || visited.iter().rev();
        let regex = || deepest_first().find_map(|node| node.regexes.find(path, accepts));
        let prefix = || {
            let mut rules = deepest_first().flat_map(|node| node.prefix.iter().copied());
            rules.find(|&number| accepts(number))
        };
        self.has_regexes.then(regex).flatten().or_else(prefix)
    }

    /// The nodes along `path` that have rules.
    fn walk(&self, path: &str) -> SmallVec<[&Node; 8]> {
        let mut visited = SmallVec::new();
        let mut left = path.strip_prefix('/');
        let mut next = self.nodes.first();
        while let Some(node) = next {
            if !node.prefix.is_empty() || !node.regexes.members.is_empty() {
                visited.push(node);
            }
            let Some(path) = left.filter(|_| !node.children.is_empty()) else { break };
            let (segment, rest) = split_segment(path);
            next = node.children.get(segment).and_then(|&at| self.nodes.get(at));
            left = rest;
        }
        visited
    }

    fn node(&mut self, path: &str) -> &mut Node {
        let mut at = 0;
        for segment in path.split('/').skip(1) {
            let new = self.nodes.len();
            at = *self.nodes[at].children.entry(segment.into()).or_insert(new);
            if at == new {
                self.nodes.push(Node::default());
            }
        }
        &mut self.nodes[at]
    }
}

impl Regexes {
    fn seal(&mut self) -> Result<(), Issue> {
        if self.members.len() > 1 {
            let patterns = self.members.iter().map(|(regex, _)| regex.as_str());
            let built = RegexSetBuilder::new(patterns).size_limit(REGEX_SET_LIMIT).build();
            let too_large = |error| {
                let wrong = format!("the regexes are too large together: {error}");
                Issue::new("routes", wrong)
            };
            self.set = Some(built.map_err(too_large)?);
        }
        Ok(())
    }

    fn find(&self, path: &str, accepts: &impl Fn(u32) -> bool) -> Option<u32> {
        let matched = self.set.as_ref().map(|set| set.matches(path));
        let matches = |at: usize, regex: &Regex| match &matched {
            Some(matched) => matched.matched(at),
            None => regex.is_match(path),
        };
        let mut members = self.members.iter().enumerate();
        members
            .find(|(at, (regex, number))| matches(*at, regex) && accepts(*number))
            .map(|(_, (_, number))| *number)
    }
}
