//! The gate, its queue and its lanes.

use std::time::Duration;

use proptest::prelude::*;

use super::super::{Gate, Offer, Place, Supply, Verdict, Waited, Woken};
use super::limits;
use crate::plan::testing::number;
use crate::plan::{Priority, UpstreamLimits};
use crate::predict::Prediction;
use crate::time::Moment;

const MILLISECOND: Duration = Duration::from_millis(1);

fn fixed(requests: u32, pending: u32) -> UpstreamLimits {
    let mut limits = limits();
    limits.adaptive.enabled = false;
    limits.requests = Some(number(requests));
    limits.pending = pending;
    limits
}

fn at(milliseconds: u32) -> Moment {
    Moment::default().after(MILLISECOND * milliseconds)
}

fn names(woken: Woken<u32>) -> Vec<(u32, Verdict)> {
    woken.into_vec()
}

#[test]
fn a_request_that_waits_goes_in_when_another_leaves_first_come_first_served() {
    let gate = Gate::new(&fixed(1, 10));
    assert!(gate.enter());
    assert!(!gate.enter());
    for ticket in 1..=3 {
        gate.wait(Priority::Normal, None, at(0), ticket).unwrap();
    }
    let order: Vec<_> = (1..=3).flat_map(|ms| names(gate.leave(at(ms)))).collect();
    assert_eq!(order, [(1, Verdict::In), (2, Verdict::In), (3, Verdict::In)]);
    assert_eq!((gate.inside(), gate.waiting()), (1, 0));
}

#[test]
fn no_request_overtakes_one_that_waits() {
    let gate = Gate::new(&fixed(1, 10));
    assert!(gate.enter());
    let (place, _) = gate.wait(Priority::Normal, None, at(0), 1).unwrap();
    assert!(gate.wait(Priority::Normal, None, at(0), 2).unwrap().1.is_empty());
    gate.give_up(place);
    assert_eq!(names(gate.leave(at(0))), [(2, Verdict::In)]);
}

fn predicted(cost: u32, boost: u32) -> Option<Prediction> {
    Some(Prediction { cost: MILLISECOND * cost, boost: MILLISECOND * boost })
}

/// The order in which all that wait go in, one at a time from `ms` on.
fn order(gate: &Gate<u32>, ms: u32) -> Vec<u32> {
    let left = (0..).map_while(|n| (gate.waiting() > 0).then(|| names(gate.leave(at(ms + n)))));
    left.flatten().map(|(ticket, _)| ticket).collect()
}

#[test]
fn a_request_goes_before_others_by_its_boost_and_no_farther() {
    let gate = Gate::new(&fixed(1, 10));
    assert!(gate.enter());
    for (ms, ticket, prediction) in [
        (0, 1, predicted(400, 0)),
        (50, 2, None),
        (90, 3, predicted(4, 60)),
        (110, 4, predicted(4, 60)),
        (111, 5, predicted(4, 60)),
    ] {
        gate.wait(Priority::Normal, prediction, at(1_000 + ms), ticket).unwrap();
    }
    assert_eq!(order(&gate, 1_200), [1, 3, 2, 4, 5]);
}

#[test]
fn of_a_wait_that_is_watched_it_is_known_by_how_many_it_was_overtaken() {
    let gate = Gate::new(&fixed(1, 10));
    assert!(gate.enter());
    let watched = |ms: u32, ticket, prediction| {
        gate.wait_watched(Priority::Normal, prediction, at(1_000 + ms), ticket).unwrap().0
    };
    let heavy = watched(50, 1, predicted(400, 0));
    let light = watched(90, 2, predicted(4, 60));
    gate.wait(Priority::Normal, predicted(4, 60), at(1_100), 3).unwrap();
    gate.wait(Priority::High, predicted(4, 60), at(1_100), 4).unwrap();
    assert_eq!(order(&gate, 1_200), [4, 2, 3, 1]);
    let overtaken = |place| gate.give_up(place).overtaken;
    assert_eq!([heavy, light].map(overtaken), [2, 0], "a request of another class overtakes none");
    assert_eq!(gate.give_up(heavy), Waited::default(), "it is told once");
}

