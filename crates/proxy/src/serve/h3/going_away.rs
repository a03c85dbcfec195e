//! How a connection comes to its end: first the client learns that it should open no more streams, and when it must have
//! heard that, which ones come too late (RFC 9114 §5.2).

use std::task::Context;
use std::time::Duration;

use crate::net::deadline::Deadline;

/// The number of a stream that no client opens.
const ANY: u64 = (1 << 62) - 4;
/// What a client may take to hear of it and heed it: two round trips, but no less than a busy one needs to get to it …
const SHORTEST: Duration = Duration::from_millis(100);
/// … and no more than this, however slow its network is.
const LONGEST: Duration = Duration::from_secs(1);
/// Streams of requests have every fourth number (RFC 9000 §2.1).
const STEP: u64 = 4;

/// How far a connection is on its way to its end.
#[derive(Debug, Default)]
pub struct GoingAway {
    stage: Stage,
    deadline: Deadline,
    /// The index of the next stream of a request.
    next: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    Told,
    Final,
}

impl GoingAway {
    /// Whether the request on the stream of this index is taken.
    pub fn takes(&mut self, index: u64) -> bool {
        if self.stage != Stage::Final {
            self.next = self.next.max(index + 1);
        }
        index < self.next
    }

    /// Go on to the end, where a round trip takes so long. Returns the first stream that is refused, where the client is to
    /// be told one.
    pub fn poll(&mut self, cx: &mut Context<'_>, round_trip: Duration) -> Option<u64> {
        match self.stage {
            Stage::Open => {
                self.stage = Stage::Told;
                self.deadline.ensure((2 * round_trip).clamp(SHORTEST, LONGEST));
                let _ = self.deadline.poll_expired(cx);
                Some(ANY)
            }
            Stage::Told if self.deadline.poll_expired(cx).is_ready() => {
                self.stage = Stage::Final;
                Some(self.next * STEP)
            }
            Stage::Told | Stage::Final => None,
        }
    }

    /// Whether no request is taken any more.
    pub fn is_final(&self) -> bool {
        self.stage == Stage::Final
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::{Poll, Waker};

    use tokio::time::{Instant, advance};

    use super::*;

    /// What the client is told now, where a round trip takes so many milliseconds.
    fn told(going_away: &mut GoingAway, round_trip: u64) -> Option<u64> {
        let mut cx = Context::from_waker(Waker::noop());
        going_away.poll(&mut cx, Duration::from_millis(round_trip))
    }

    /// After how many milliseconds the client is told where it ends.
    async fn last_word(round_trip: u64) -> u128 {
        let (mut going_away, began) = (GoingAway::default(), Instant::now());
        assert_eq!(told(&mut going_away, round_trip), Some(ANY));
        poll_fn(|cx| match going_away.poll(cx, Duration::from_millis(round_trip)) {
            Some(_) => Poll::Ready(()),
            None => Poll::Pending,
        })
        .await;
        began.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_has_two_round_trips_but_neither_less_than_a_tenth_of_a_second_nor_more_than_one()
     {
        for (round_trip, expected) in [(0, 100), (50, 100), (51, 102), (500, 1_000), (9_000, 1_000)]
        {
            assert_eq!(last_word(round_trip).await, expected, "{round_trip}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_before_the_end_is_taken_and_nothing_after_it() {
        let mut going_away = GoingAway::default();
        assert!(going_away.takes(0));
        assert_eq!(told(&mut going_away, 50), Some(ANY));
        assert_eq!(told(&mut going_away, 50), None, "it is told once");
        assert!(going_away.takes(2) && going_away.takes(1), "in any order");
        advance(Duration::from_millis(101)).await;
        assert!(going_away.takes(3), "nothing was refused yet");
        assert_eq!(told(&mut going_away, 50), Some(4 * STEP));
        assert!(going_away.is_final());
        assert!(!going_away.takes(4) && !going_away.takes(9));
        assert!(going_away.takes(3), "its packets may come late");
        assert_eq!(told(&mut going_away, 50), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_requests_ends_before_the_first() {
        let mut going_away = GoingAway::default();
        assert_eq!(told(&mut going_away, 0), Some(ANY));
        advance(Duration::from_millis(101)).await;
        assert_eq!(told(&mut going_away, 0), Some(0));
        assert!(!going_away.takes(0));
    }
}
