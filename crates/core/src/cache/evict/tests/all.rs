//! What holds of every policy, whatever is asked of it.

use std::collections::HashMap;

use proptest::prelude::*;

use super::super::{Evicted, Fifo, Id, Lru, Policy, S3Fifo, Sieve, TinyLfu};
use super::{ask, id};

#[derive(Debug, Clone)]
enum Act {
    Insert(u64, u64),
    Touch(u64),
    Remove(u64),
    SetCapacity(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let number = || 0u64..40;
    let act = prop_oneof![
        8 => (number(), 0u64..300).prop_map(|(number, size)| Act::Insert(number, size)),
        8 => number().prop_map(Act::Touch),
        1 => number().prop_map(Act::Remove),
        1 => (0u64..2_000).prop_map(Act::SetCapacity),
    ];
    prop::collection::vec(act, 0..400)
}

/// What a policy must hold of, by what it has said.
#[derive(Default)]
struct Told(HashMap<Id, u64>);

impl Told {
    fn evicted(&mut self, evicted: &Evicted) {
        for id in evicted {
            assert!(self.0.remove(id).is_some(), "what is not there cannot leave");
        }
    }

    fn check(&self, policy: &dyn Policy) {
        assert!(policy.used() <= policy.capacity(), "{} bytes", policy.used());
        assert_eq!(policy.used(), self.0.values().sum::<u64>());
        assert_eq!(policy.len(), self.0.len());
    }
}

fn policies(capacity: u64) -> Vec<Box<dyn Policy>> {
    vec![
        Box::new(Fifo::new(capacity)),
        Box::new(Lru::new(capacity)),
        Box::new(S3Fifo::new(capacity)),
        Box::new(Sieve::new(capacity)),
        Box::new(TinyLfu::plain(capacity)),
        Box::new(TinyLfu::windowed(capacity)),
    ]
}

fn holds(policy: &mut dyn Policy, acts: &[Act]) {
    let mut told = Told::default();
    for act in acts {
        match *act {
            Act::Insert(number, size) => {
                told.0.insert(id(number), size);
                told.evicted(&policy.insert(id(number), size));
            }
            Act::Touch(number) => {
                assert_eq!(policy.touch(id(number)), told.0.contains_key(&id(number)));
            }
            Act::Remove(number) => {
                assert_eq!(policy.remove(id(number)), told.0.remove(&id(number)));
            }
            Act::SetCapacity(capacity) => told.evicted(&policy.set_capacity(capacity)),
        }
        told.check(policy);
    }
    told.evicted(&policy.set_capacity(0));
    told.0.retain(|_, size| *size > 0);
    assert!(told.0.is_empty(), "without room nothing is left that has a size");
}

proptest! {
    #[test]
    fn policies_are_never_above_their_capacity_and_tell_all_that_leaves(acts in acts()) {
        policies(1_000).iter_mut().for_each(|policy| holds(policy.as_mut(), &acts));
    }
}

#[test]
fn policies_keep_all_that_there_is_room_for() {
    for mut policy in policies(1_000) {
        (0..100).for_each(|number| assert!(!ask(policy.as_mut(), number, 10)));
        (0..100).for_each(|number| assert!(ask(policy.as_mut(), number, 10)));
    }
}

#[test]
fn policies_stay_full_while_objects_come_and_go() {
    for mut policy in policies(1_000) {
        (0..100_000).for_each(|number| assert!(!ask(policy.as_mut(), number, 10)));
        assert!(policy.used() > 900, "{policy:?}");
    }
}
