//! What is learnt of workers, and where requests go by it.

use std::time::Duration;

use super::*;

/// Shows `balancer` an endpoint that has `workers` and takes `millis` for a request: at each number of others in flight
/// up to `workers`, half of the requests are answered before those others, as long as a worker was free.
fn work(balancer: &Balancer, endpoint: usize, workers: u32, millis: u64) {
    let load = &balancer.endpoints()[endpoint].load;
    let answer = |sent| load.finish(sent, Outcome::Answered, Duration::from_millis(millis), NOW);
    for others in 1..=workers {
        for turn in 0..60 {
            let mut before: Vec<_> = (0..others).map(|_| load.begin()).collect();
            let last = load.begin();
            if turn % 2 == 1 || others == workers {
                before.pop().map(answer);
            }
            answer(last);
            before.into_iter().for_each(answer);
        }
    }
}

/// Endpoints with so many workers each that take so many milliseconds, as known after some time.
fn learnt(mut plan: Upstream, workers: &[(u32, u64)]) -> Balancer {
    plan.limits.adaptive.enabled = true;
    let balancer = balancer(&plan);
    for (endpoint, &(workers, millis)) in workers.iter().enumerate() {
        work(&balancer, endpoint, workers, millis);
    }
    balancer.renew(NOW);
    balancer
}

fn fastest_free(choices: Option<u32>, weights: &[u32]) -> Upstream {
    upstream(BalancePolicy::FastestFree, choices, weights)
}

/// The endpoints that so many requests go to, none of which is answered.
fn sent_to(balancer: &Balancer, requests: u32) -> Vec<u32> {
    let mut caller = Caller::new(1);
    for _ in 0..requests {
        _ = balancer.endpoints()[caller.pick(balancer).unwrap()].load.begin();
    }
    balancer.endpoints().iter().map(|endpoint| endpoint.load.in_flight()).collect()
}

#[test]
fn each_endpoint_gets_as_many_as_it_works_on_before_any_gets_more() {
    let balancer = learnt(fastest_free(None, &[1, 1]), &[(2, 10), (6, 10)]);
    assert_eq!(sent_to(&balancer, 8), [2, 6]);
    assert_eq!(balancer.room(), 2 + 6 + 1, "one more may try whether there are more workers");
    assert_eq!(sent_to(&balancer, 8), [4, 12], "beyond that in proportion");
}

#[test]
fn a_free_worker_of_a_slow_endpoint_is_better_than_a_busy_one_of_a_quick_one() {
    let balancer = learnt(fastest_free(None, &[1, 1, 1]), &[(3, 10), (3, 100), (3, 10)]);
    assert_eq!(sent_to(&balancer, 6), [3, 0, 3]);
    assert_eq!(sent_to(&balancer, 3), [3, 3, 3]);
}

#[test]
fn an_endpoint_that_has_met_no_limit_yet_has_that_of_the_others() {
    let balancer = learnt(fastest_free(None, &[1, 1, 1]), &[(4, 10), (4, 10)]);
    assert_eq!(sent_to(&balancer, 12), [4, 4, 4]);
    assert_eq!(balancer.room(), 13);
}

#[test]
fn before_anything_is_known_it_goes_by_requests_in_flight_and_limits_nothing() {
    let balancer = learnt(fastest_free(None, &[1, 1, 1]), &[]);
    assert_eq!(sent_to(&balancer, 30), [10, 10, 10]);
    assert_eq!(balancer.room(), u32::MAX);
}

#[test]
fn weights_that_differ_are_kept_to_however_quick_an_endpoint_is() {
    let balancer = learnt(fastest_free(None, &[3, 1]), &[(8, 100), (8, 10)]);
    assert_eq!(sent_to(&balancer, 8), [6, 2]);
}

#[test]
fn a_free_worker_is_found_where_those_that_were_drawn_have_none() {
    let balancer = learnt(fastest_free(Some(2), &[1; 24]), &[(2, 10); 24]);
    assert_eq!(sent_to(&balancer, 48), [2; 24]);
}

#[test]
fn requests_that_hang_at_an_endpoint_which_is_down_take_no_place_of_others() {
    let balancer = learnt(fastest_free(None, &[1, 1]), &[(4, 10), (4, 10)]);
    sent_to(&balancer, 8);
    rest(&balancer, 0);
    let later = NOW.after(Duration::from_millis(100));
    balancer.renew(later);
    assert_eq!(balancer.room(), 4 + 4 + 1);
}

#[test]
fn no_request_is_held_back_where_measured_limits_are_off() {
    let mut plan = fastest_free(None, &[1, 1]);
    plan.limits.adaptive.enabled = false;
    let balancer = balancer(&plan);
    (0..2).for_each(|endpoint| work(&balancer, endpoint, 4, 10));
    balancer.renew(NOW);
    assert_eq!(balancer.room(), u32::MAX);
    assert_eq!(sent_to(&balancer, 8), [4, 4]);
}

#[test]
fn what_is_spare_is_the_quickest_free_worker_where_quicker_ones_are_busy() {
    let balancer = learnt(fastest_free(None, &[1, 1, 1]), &[(3, 10), (3, 100), (3, 10)]);
    assert_eq!(balancer.spare(0), None, "a quick one is free");
    sent_to(&balancer, 6);
    let spare = balancer.spare(6).unwrap();
    assert!((9.0..11.0).contains(&spare.slower), "{spare:?}");
    assert_eq!(spare.quick, 6);
    assert!((balancer.capacity() - 6.3).abs() < 0.1);
}

