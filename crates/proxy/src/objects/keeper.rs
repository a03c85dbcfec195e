//! The keeper: objects that have a name live on while their plan stays.
//!
//! The rule is the same for all of them. An object whose name and plan are those of an object that is served is
//! that object, with everything that it has learned. Any other is built anew, beside the workers, and may take
//! over from its predecessor of the same name what its new plan allows for. What nothing names any more goes
//! with the last snapshot that has it.

use std::collections::HashMap;
use std::sync::Arc;

/// Something that has a name and is built from a plan.
pub trait Object {
    /// What it is built from.
    type Plan<'p>;

    /// The identity that survives a reload.
    fn name(&self) -> &str;

    /// Whether it is what `plan`, which is of its name, asks for.
    fn is_of(&self, plan: &Self::Plan<'_>) -> bool;
}

/// The objects of one kind that are served, by name.
pub struct Keeper<'a, T>(HashMap<&'a str, &'a Arc<T>>);

impl<'a, T: Object> Keeper<'a, T> {
    /// A keeper of these objects.
    pub fn of(served: impl IntoIterator<Item = &'a Arc<T>>) -> Self {
        Self(served.into_iter().map(|object| (object.name(), object)).collect())
    }

    /// The object of this name that `plan` asks for: the one that is served, or what `build` makes of the plan
    /// and of its predecessor, which is served under the name.
    ///
    /// # Errors
    /// Those of `build`.
    pub fn keep<'p, E>(
        &self,
        name: &str,
        plan: T::Plan<'p>,
        build: impl FnOnce(T::Plan<'p>, Option<&Arc<T>>) -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let served = self.0.get(name).copied();
        match served.filter(|served| served.is_of(&plan)) {
            Some(same) => Ok(same.clone()),
            None => build(plan, served).map(Arc::new),
        }
    }
}

/// Whether two plans are equal; at once where they are the same one, as all are that a change did not touch.
pub fn is_same<T: PartialEq>(one: &Arc<T>, other: &Arc<T>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Thing {
        name: &'static str,
        size: Arc<u32>,
        learned: u32,
    }

    impl Object for Thing {
        type Plan<'p> = &'p Arc<u32>;

        fn name(&self) -> &str {
            self.name
        }

        fn is_of(&self, size: &&Arc<u32>) -> bool {
            is_same(&self.size, size)
        }
    }

    fn served() -> [Arc<Thing>; 2] {
        [("a", 1, 7), ("b", 2, 8)]
            .map(|(name, size, learned)| Arc::new(Thing { name, size: size.into(), learned }))
    }

    #[test]
    fn an_object_whose_plan_is_equal_is_the_same_one() {
        let served = served();
        let keeper = Keeper::of(&served);
        for size in [&served[1].size, &Arc::new(2)] {
            let kept = keeper.keep::<()>("b", size, |_, _| panic!("it is there")).unwrap();
            assert!(Arc::ptr_eq(&kept, &served[1]));
        }
    }

    #[test]
    fn one_whose_plan_changed_is_built_and_may_take_over_from_its_predecessor() {
        let served = served();
        let keeper = Keeper::of(&served);
        let keep = |name, size| {
            let build = |size: &Arc<u32>, before: Option<&Arc<Thing>>| -> Result<_, ()> {
                let learned = before.map_or(0, |before| before.learned);
                Ok(Thing { name, size: size.clone(), learned })
            };
            let kept = keeper.keep(name, &Arc::new(size), build).unwrap();
            (*kept.size, kept.learned)
        };
        assert_eq!(keep("a", 3), (3, 7));
        assert_eq!(keep("c", 3), (3, 0));
    }

    #[test]
    fn what_is_wrong_with_a_plan_is_told() {
        let served = served();
        let refused = Keeper::of(&served).keep("a", &Arc::new(2), |_, _| Err("too large"));
        assert_eq!(refused.unwrap_err(), "too large");
    }
}
