use super::super::sketch::Sketch;
use super::super::{Policy, TinyLfu};
use super::{ask, id};

fn both(capacity: u64) -> [TinyLfu; 2] {
    [TinyLfu::plain(capacity), TinyLfu::windowed(capacity)]
}

#[test]
fn a_scan_pushes_nothing_out_that_was_asked_for_twice() {
    for mut cache in both(1_000) {
        for _ in 0..4 {
            (0..90).for_each(|number| _ = ask(&mut cache, number, 10));
        }
        (1_000..1_500).for_each(|number| _ = ask(&mut cache, number, 10));
        let kept = (0..90).filter(|&number| cache.touch(id(number))).count();
        assert!(kept > 80, "{kept}");
    }
}

#[test]
fn what_is_asked_for_more_often_than_what_is_there_is_admitted_in_the_end() {
    for mut cache in both(1_000) {
        (0..100).for_each(|number| _ = ask(&mut cache, number, 10));
        let asked = (0..10).take_while(|_| !ask(&mut cache, 200, 10)).count();
        assert!(asked < 4, "{asked}");
    }
}

#[test]
fn an_object_must_be_worth_more_than_all_that_leave_for_it() {
    let mut cache = TinyLfu::plain(1_000);
    (0..100).for_each(|number| _ = ask(&mut cache, number, 10));
    (0..100).for_each(|number| assert!(ask(&mut cache, number, 10)));
    (0..5)
        .for_each(|_| assert!(!ask(&mut cache, 200, 100), "ten others were asked for twice each"));
    assert_eq!(cache.len(), 100);
}

#[test]
fn the_window_holds_what_is_new_although_it_is_worth_less() {
    let [mut plain, mut windowed] = both(1_000);
    for cache in [&mut plain, &mut windowed] {
        for _ in 0..3 {
            (0..100).for_each(|number| _ = ask(cache, number, 10));
        }
        cache.insert(id(200), 10);
    }
    assert!(!plain.touch(id(200)));
    assert!(windowed.touch(id(200)));
}

#[test]
fn counts_are_never_too_low_and_age() {
    let mut sketch = Sketch::new();
    sketch.grow_for(1_000);
    (0..1_000).for_each(|number| (0..number % 8).for_each(|_| sketch.add(id(number))));
    let count = |sketch: &Sketch, number| u64::from(sketch.count_of(id(number)));
    assert!((0..1_000).all(|number| count(&sketch, number) >= number % 8));
    let above = (0..1_000).filter(|&number| count(&sketch, number) > number % 8).count();
    assert!(above < 100, "{above} are too high");
    sketch.grow_for(10_000);
    assert!((0..1_000).all(|number| count(&sketch, number) >= number % 8), "it has grown");
    (0..40_000).for_each(|number| (0..15).for_each(|_| sketch.add(id(10_000 + number % 10))));
    (10_000..200_000).for_each(|number| sketch.add(id(number)));
    assert!(count(&sketch, 7) < 7, "what is not asked for any more is forgotten");
}
