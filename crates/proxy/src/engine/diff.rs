//! What differs between two plans, by name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use tidegate_core::plan::Plan;

/// What a commit would change.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Listeners.
    pub listeners: Names,
    /// Routes.
    pub routes: Names,
    /// Upstreams.
    pub upstreams: Names,
    /// Rate limits.
    pub rate_limits: Names,
    /// Authenticators.
    pub authenticators: Names,
    /// Stores.
    pub stores: Names,
    /// Caches.
    pub caches: Names,
}

/// Names of one kind of thing, by what happens to it.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// It is new.
    pub added: Vec<String>,
    /// It is gone.
    pub removed: Vec<String>,
    /// It is another than before.
    pub changed: Vec<String>,
}

impl Diff {
    /// From `before` to `after`.
    pub(super) fn between(before: &Plan, after: &Plan) -> Self {
        Self {
            listeners: Names::between(&before.listeners, &after.listeners, |each| &each.name),
            routes: Names::between(&before.routes, &after.routes, |each| &each.name),
            upstreams: Names::between(&before.upstreams, &after.upstreams, |each| &each.name),
            rate_limits: Names::between(&before.rate_limits, &after.rate_limits, |each| &each.name),
            authenticators: Names::between(&before.authenticators, &after.authenticators, |each| {
                &each.name
            }),
            stores: Names::between(&before.stores, &after.stores, |each| &each.name),
            caches: Names::between(&before.caches, &after.caches, |each| &each.name),
        }
    }
}

impl Names {
    fn between<T: PartialEq>(before: &[Arc<T>], after: &[Arc<T>], name: fn(&T) -> &String) -> Self {
        let (before, after) = differing(before, after);
        let known: HashMap<&String, &Arc<T>> =
            before.iter().map(|each| (name(each), each)).collect();
        let wanted: HashSet<&String> = after.iter().map(|each| name(each)).collect();
        let mut names = Self::default();
        for each in after {
            match known.get(name(each)) {
                None => names.added.push(name(each).clone()),
                Some(same) if Arc::ptr_eq(same, each) || *same == each => {}
                Some(_) => names.changed.push(name(each).clone()),
            }
        }
        let gone = before.iter().map(|each| name(each)).filter(|name| !wanted.contains(name));
        names.removed = gone.cloned().collect();
        names
    }
}

/// The part of both lists that is left without the items that they share at the beginning and at the end: most
/// changes touch few items, and the others need no look at their names.
fn differing<'a, T>(before: &'a [Arc<T>], after: &'a [Arc<T>]) -> (&'a [Arc<T>], &'a [Arc<T>]) {
    let is_shared = |(one, other): &(&Arc<T>, &Arc<T>)| Arc::ptr_eq(one, other);
    let start = before.iter().zip(after).take_while(is_shared).count();
    let (before, after) = (&before[start..], &after[start..]);
    let end = before.iter().rev().zip(after.iter().rev()).take_while(is_shared).count();
    (&before[..before.len() - end], &after[..after.len() - end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(PartialEq)]
    struct Item(String, u32);

    fn item(name: &str, value: u32) -> Arc<Item> {
        Arc::new(Item(name.into(), value))
    }

    fn names(before: &[Arc<Item>], after: &[Arc<Item>]) -> [Vec<String>; 3] {
        let Names { added, removed, changed } = Names::between(before, after, |item| &item.0);
        [added, removed, changed]
    }

    #[test]
    fn items_are_compared_by_name_wherever_they_stand() {
        let before = [item("a", 1), item("b", 1), item("c", 1), item("d", 1)];
        let after = [item("c", 1), item("a", 2), item("e", 1), item("b", 1)];
        assert_eq!(names(&before, &after), [vec!["e"], vec!["d"], vec!["a"]]);
    }

    #[test]
    fn items_that_both_share_are_left_out() {
        let [a, b, c] = [item("a", 1), item("b", 1), item("c", 1)];
        let before = [a.clone(), b.clone(), c.clone()];
        assert_eq!(names(&before, &before), [vec![""; 0], vec![], vec![]]);
        let after = [a.clone(), item("b", 2), c.clone()];
        let (left, right) = differing(&before, &after);
        assert_eq!((left.len(), right.len()), (1, 1));
        assert_eq!(names(&before, &after), [vec![], vec![], vec!["b"]]);
        assert_eq!(names(&before, &[a, c]), [vec![], vec!["b".to_owned()], vec![]]);
    }
}