#[test]
fn requests_that_went_in_and_were_not_sent_yet_take_the_quickest_workers() {
    let balancer = learnt(fastest_free(None, &[1, 1, 1]), &[(3, 10), (3, 100), (3, 10)]);
    sent_to(&balancer, 4);
    assert_eq!(balancer.spare(5), None);
    assert!(balancer.spare(6).is_some());
}

#[test]
fn where_all_workers_are_busy_nothing_is_spare_but_at_a_trial() {
    let balancer = learnt(fastest_free(None, &[1, 1]), &[(4, 10), (4, 10)]);
    assert_eq!(balancer.spare(7), None);
    let mut trials = 0;
    for turn in 1..=80 {
        balancer.renew(NOW.after(Duration::from_millis(100 * turn)));
        match balancer.spare(8) {
            Some(spare) => assert_eq!(spare.slower, f32::INFINITY),
            None => trials += 1,
        }
    }
    assert_eq!(trials, 10);
}

#[test]
fn requests_that_hang_at_an_endpoint_which_is_down_leave_the_other_workers_free() {
    let balancer = learnt(fastest_free(None, &[1, 1]), &[(4, 10), (4, 10)]);
    sent_to(&balancer, 8);
    rest(&balancer, 0);
    let answer = |endpoint: usize| {
        let load = &balancer.endpoints()[endpoint].load;
        let sent = load.begin();
        (0..2).for_each(|_| load.finish(sent, Outcome::Abandoned, Duration::ZERO, NOW));
    };
    answer(1);
    balancer.renew(NOW.after(Duration::from_millis(100)));
    assert_eq!(balancer.spare(7), None);
}

#[test]
fn where_no_endpoint_takes_requests_none_is_held() {
    let balancer = learnt(fastest_free(None, &[1, 1]), &[(4, 10), (4, 10)]);
    (0..2).for_each(|endpoint| balancer.endpoints()[endpoint].set_weight(0));
    balancer.renew(NOW.after(Duration::from_millis(100)));
    assert_eq!((balancer.spare(100), balancer.room()), (None, u32::MAX));
}

#[test]
fn nothing_is_said_of_what_is_spare_where_nothing_is_known() {
    let unknown = learnt(fastest_free(None, &[1, 1]), &[]);
    assert_eq!((unknown.spare(100), unknown.capacity()), (None, f32::INFINITY));
    let other = learnt(upstream(BalancePolicy::LeastRequest, None, &[1, 1]), &[(4, 10), (4, 10)]);
    assert_eq!((other.spare(100), other.capacity()), (None, f32::INFINITY));
}

/// Sends so many requests a second, one at a time, to endpoints that take so many milliseconds. Answers with how many
/// each got.
fn lone(balancer: &Balancer, requests: u32, gap: Duration, millis: &[u64]) -> Vec<u32> {
    let mut caller = Caller::new(1);
    let mut counts = vec![0; millis.len()];
    for _ in 0..requests {
        let picked = caller.pick(balancer).unwrap();
        let load = &balancer.endpoints()[picked].load;
        let (sent, took) = (load.begin(), Duration::from_millis(millis[picked]));
        caller.now = caller.now.after(took);
        load.finish(sent, Outcome::Answered, took, caller.now);
        caller.now = caller.now.after(gap);
        counts[picked] += 1;
    }
    counts
}

#[test]
fn requests_that_come_alone_go_to_the_quickest_and_the_slow_is_asked_now_and_then() {
    let balancer = learnt(fastest_free(None, &[1, 1, 1]), &[]);
    let second = lone(&balancer, 90, Duration::from_millis(300), &[1, 1, 200]);
    assert!((1..=6).contains(&second[2]), "{second:?}");
    let hour = lone(&balancer, 3_600, Duration::from_secs(1), &[1, 1, 200]);
    assert!((36..=360).contains(&hour[2]), "{hour:?}");
}

#[test]
fn however_rarely_requests_come_the_slow_endpoint_gets_few() {
    let balancer = learnt(fastest_free(None, &[1, 1, 1]), &[]);
    let counts = lone(&balancer, 1_000, Duration::from_secs(120), &[1, 1, 200]);
    assert!((1..=100).contains(&counts[2]), "{counts:?}");
}

#[test]
fn the_more_requests_come_alone_the_smaller_is_the_slow_ones_share() {
    let share = |gap| {
        let balancer = learnt(fastest_free(None, &[1, 1, 1]), &[]);
        lone(&balancer, 20_000, gap, &[1, 1, 20])[2]
    };
    let [seldom, often] = [1_000, 1].map(Duration::from_millis).map(share);
    assert!(often * 4 < seldom, "{often} {seldom}");
}

#[test]
fn an_endpoint_that_is_slow_no_more_gets_its_part_of_those_that_come_alone() {
    let balancer = learnt(fastest_free(None, &[1, 1, 1]), &[]);
    lone(&balancer, 500, Duration::from_millis(50), &[1, 1, 200]);
    let counts = lone(&balancer, 5_000, Duration::from_millis(50), &[1, 1, 1]);
    assert!(counts[2] > 800, "{counts:?}");
}
