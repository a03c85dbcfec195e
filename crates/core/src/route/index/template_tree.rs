//! Templates by segment.

use smallvec::SmallVec;

use super::{Map, Rules, split_segment};
use crate::route::template::{Segment, Template};

/// Templates by segment: a walk visits only the templates that fit the path so far.
#[derive(Debug, Default)]
pub(super) struct TemplateTree {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    literals: Map<Node>,
    capture: Option<Box<Node>>,
    /// Templates that end here.
    end: Rules,
    /// Templates whose `{*rest}` begins here.
    rest: Rules,
}

impl TemplateTree {
    /// Adds the rule `number`; rules come in order of precedence.
    pub(super) fn insert(&mut self, number: u32, template: &Template) {
        let mut node = &mut self.root;
        for segment in &template.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::Capture(_) => node.capture.get_or_insert_default(),
            };
        }
        if template.rest.is_some() { &mut node.rest } else { &mut node.end }.push(number);
    }

    /// The first rule that takes `path` and that `accepts` agrees to.
    pub(super) fn find(&self, path: &str, accepts: &impl Fn(u32) -> bool) -> Option<u32> {
        let mut fitting = SmallVec::new();
        self.root.collect(path.strip_prefix('/'), &mut fitting);
        // Templates of different form that fit one path never have the same rank, so the lists do not interleave.
        fitting.sort_unstable_by_key(|rules| rules.first().copied());
        fitting.into_iter().flatten().copied().find(|&number| accepts(number))
    }
}

impl Node {
    /// Adds the lists that fit `rest`, the path that is left without its slash; nothing: none is left.
    fn collect<'a>(&'a self, rest: Option<&str>, fitting: &mut SmallVec<[&'a Rules; 4]>) {
        let Some(rest) = rest else {
            fitting.extend((!self.end.is_empty()).then_some(&self.end));
            return;
        };
        fitting.extend((!self.rest.is_empty()).then_some(&self.rest));
        if self.literals.is_empty() && self.capture.is_none() {
            return;
        }
        let (segment, rest) = split_segment(rest);
        if let Some(node) = self.literals.get(segment) {
            node.collect(rest, fitting);
        }
        if let Some(node) = self.capture.as_ref().filter(|_| !segment.is_empty()) {
            node.collect(rest, fitting);
        }
    }
}