#[test]
fn no_boost_takes_a_request_before_one_of_a_higher_class() {
    let gate = Gate::new(&fixed(1, 10));
    assert!(gate.enter());
    gate.wait(Priority::Normal, predicted(4, 900), at(1_000), 1).unwrap();
    gate.wait(Priority::High, predicted(400, 0), at(1_001), 2).unwrap();
    assert_eq!(order(&gate, 1_100), [2, 1]);
}

#[test]
fn where_the_queue_is_full_the_one_that_would_be_served_last_makes_room() {
    let gate = Gate::new(&fixed(1, 2));
    assert!(gate.enter());
    gate.wait(Priority::Low, predicted(400, 0), at(1_000), 1).unwrap();
    gate.wait(Priority::Low, predicted(4, 500), at(1_001), 2).unwrap();
    let (_, woken) = gate.wait(Priority::High, None, at(1_002), 3).unwrap();
    assert_eq!(names(woken), [(1, Verdict::Displaced)]);
}

#[test]
fn a_lane_that_sheds_goes_by_arrival_alone() {
    let gate = Gate::new(&fixed(1, 10));
    assert!(gate.enter());
    // The oldest waits longer than the target for more than the interval.
    gate.wait(Priority::Normal, predicted(1, 0), at(0), 1).unwrap();
    gate.wait(Priority::Normal, predicted(1, 0), at(200), 2).unwrap();
    let (_, woken) = gate.wait(Priority::Normal, predicted(1, 0), at(2_400), 3).unwrap();
    assert_eq!(names(woken), [(1, Verdict::Shed), (2, Verdict::Shed)]);
    assert!(gate.is_shedding());
    gate.wait(Priority::Normal, predicted(1, 900), at(2_410), 4).unwrap();
    gate.wait(Priority::Normal, predicted(1, 0), at(2_420), 5).unwrap();
    assert_eq!(order(&gate, 2_430), [5, 4, 3]);
}

#[test]
fn a_deadline_that_not_even_half_of_the_cost_meets_is_hopeless_only_while_requests_are_shed() {
    let gate = Gate::new(&fixed(1, 10));
    assert!(gate.enter());
    let is_hopeless = |cost, left| gate.is_hopeless(predicted(cost, 0), MILLISECOND * left);
    gate.wait(Priority::Normal, None, at(0), 1).unwrap();
    assert!(!is_hopeless(400, 1));
    gate.wait(Priority::Normal, None, at(200), 2).unwrap();
    gate.wait(Priority::Normal, None, at(2_400), 3).unwrap();
    assert!(gate.is_shedding());
    assert!(is_hopeless(400, 199) && !is_hopeless(400, 200));
    assert!(!gate.is_hopeless(None, Duration::ZERO));
}

#[test]
fn the_longest_wait_is_that_of_the_oldest_whatever_is_served_first() {
    let gate = Gate::new(&fixed(1, 10));
    assert!(gate.enter());
    gate.wait(Priority::Normal, predicted(400, 0), at(1_000), 1).unwrap();
    gate.wait(Priority::Normal, predicted(4, 900), at(1_050), 2).unwrap();
    assert_eq!(gate.delay(at(1_080)), MILLISECOND * 80);
}

#[test]
fn a_request_that_takes_long_itself_may_wait_as_long() {
    let gate = Gate::new(&fixed(1, 10));
    assert!(gate.enter());
    // One that takes half a second always waits, for 400 ms.
    for ms in (0..5_000).step_by(200) {
        let (_, woken) = gate.wait(Priority::Normal, predicted(500, 0), at(ms), ms).unwrap();
        assert!(woken.is_empty());
        if ms >= 400 {
            assert_eq!(names(gate.leave(at(ms))), [(ms - 400, Verdict::In)]);
        }
    }
    assert!(!gate.is_shedding());
}

/// Workers that are ten times slower are free once so many are in; quick ones come free each 2 ms.
#[derive(Debug)]
struct SlowAfter(u32);

