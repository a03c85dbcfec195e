//! What holds whatever happens.

use proptest::prelude::*;

use super::*;
use crate::plan::testing::number;

/// What can happen to an endpoint.
#[derive(Debug, Clone, Copy)]
enum Event {
    ConnectFails,
    Connects,
    Answers,
    Fails(Fault),
    CheckPasses,
    CheckFails,
    StandsOut,
    Picked,
    Drains,
    Rests,
    Serves,
}

fn event() -> impl Strategy<Value = Event> {
    use Event::*;
    prop_oneof![
        4 => Just(ConnectFails),
        2 => Just(Connects),
        2 => Just(Answers),
        6 => Just(Fails(Fault::Gateway)),
        2 => Just(Fails(Fault::Broken)),
        2 => Just(Fails(Fault::Server)),
        2 => Just(CheckPasses),
        2 => Just(CheckFails),
        3 => Just(StandsOut),
        4 => Just(Picked),
        1 => Just(Drains),
        1 => Just(Rests),
        2 => Just(Serves),
    ]
}

fn happen(event: Event, health: &Health, now: Moment) {
    match event {
        Event::ConnectFails => _ = health.connect_failed(now),
        Event::Connects => _ = health.connected(now),
        Event::Answers => _ = health.succeeded(now),
        Event::Fails(fault) => _ = health.failed(fault, now),
        Event::CheckPasses => _ = health.check_passed(now),
        Event::CheckFails => _ = health.check_failed(now, "reset"),
        Event::StandsOut => {
            _ = health.stood_out(Complaint::SuccessRate { own: 0.0, mean: 1.0 }, now);
        }
        Event::Picked => _ = health.admit(now),
        Event::Drains => _ = health.configure(&plan(), Duty::Draining, now),
        Event::Rests => {
            _ = health.configure(&plan(), Duty::Maintenance { reason: "x".into() }, now);
        }
        Event::Serves => _ = health.configure(&plan(), Duty::Serving, now),
    }
}

/// What happens to an endpoint, each so many seconds after the one before.
fn life() -> impl Strategy<Value = Vec<(Event, u64)>> {
    proptest::collection::vec((event(), 0u64..8), 0..300)
}

/// Let it happen; something holds after each event.
fn live(
    events: Vec<(Event, u64)>,
    holds: impl Fn(&Health, Moment) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let health = healthy();
    let mut now = Moment(0);
    for (event, seconds) in events {
        now = now.after(Duration::from_secs(seconds));
        happen(event, &health, now);
        holds(&health, now)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_events_lead_to_more_ejections_than_allowed(
        events in proptest::collection::vec((0usize..7, event(), 0u64..8), 0..300), percent in 0.0f64..100.0,
    ) {
        let peers = Arc::new(Peers::default());
        peers.limit_ejections(7, number(percent));
        let all: Vec<_> = (0..7)
            .map(|_| Health::new(&plan(), Duty::Serving, Moment(0), Arc::clone(&peers)))
            .collect();
        let most = ((7.0 * percent / 100.0) as usize).max(1);
        let mut now = Moment(0);
        for (index, event, seconds) in events {
            now = now.after(Duration::from_secs(seconds));
            happen(event, &all[index], now);
            let ejected = all.iter().filter(|health| health.state() == State::Ejected).count();
            prop_assert!(ejected <= most, "{ejected} of at most {most}");
            prop_assert_eq!(peers.ejected() as usize, ejected);
        }
    }

    #[test]
    fn state_availability_and_history_always_agree(events in life()) {
        live(events, |health, now| {
            let state = health.state();
            prop_assert_eq!(health.history().last().unwrap().to, state);
            let late = now.after(Duration::from_secs(1_000_000));
            match state {
                State::Healthy => prop_assert!(health.available(now)),
                State::Resting | State::Ejected => prop_assert!(health.available(late)),
                State::Draining => prop_assert_eq!(health.available(now), health.available(late)),
                State::Unhealthy | State::Maintenance => {
                    prop_assert!(!health.available(late), "time alone moves nothing out of {state:?}");
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_pause_is_longer_than_the_longest(events in life()) {
        live(events, |health, now| {
            let longest = match health.state() {
                State::Resting => plan().outlier.max_rest,
                State::Ejected => plan().outlier.max_ejection,
                _ => return Ok(()),
            };
            prop_assert!(health.available(now.after(longest.duration())));
            Ok(())
        })?;
    }
}
