//! What is predicted, and what follows from it, as requests come and end.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::{Arm, Branch, Described, Ended, Predictor};
use crate::balance::Spare;
use crate::time::Moment;

const NOW: Moment = Moment(60_000_000_000);

fn branch(predictor: &Predictor, path: &str) -> Branch {
    let described = Described { route: 1, method: "GET", path: Some(path), size: None };
    predictor.branch(&described, NOW)
}

fn ended(cost: Option<Duration>) -> Ended {
    Ended { arm: Arm::PREDICTED, cost, took: cost, stands_for: 1, by_model: false }
}

/// After a thousand requests of two paths, that cost so many milliseconds.
fn after(light: u64, heavy: u64) -> Predictor {
    let predictor = Predictor::new(5);
    for turn in 0..1_000 {
        // Some scatter: what is always the same has no variance to explain.
        for (path, cost) in [("/light/1", light), ("/heavy/1", heavy)] {
            let cost = Duration::from_micros(cost * (900 + turn % 200));
            predictor.ended(&branch(&predictor, path), ended(Some(cost)), NOW);
        }
    }
    predictor.renew(|| 8.0, NOW);
    predictor
}

#[test]
fn nothing_is_predicted_before_predictions_have_proved_themselves() {
    let predictor = Predictor::new(5);
    let branch = branch(&predictor, "/light/1");
    assert_eq!(predictor.predict(&branch, NOW), None);
    assert_eq!(predictor.ended(&branch, ended(Some(Duration::from_millis(4))), NOW), 0.0);
    assert_eq!(predictor.predict(&branch, NOW), None);
}

#[test]
fn where_paths_say_nothing_of_the_cost_nothing_is_predicted_nor_held() {
    let predictor = after(10, 10);
    assert_eq!(predictor.predict(&branch(&predictor, "/light/1"), NOW), None);
    assert_eq!(predictor.offer(|| false, || Some(Spare { slower: 10.0, quick: 8 })), None);
}

#[test]
fn where_they_do_the_light_are_told_from_the_heavy() {
    let predictor = after(4, 400);
    let [light, heavy] = ["/light/2", "/heavy/2"]
        .map(|path| predictor.predict(&branch(&predictor, path), NOW).unwrap());
    assert!(light.cost < Duration::from_millis(5) && heavy.cost > Duration::from_millis(390));
    assert!(light.boost > heavy.boost);
    let offer = predictor.offer(|| false, || Some(Spare { slower: 10.0, quick: 8 })).unwrap();
    assert!((20..30).contains(&offer.every.as_millis()), "{offer:?}");
    let expected = predictor.ended(&branch(&predictor, "/heavy/3"), ended(None), NOW);
    assert!((2.0..2.6).contains(&expected), "a hundred is e^4.6, half of it above the mean");
}

/// After a second of so many requests of two paths, of which the part is learnt from that is to be, by turns.
fn busy(rate: u32, light: u64, heavy: u64) -> Predictor {
    let predictor = Predictor::new(5);
    for turn in 0..10 * rate {
        let now = NOW.after(Duration::from_secs(1) * turn / rate);
        predictor.renew(|| 8.0, now);
        let one_in = predictor.part().recip().round() as u32;
        if turn % one_in == 0 {
            let is_light = (turn / one_in).is_multiple_of(2);
            let (path, cost) = if is_light { ("/light/1", light) } else { ("/heavy/1", heavy) };
            let cost = Duration::from_micros(cost * u64::from(900 + turn % 200));
            let ended = Ended { stands_for: one_in, ..ended(Some(cost)) };
            predictor.ended(&branch(&predictor, path), ended, now);
        }
    }
    predictor
}

#[test]
fn where_nothing_follows_from_predictions_a_part_is_learnt_from_that_tells_what_they_are_worth() {
    let alike = busy(20_000, 4, 4);
    assert!((0.04..0.06).contains(&alike.part()), "{}", alike.part());
    assert_eq!(busy(500, 4, 4).part(), 1.0);
    let different = busy(20_000, 4, 400);
    assert_eq!((different.skill().weight(), different.part()), (1.0, 1.0));
}