impl Supply for SlowAfter {
    fn offer(&self, inside: u32) -> Option<Offer> {
        (inside >= self.0).then_some(Offer { slower: 10.0, every: MILLISECOND * 2, quick: 20 })
    }
}

fn holding(quick: u32) -> Gate<u32> {
    let gate = Gate::new(&fixed(10, 100));
    gate.hold_by(Some(Box::new(SlowAfter(quick))));
    gate
}

#[test]
fn a_heavy_request_waits_for_a_quick_worker_and_light_ones_pass_it() {
    let gate = holding(1);
    assert!(gate.enter(), "a quick worker is free");
    assert!(!gate.enter(), "only slow ones are");
    assert!(gate.wait(Priority::Normal, predicted(400, 0), at(0), 1).unwrap().1.is_empty());
    let (_, woken) = gate.wait(Priority::Normal, predicted(0, 0), at(0), 2).unwrap();
    assert_eq!(names(woken), [(2, Verdict::In)]);
    drop(gate.leave(at(1)));
    assert_eq!(names(gate.leave(at(2))), [(1, Verdict::In)]);
}

#[test]
fn of_a_wait_that_is_watched_it_is_known_what_it_left_alone() {
    let gate = holding(0);
    let watched = |prediction, ticket| {
        gate.wait_watched(Priority::Normal, prediction, at(0), ticket).unwrap().0
    };
    let places = [watched(predicted(400, 0), 1), watched(predicted(0, 0), 2)];
    let [heavy, light] = places.map(|place| gate.give_up(place));
    assert!(heavy.declined.is_some_and(|offer| offer.slower > 1.0) && heavy.overtaken == 1);
    assert_eq!(light, Waited::default());
}

#[test]
fn a_request_that_was_held_as_long_as_it_may_goes_in_all_the_same() {
    let gate = holding(0);
    let (place, _) = gate.wait(Priority::Normal, predicted(400, 0), at(0), 1).unwrap();
    gate.give_up(place);
    assert!(gate.enter_late());
}

#[test]
fn what_is_held_is_let_go_where_it_is_held_back_no_more() {
    let gate = holding(0);
    gate.wait(Priority::Normal, predicted(400, 0), at(0), 1).unwrap();
    gate.hold_by(None);
    assert_eq!(names(gate.configure(&fixed(10, 100), at(1))), [(1, Verdict::In)]);
}

#[test]
fn a_higher_limit_lets_in_what_waits() {
    let gate = Gate::new(&fixed(1, 10));
    assert!(gate.enter());
    for ticket in 1..=3 {
        gate.wait(Priority::Normal, None, at(0), ticket).unwrap();
    }
    let woken = gate.configure(&fixed(3, 10), at(1));
    assert_eq!(names(woken), [(1, Verdict::In), (2, Verdict::In)]);
}

#[test]
fn a_higher_class_goes_first_and_takes_the_place_of_a_lower_one() {
    let gate = Gate::new(&fixed(1, 3));
    assert!(gate.enter());
    gate.wait(Priority::Low, None, at(0), 1).unwrap();
    gate.wait(Priority::Low, None, at(1), 2).unwrap();
    gate.wait(Priority::Normal, None, at(2), 3).unwrap();
    assert!(gate.wait(Priority::Low, None, at(3), 4).is_err());
    let (_, woken) = gate.wait(Priority::High, None, at(4), 5).unwrap();
    assert_eq!(names(woken), [(2, Verdict::Displaced)]);
    let order: Vec<_> = (5..8).flat_map(|ms| names(gate.leave(at(ms)))).collect();
    assert_eq!(order, [(5, Verdict::In), (3, Verdict::In), (1, Verdict::In)]);
}

