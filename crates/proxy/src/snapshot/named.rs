//! Named objects, found by the names that the plan refers to them by.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_core::plan::Issue;

/// The objects of one kind that a plan asks for.
pub(super) struct Named<'a, T> {
    kind: &'static str,
    /// Those that could not be built are `None`: that was told where they stand.
    known: HashMap<&'a str, &'a Option<Arc<T>>>,
}

impl<'a, T> Named<'a, T> {
    /// What was `built` of a plan's items of these names, in their order; people call each a `kind`.
    pub(super) fn new(
        kind: &'static str,
        names: impl Iterator<Item = &'a String>,
        built: &'a [Option<Arc<T>>],
    ) -> Self {
        Self { kind, known: names.map(String::as_str).zip(built).collect() }
    }

    /// The object of this name, which the option `at` refers to. That there is none is added to `issues`.
    pub(super) fn find(
        &self,
        name: &str,
        at: impl FnOnce() -> String,
        issues: &mut Vec<Issue>,
    ) -> Option<Arc<T>> {
        let found = self.known.get(name);
        if found.is_none() {
            issues.push(Issue::new(at(), format!("there is no {} `{name}`", self.kind)));
        }
        (*found?).clone()
    }
}
