use std::thread;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use tidegate_core::cache::Terms;
use tidegate_core::cache::freshness::Source;
use tidegate_core::cache::key::StoredKey;
use tidegate_core::time::Span;
use xxhash_rust::xxh3::xxh3_128;

use super::*;
use crate::objects::cache::content::Content;
use crate::objects::cache::entry::Parts;

const ROOM: u64 = 100_000;

fn hash(number: u8) -> u128 {
    xxh3_128(&[number])
}

fn entry(number: u8, length: usize) -> Arc<Entry> {
    let (hash, none) = (hash(number), Span::default());
    let terms = Terms {
        arrived: Moment(0),
        initial_age: none,
        lifetime: none,
        by: Source::MaxAge,
        validate_always: false,
        never_stale: false,
        while_revalidate: none,
        if_error: none,
        if_disconnected: none,
        immutable: false,
    };
    Arc::new(Entry::new(Parts {
        key: Arc::new(StoredKey { url: hash, hash, text: [number].into() }),
        status: StatusCode::OK,
        fields: HeaderMap::new().iter().collect(),
        content: Content::Whole(Bytes::from(vec![0; length]).into()),
        terms,
        vary: Default::default(),
        tags: Default::default(),
        arrived: 0,
        asked_at: 0,
    }))
}

/// A memory, and what went for want of room.
fn memory() -> (Memory, Arc<Mutex<Vec<u128>>>) {
    let gone = Arc::<Mutex<Vec<_>>>::default();
    let told = gone.clone();
    (Memory::new(ROOM, move |entry| told.lock().push(entry.key.hash)), gone)
}

fn put(memory: &Memory, number: u8, length: usize) {
    memory.put(entry(number, length), |_, _| None);
}

/// What the shards hold is what the policy knows, and there is room for it.
fn check(memory: &Memory) {
    let entries: Vec<_> = memory.entries().collect();
    assert_eq!(memory.keys(), entries.len() as u64);
    let bytes: u64 = entries.iter().map(|entry| OVERHEAD + entry.weight()).sum();
    assert_eq!(memory.bytes(), bytes);
    assert!(bytes <= ROOM);
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, usize),
    Get(u8),
    Remove(u8),
    Forget(u8),
}

impl Step {
    fn take(&self, memory: &Memory) {
        match *self {
            Self::Put(number, length) => put(memory, number, length),
            Self::Get(number) => _ = memory.get(hash(number)),
            Self::Forget(number) => memory.forget(hash(number)),
            Self::Remove(number) => {
                let found = memory.peek(hash(number));
                found.iter().flat_map(Variants::entries).for_each(|entry| memory.remove(entry));
            }
        }
    }
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let number = || 0..30u8;
    let step = prop_oneof![
        4 => (number(), 0..40_000usize).prop_map(|(number, length)| Step::Put(number, length)),
        4 => number().prop_map(Step::Get),
        1 => number().prop_map(Step::Remove),
        1 => number().prop_map(Step::Forget),
    ];
    prop::collection::vec(step, 0..most)
}

proptest! {
    #[test]
    fn no_more_is_stored_than_there_is_room_for(steps in steps(200)) {
        let (memory, _) = memory();
        steps.iter().for_each(|step| step.take(&memory));
        check(&memory);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn nor_where_several_threads_store(steps in prop::collection::vec(steps(300), 4)) {
        let (memory, _) = memory();
        thread::scope(|scope| {
            for steps in &steps {
                scope.spawn(|| steps.iter().for_each(|step| step.take(&memory)));
            }
        });
        check(&memory);
    }
}

#[test]
fn what_goes_for_want_of_room_is_told_and_changes_the_number_of_its_key() {
    let (memory, gone) = memory();
    let before: Vec<_> = (0..100).map(|number| memory.generation(hash(number))).collect();
    (0..100).for_each(|number| put(&memory, number, 9_000));
    let gone = std::mem::take(&mut *gone.lock());
    assert!(memory.keys() < 12);
    assert_eq!(memory.keys() + gone.len() as u64, 100);
    assert_eq!(memory.evictions(), gone.len() as u64);
    for (number, before) in (0..100).zip(before) {
        let is_gone = gone.contains(&hash(number));
        assert_eq!(memory.peek(hash(number)).is_none(), is_gone, "{number}");
        assert!(memory.generation(hash(number)) >= before + 1 + u64::from(is_gone));
    }
}

#[test]
fn what_is_asked_for_often_stays() {
    let (memory, _) = memory();
    put(&memory, 0, 9_000);
    (0..5).for_each(|_| drop(memory.get(hash(0))));
    (1..100).for_each(|number| put(&memory, number, 9_000));
    assert!(memory.peek(hash(0)).is_some());
}

#[test]
fn what_is_larger_than_all_room_is_not_stored() {
    let (memory, gone) = memory();
    put(&memory, 0, 9_000);
    put(&memory, 1, 200_000);
    assert_eq!((memory.keys(), gone.lock().as_slice()), (1, [hash(1)].as_slice()));
}

#[test]
fn a_key_is_known_to_be_private_until_something_of_it_is_stored() {
    let (memory, _) = memory();
    let is_private = |now| memory.peek(hash(0)).unwrap().is_private(now);
    memory.mark_private(hash(0), Moment(0));
    assert!(is_private(Moment(1)));
    put(&memory, 0, 10);
    assert!(!is_private(Moment(1)));
    memory.mark_private(hash(0), Moment(0));
    assert!(is_private(Moment(1)) && !is_private(Moment(u64::MAX)));
    assert_eq!(memory.keys(), 1);
}