#[test]
fn a_long_wait_is_shed_only_when_it_lasts_and_then_the_newest_go_first() {
    let gate = Gate::new(&fixed(1, 10_000));
    assert!(gate.enter());
    let mut shed_at = None;
    assert!(!gate.is_shedding());
    // Three come for each that leaves.
    for ms in 0..3_000_u32 {
        let (_, mut woken) = gate.wait(Priority::Normal, None, at(ms), ms).unwrap();
        if ms % 3 == 0 {
            woken.extend(gate.leave(at(ms)));
        }
        for (ticket, verdict) in woken {
            match (verdict, shed_at) {
                (Verdict::In, None) => assert_eq!(ticket, ms / 3, "first in, first out"),
                (Verdict::In, Some(_)) => assert_eq!(ticket, ms, "last in, first out"),
                _ => shed_at = shed_at.or(Some(ms)),
            }
        }
    }
    // The target of 100 ms is exceeded after 150 ms, and must be for 2 s.
    assert!((2_100..2_300).contains(&shed_at.unwrap()), "{shed_at:?}");
    assert!(gate.delay(at(2_999)) <= MILLISECOND * 103);
    assert!(gate.is_shedding());
    // They go in, one after the other, until none waits.
    while gate.waiting() > 0 {
        drop(gate.leave(at(2_999)));
    }
    assert!(!gate.is_shedding());
}

#[test]
fn where_requests_take_long_a_long_wait_is_not_too_long() {
    let gate = Gate::new(&fixed(1, 1000));
    gate.record_residence(Duration::from_secs(30));
    assert!(gate.enter());
    for second in 0..20 {
        let (_, woken) = gate.wait(Priority::Normal, None, at(second * 1_000), second).unwrap();
        assert!(woken.is_empty());
    }
    assert_eq!(names(gate.leave(at(20_000))), [(0, Verdict::In)]);
}

#[test]
fn a_request_that_waited_for_room_at_the_endpoints_may_go_in_late_but_not_beyond_the_limit() {
    let gate: Gate<u32> = Gate::new(&fixed(2, 10));
    gate.fit(1);
    assert!(gate.enter());
    let (place, _) = gate.wait(Priority::Normal, None, at(0), 1).unwrap();
    gate.give_up(place);
    assert!(gate.enter_late());
    assert!(!gate.enter_late());
}

#[test]
fn the_room_of_the_endpoints_is_a_limit_too() {
    let gate: Gate<u32> = Gate::new(&fixed(10, 10));
    gate.fit(2);
    assert_eq!([(); 3].map(|()| gate.enter()), [true, true, false]);
    assert_eq!(gate.limit(), Some(2));
}

#[test]
fn nothing_is_lost_when_many_threads_come_and_go() {
    let gate: Gate<std::sync::mpsc::Sender<Verdict>> = Gate::new(&fixed(3, 1000));
    let tell = |woken: Woken<std::sync::mpsc::Sender<Verdict>>| {
        for (ticket, verdict) in woken {
            ticket.send(verdict).unwrap();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    if !gate.enter() {
                        let (ticket, verdict) = std::sync::mpsc::channel();
                        let (_, woken) = gate.wait(Priority::Normal, None, at(0), ticket).unwrap();
                        tell(woken);
                        assert_eq!(verdict.recv().unwrap(), Verdict::In);
                    }
                    assert!(gate.inside() <= 3);
                    tell(gate.leave(at(0)));
                }
            });
        }
    });
    assert_eq!((gate.inside(), gate.waiting()), (0, 0));
}

#[derive(Debug, Clone)]
enum Step {
    Arrive(Priority, Option<Prediction>),
    Leave,
    GiveUp(usize),
    Pass(u32),
    Limit(u32),
}

fn prediction() -> impl Strategy<Value = Option<Prediction>> {
    prop::option::of((0..500_u32, 0..1_000_u32))
        .prop_map(|it| it.and_then(|(c, b)| predicted(c, b)))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (prop::sample::select(&Priority::ALL[..]), prediction())
            .prop_map(|(class, prediction)| Step::Arrive(class, prediction)),
        3 => Just(Step::Leave),
        1 => any::<usize>().prop_map(Step::GiveUp),
        1 => (1..400_u32).prop_map(Step::Pass),
        1 => (1..6_u32).prop_map(Step::Limit),
    ]
}