#[test]
fn a_quantile_is_that_of_the_requests_own_kind() {
    let predictor = after(4, 400);
    let quantile = |path| predictor.quantile(&branch(&predictor, path), 1.64, NOW).unwrap();
    let (light, heavy) = (quantile("/light/2").as_millis(), quantile("/heavy/2").as_millis());
    assert!((4..8).contains(&light) && (400..700).contains(&heavy), "{light} {heavy}");
    let unknown = Predictor::new(5);
    assert_eq!(unknown.quantile(&branch(&unknown, "/light/2"), 1.64, NOW), None);
}

#[test]
fn a_request_is_slow_by_its_own_kind() {
    let predictor = after(4, 400);
    let slow = |path, millis| {
        predictor.is_slow(&branch(&predictor, path), Duration::from_millis(millis), NOW)
    };
    assert!(!slow("/light/2", 4) && slow("/light/2", 8));
    assert!(!slow("/heavy/2", 400) && slow("/heavy/2", 800));
    assert!(!Predictor::new(5).is_slow(&branch(&predictor, "/light/2"), Duration::MAX, NOW));
}

#[test]
fn where_requests_take_longer_with_predictions_everything_is_as_without() {
    let predictor = after(4, 400);
    let mut now = NOW;
    while !predictor.comparison().is_off() {
        predictor.renew(|| 8.0, now);
        let (arm, light) = (predictor.arm(now), branch(&predictor, "/light/1"));
        let took = Duration::from_millis(if arm.predicts { 6 } else { 4 });
        let ended = Ended { arm, took: Some(took), ..ended(None) };
        predictor.ended(&light, ended, now);
        now = now.after(Duration::from_millis(50));
    }
    let branch = branch(&predictor, "/heavy/1");
    assert!(!predictor.arm(now).predicts);
    assert_eq!(predictor.predict(&branch, now), None);
    assert_eq!(predictor.offer(|| false, || Some(Spare { slower: 10.0, quick: 8 })), None);
    assert_eq!(predictor.ended(&branch, ended(None), now), 0.0);
    assert_eq!(predictor.skill().weight(), 1.0, "they hit, and do harm all the same");
}

#[test]
fn a_model_that_counts_holds_back_and_does_no_harm_where_nothing_is_learnt_that_does() {
    let predictor = after(10, 10);
    let spare = || Some(Spare { slower: 10.0, quick: 8 });
    assert!(predictor.offer(|| true, spare).is_some());
    let mut now = NOW;
    while !predictor.comparison().is_off() {
        predictor.renew(|| 8.0, now);
        let arm = predictor.arm(now);
        let took = Duration::from_millis(if arm.predicts { 15 } else { 10 });
        let ended = Ended { arm, took: Some(took), by_model: true, ..ended(None) };
        predictor.ended(&branch(&predictor, "/light/1"), ended, now);
        now = now.after(Duration::from_millis(50));
    }
    assert_eq!(predictor.offer(|| true, spare), None);
}

#[test]
fn in_the_slot_without_predictions_none_is_held_back() {
    let predictor = after(4, 400);
    predictor.renew(|| 8.0, NOW);
    let spare = Spare { slower: 10.0, quick: 8 };
    for millis in (0..5_000).step_by(10) {
        let arm = predictor.arm(NOW.after(Duration::from_millis(millis)));
        assert_eq!(predictor.offer(|| false, || Some(spare)).is_some(), arm.predicts);
    }
}

#[test]
fn what_was_learnt_goes_on_in_the_next_process() {
    let before = after(4, 400);
    let text = serde_json::to_string(&before.knowledge(NOW)).unwrap();
    let known = serde_json::from_str(&text).unwrap();
    let start = Moment(1_000);
    let next = Predictor::restored(&known, start).unwrap();
    next.renew(|| 8.0, start);
    for path in ["/light/7", "/heavy/7"] {
        let branch = branch(&before, path);
        assert_eq!(next.estimate(&branch, start), before.estimate(&branch, NOW));
        assert_eq!(
            next.branch(
                &Described { route: 1, method: "GET", path: Some(path), size: None },
                start
            ),
            branch
        );
        assert!(next.predict(&branch, start).is_some());
    }
    assert_eq!(next.skill().weight(), before.skill().weight());
    assert_eq!(next.knowledge(start), known);
}

