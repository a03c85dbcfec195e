use super::super::ghosts::Ghosts;
use super::super::{Id, Policy, S3Fifo};
use super::{ask, id};

#[test]
fn what_is_asked_for_once_leaves_before_what_is_asked_for_again() {
    let mut cache = S3Fifo::new(1_000);
    (0..50).for_each(|number| _ = ask(&mut cache, number, 10));
    for _ in 0..2 {
        (0..50).for_each(|number| assert!(ask(&mut cache, number, 10)));
    }
    (1_000..100_000).for_each(|number| _ = ask(&mut cache, number, 10));
    (0..50).for_each(|number| assert!(cache.touch(id(number)), "{number}"));
}

#[test]
fn what_comes_back_soon_after_it_has_left_is_kept_longer_than_what_is_new() {
    let mut cache = S3Fifo::new(1_000);
    (0..200).for_each(|number| _ = ask(&mut cache, number, 10));
    assert!(!ask(&mut cache, 50, 10), "it has left");
    (1_000..1_500).for_each(|number| _ = ask(&mut cache, number, 10));
    assert!(cache.touch(id(50)), "it came back as a ghost, and stands in the main queue");
    assert!(!cache.touch(id(1_000)));
}

#[test]
fn what_is_not_used_any_more_leaves_in_the_end() {
    let mut cache = S3Fifo::new(1_000);
    (0..50).for_each(|number| _ = cache.insert(id(number), 10));
    (0..50).for_each(|number| _ = (0..3).map(|_| cache.touch(id(number))).last());
    for number in 1_000..3_000 {
        // Each is wanted thrice and never again.
        cache.insert(id(number), 10);
        (0..3).for_each(|_| _ = cache.touch(id(number)));
    }
    assert!((0..50).all(|number| !cache.touch(id(number))));
}

#[test]
fn one_leaves_after_a_thousand_have_gone_on_however_often_all_were_used() {
    let mut cache = S3Fifo::new(10_000);
    (0..10_000).for_each(|number| _ = cache.insert(id(number), 1));
    (0..10_000).for_each(|number| (0..3).for_each(|_| assert!(cache.touch(id(number)))));
    assert_eq!(cache.insert(id(10_000), 1)[..], [id(1_000)]);
    assert_eq!(cache.insert(id(10_001), 1)[..], [id(2_001)]);
}

#[test]
fn an_object_larger_than_the_small_queue_pushes_others_out_only_when_it_comes_back() {
    let mut cache = S3Fifo::new(1_000);
    assert!(cache.insert(id(0), 600).is_empty(), "there is room");
    (1..=40).for_each(|number| assert!(cache.insert(id(number), 10).is_empty()));
    assert_eq!(cache.insert(id(100), 500)[..], [id(100)]);
    assert_eq!(cache.used(), 1_000);
    assert_eq!(cache.insert(id(100), 500)[..], [id(0)]);
    assert!(cache.touch(id(100)));
    assert_eq!(cache.insert(id(101), 1_001)[..], [id(101)], "it never has room");
}

#[test]
fn an_object_that_outgrows_the_room_leaves() {
    let mut cache = S3Fifo::new(1_000);
    cache.insert(id(1), 10);
    cache.insert(id(2), 10);
    assert_eq!(cache.insert(id(1), 1_001)[..], [id(1)]);
    assert_eq!((cache.used(), cache.len()), (10, 1));
}

#[test]
fn ghosts_are_known_until_as_many_others_have_left() {
    const KNOWN: u64 = 100_000;
    let mut ghosts = Ghosts::new();
    (0..2 * KNOWN).for_each(|number| ghosts.add(id(number), KNOWN as usize));
    let mut known = |numbers: std::ops::Range<u64>| {
        numbers.filter(|&number| ghosts.take(id(number), KNOWN as usize)).count()
    };
    assert!(known(0..KNOWN) < 100, "those are forgotten");
    let found = known(KNOWN..2 * KNOWN);
    assert!(found > 97_000, "{found} of those are not");
    assert_eq!(known(KNOWN..2 * KNOWN), 0, "one that came back is none");
    assert!(known(2 * KNOWN..3 * KNOWN) < 100, "few are taken for ghosts that never were there");
}

#[test]
fn a_million_objects_take_at_most_45_bytes_each_beside_their_ids() {
    const OBJECTS: u64 = 1_000_000;
    let mut cache = S3Fifo::new(OBJECTS);
    // As many have left.
    (0..2 * OBJECTS).for_each(|number| _ = cache.insert(id(number), 1));
    assert_eq!(cache.len() as u64, OBJECTS);
    let each = cache.memory() as f64 / OBJECTS as f64 - size_of::<Id>() as f64;
    assert!(each <= 45.0, "{each:.1}");
}