proptest! {
    #[test]
    fn each_request_goes_in_or_is_told_exactly_once(steps in prop::collection::vec(step(), 1..300)) {
        let gate = Gate::new(&fixed(2, 8));
        let (mut now, mut limit, mut inside, mut ticket) = (at(0), 2, 0_u32, 0);
        let mut waiting: Vec<(u32, Place)> = Vec::new();
        for step in steps {
            let mut woken = Woken::new();
            match step {
                Step::Arrive(class, prediction) => {
                    ticket += 1;
                    if gate.enter() {
                        prop_assert!(waiting.is_empty() && inside < limit);
                        inside += 1;
                    } else if let Ok((place, more)) = gate.wait(class, prediction, now, ticket) {
                        waiting.push((ticket, place));
                        woken = more;
                    } else {
                        prop_assert_eq!(waiting.len(), 8);
                    }
                }
                Step::Leave if inside > 0 => {
                    inside -= 1;
                    woken = gate.leave(now);
                }
                Step::GiveUp(which) if !waiting.is_empty() => {
                    let (_, place) = waiting.remove(which % waiting.len());
                    gate.give_up(place);
                }
                Step::Pass(ms) => now = now.after(MILLISECOND * ms),
                Step::Limit(new) => {
                    limit = new;
                    woken = gate.configure(&fixed(limit, 8), now);
                }
                Step::Leave | Step::GiveUp(_) => {}
            }
            for (ticket, verdict) in woken {
                let position = waiting.iter().position(|(waits, _)| *waits == ticket);
                prop_assert!(position.is_some(), "{} was told twice", ticket);
                waiting.remove(position.unwrap());
                if verdict == Verdict::In {
                    inside += 1;
                    prop_assert!(inside <= limit);
                }
            }
            prop_assert_eq!((gate.inside(), gate.waiting()), (inside, waiting.len() as u32));
        }
        // Whatever happened: as long as a request is in, all that wait come to their turn.
        while inside > 0 {
            inside -= 1;
            for (ticket, verdict) in gate.leave(now) {
                waiting.retain(|(waits, _)| *waits != ticket);
                inside += u32::from(verdict == Verdict::In);
            }
            prop_assert!(inside > 0 || waiting.is_empty());
        }
    }

    #[test]
    fn where_nothing_is_predicted_every_decision_is_that_of_a_gate_that_holds_nothing(
        steps in prop::collection::vec(step(), 1..100),
    ) {
        let [plain, holding] = [(); 2].map(|()| Gate::new(&fixed(2, 8)));
        // What predicts nothing offers nothing either.
        holding.hold_by(Some(Box::new(SlowAfter(u32::MAX))));
        let (mut now, mut inside, mut places) = (at(0), 0, Vec::new());
        for (ticket, step) in steps.into_iter().enumerate() {
            let woken = |gate: &Gate<usize>, place: Option<&Place>| match &step {
                Step::Arrive(class, _) => match gate.enter() {
                    true => (true, None, Woken::new()),
                    false => match gate.wait(*class, None, now, ticket) {
                        Ok((place, woken)) => (false, Some(place), woken),
                        Err(_) => (false, None, Woken::new()),
                    },
                },
                Step::Leave if inside > 0 => (false, None, gate.leave(now)),
                Step::GiveUp(_) => {
                    place.into_iter().for_each(|place| _ = gate.give_up(*place));
                    (false, None, Woken::new())
                }
                Step::Limit(limit) => (false, None, gate.configure(&fixed(*limit, 8), now)),
                Step::Pass(_) | Step::Leave => (false, None, Woken::new()),
            };
            let place = match &step {
                Step::GiveUp(which) if !places.is_empty() => places.get(which % places.len()),
                _ => None,
            };
            let (one, other) = (woken(&plain, place), woken(&holding, place));
            prop_assert_eq!(&one, &other);
            prop_assert_eq!((plain.inside(), plain.delay(now)), (holding.inside(), holding.delay(now)));
            inside = plain.inside();
            places.extend(one.1);
            if let Step::Pass(ms) = step {
                now = now.after(MILLISECOND * ms);
            }
        }
    }
}