#[test]
fn what_cannot_have_been_learnt_is_refused() {
    let known = serde_json::to_value(after(4, 400).knowledge(NOW)).unwrap();
    let spoilt: [(&str, serde_json::Value); 6] = [
        ("/version", 2.into()),
        ("/costs/root/variance", (-1.0).into()),
        ("/costs/nodes/0/1/answers", (-1.0).into()),
        ("/rate", (-3.0).into()),
        ("/distribution", vec![1].into()),
        ("/skill/0", 7.into()),
    ];
    for (place, value) in spoilt {
        let mut known = known.clone();
        *known.pointer_mut(place).unwrap() = value;
        let known = serde_json::from_value(known).unwrap();
        assert!(Predictor::restored(&known, NOW).is_err(), "{place}");
    }
}

#[test]
fn a_template_that_clients_make_heavy_on_purpose_is_dearer_and_the_others_stay_as_they_are() {
    let predictor = after(4, 400);
    let [light, heavy] = ["/light/1", "/heavy/1"].map(|path| branch(&predictor, path));
    let before = predictor.estimate(&heavy, NOW).cost();
    for turn in 0..1_000 {
        let millis = if turn % 2 == 0 { 4_000 } else { 4 };
        predictor.ended(&light, ended(Some(Duration::from_millis(millis))), NOW);
    }
    let abused = predictor.estimate(&light, NOW);
    assert!(abused.cost() > Duration::from_millis(400), "{:?}", abused.cost());
    let honest = predictor.estimate(&heavy, NOW).cost().div_duration_f32(before);
    assert!((0.8..1.25).contains(&honest), "{honest}");
    if let Some(abused) = predictor.predict(&light, NOW) {
        let other = predictor.predict(&heavy, NOW).unwrap();
        assert!(abused.boost <= other.boost, "they go before no honest request that is as heavy");
    }
}

#[test]
fn paths_without_end_are_learnt_in_bounded_memory() {
    let predictor = Predictor::new(5);
    for turn in 0..100_000_u64 {
        let path = format!("/a{turn}b/c{}d/{turn}", turn.wrapping_mul(7919) % 10_007);
        let cost = Some(Duration::from_millis(4 + turn % 3));
        predictor.ended(&branch(&predictor, &path), ended(cost), NOW);
    }
    let known = serde_json::to_string(&predictor.knowledge(NOW)).unwrap();
    assert!(known.len() < 1 << 20, "{}", known.len());
    assert!(predictor.usual(NOW).cost() < Duration::from_millis(6));
}

#[test]
fn a_jump_of_the_clock_leaves_what_the_parents_say() {
    let predictor = after(4, 400);
    let light = branch(&predictor, "/light/1");
    for now in [NOW.after(Duration::from_hours(24 * 365)), Moment(0), Moment(u64::MAX)] {
        predictor.renew(|| 8.0, now);
        let estimate = predictor.estimate(&light, now);
        assert!(estimate.is_possible(), "{estimate:?}");
        predictor.ended(&light, ended(Some(Duration::from_millis(4))), now);
        predictor.arm(now);
    }
}

#[test]
fn a_models_word_is_taken_for_so_many_times_what_was_seen() {
    let predictor = after(4, 400);
    let seen = predictor.estimate(&branch(&predictor, "/light/2"), NOW);
    let twice = seen.cost().as_secs_f32() * 2.0;
    assert!((Predictor::model_factor(twice, &seen) - 2.0).abs() < 1e-3);
    assert_eq!(Predictor::model_factor(f32::NAN, &seen), 1.0);
}

#[test]
fn a_models_word_that_cannot_be_is_not_taken() {
    let predictor = after(4, 400);
    let seen = predictor.estimate(&branch(&predictor, "/light/2"), NOW);
    for word in [f32::NAN, f32::INFINITY, -1.0, 0.0, 1e30] {
        let believed = predictor.believe(word, &seen, 1.0, NOW).unwrap();
        assert!(believed.cost < Duration::from_millis(5), "{word}: {believed:?}");
    }
}
