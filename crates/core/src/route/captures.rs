//! Parts of a path that a route's template or regex has named.

use std::sync::Arc;

/// The captures of one request: spans of the path that was matched. Nothing is allocated for none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captures(Vec<Capture>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Capture {
    name: Arc<str>,
    start: usize,
    end: usize,
}

impl Captures {
    /// The text of `name` in `path`, the path that was matched; still percent-encoded.
    pub fn get<'p>(&self, name: &str, path: &'p str) -> Option<&'p str> {
        self.iter(path).find(|(own, _)| *own == name).map(|(_, text)| text)
    }

    /// All names with their texts in `path`, the path that was matched.
    pub fn iter<'p>(&self, path: &'p str) -> impl Iterator<Item = (&str, &'p str)> {
        self.0.iter().filter_map(move |c| Some((&*c.name, path.get(c.start..c.end)?)))
    }

    pub(super) fn push(&mut self, name: &Arc<str>, start: usize, end: usize) {
        self.0.push(Capture { name: Arc::clone(name), start, end });
    }
}
