//! HTTP/3 that an endpoint announced (RFC 7838), and when it is tried.
//!
//! UDP may be blocked, and only trying tells. So TCP is begun soon after, what did not come about is not tried again for a
//! while, and then without TCP waiting for it (the order of tries is that of RFC 8305, between transports).

use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::message::alt_svc::AltSvc;
use crate::time::Moment;

/// How long before TCP is begun, too.
const HEAD_START: Duration = Duration::from_millis(300);
/// For how long it is not tried after a failure, which doubles with the next.
const SHORTEST_REST: Duration = Duration::from_secs(60);
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);
/// What is announced again is written down again where its end moves by more.
const GRAIN: Duration = Duration::from_secs(1);

/// What is known of an endpoint's HTTP/3; shared by all workers.
#[derive(Debug, Default)]
pub struct Alternative {
    /// 0: none was announced.
    port: AtomicU16,
    /// Until when that holds.
    until: AtomicU64,
    /// Those since it last worked.
    failures: AtomicU32,
    rests_until: AtomicU64,
}

/// How HTTP/3 is to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chance {
    /// Where.
    pub port: NonZeroU16,
    /// How long TCP waits for it.
    pub head_start: Duration,
}

/// How it stands, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The port that was announced.
    pub port: NonZeroU16,
    /// For how long that holds.
    pub holds: Duration,
    /// Tries that failed since it last worked.
    pub failures: u32,
    /// For how long it is not tried.
    pub rests: Duration,
}

impl Alternative {
    /// A response that came at `now` says so.
    pub fn announced(&self, said: AltSvc, now: Moment) {
        let Some(http3) = said.http3 else {
            self.port.store(0, Relaxed);
            return;
        };
        let until = now.after(Duration::from_secs(http3.max_age.into()));
        let moves = until.since(Moment(self.until.load(Relaxed))) > GRAIN
            || Moment(self.until.load(Relaxed)) > until;
        if moves {
            self.until.store(until.0, Relaxed);
        }
        let port = http3.port.get();
        if self.port.load(Relaxed) != port && self.port.swap(port, Relaxed) != 0 {
            // Another port may be open where that was not.
            self.worked();
        }
    }

    /// How it is to be tried at `now`; `None`: it is not.
    pub fn chance(&self, now: Moment) -> Option<Chance> {
        let port = self.port(now)?;
        let rests = now < Moment(self.rests_until.load(Relaxed));
        let failed = self.failures.load(Relaxed) > 0;
        let head_start = if failed { Duration::ZERO } else { HEAD_START };
        (!rests).then_some(Chance { port, head_start })
    }

    /// A try came to nothing, or not soon enough, by `now`. Those that were under way beside one another count once.
    pub fn failed(&self, now: Moment) {
        if now < Moment(self.rests_until.load(Relaxed)) {
            return;
        }
        let before = self.failures.fetch_add(1, Relaxed);
        let rest = SHORTEST_REST.saturating_mul(1 << before.min(6)).min(LONGEST_REST);
        self.rests_until.store(now.after(rest).0, Relaxed);
    }

    /// A try came about.
    pub fn worked(&self) {
        self.failures.store(0, Relaxed);
        self.rests_until.store(0, Relaxed);
    }

    /// How it stands at `now`; `None`: nothing holds that was announced.
    pub fn standing(&self, now: Moment) -> Option<Standing> {
        Some(Standing {
            port: self.port(now)?,
            holds: Moment(self.until.load(Relaxed)).since(now),
            failures: self.failures.load(Relaxed),
            rests: Moment(self.rests_until.load(Relaxed)).since(now),
        })
    }

    fn port(&self, now: Moment) -> Option<NonZeroU16> {
        let port = NonZeroU16::new(self.port.load(Relaxed))?;
        (now < Moment(self.until.load(Relaxed))).then_some(port)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 86_400;

    fn at(seconds: u64) -> Moment {
        Moment::default().after(Duration::from_secs(seconds))
    }

    fn said(value: &str) -> AltSvc {
        AltSvc::parse(value.as_bytes()).unwrap()
    }

    /// Of an endpoint that announced port 443 for a day at the beginning.
    fn announced() -> Alternative {
        let alternative = Alternative::default();
        alternative.announced(said(r#"h3=":443""#), at(0));
        alternative
    }

    fn head_start(alternative: &Alternative, seconds: u64) -> Option<Duration> {
        alternative.chance(at(seconds)).map(|chance| chance.head_start)
    }

    #[test]
    fn nothing_is_tried_that_was_not_announced() {
        assert_eq!(Alternative::default().chance(at(1)), None);
    }

    #[test]
    fn what_was_announced_is_tried_as_long_as_it_holds() {
        let alternative = announced();
        let port = NonZeroU16::new(443).unwrap();
        let chance = Some(Chance { port, head_start: HEAD_START });
        assert_eq!(alternative.chance(at(1)), chance);
        assert_eq!(alternative.chance(at(DAY - 1)), chance);
        assert_eq!(alternative.chance(at(DAY)), None);
    }

    #[test]
    fn what_is_announced_last_counts() {
        let alternative = announced();
        alternative.announced(said(r#"h3=":443"; ma=10"#), at(5));
        assert_eq!(alternative.standing(at(5)).unwrap().holds, Duration::from_secs(10));
        alternative.announced(said(r#"h3=":444"; ma=10"#), at(6));
        assert_eq!(alternative.chance(at(7)).unwrap().port.get(), 444);
        alternative.announced(said("clear"), at(8));
        assert_eq!((alternative.chance(at(9)), alternative.standing(at(9))), (None, None));
    }

    #[test]
    fn after_a_failure_it_rests_and_then_nothing_waits_for_it() {
        let alternative = announced();
        alternative.failed(at(10));
        assert_eq!(head_start(&alternative, 69), None);
        assert_eq!(head_start(&alternative, 70), Some(Duration::ZERO));
        let standing = alternative.standing(at(40)).unwrap();
        assert_eq!((standing.failures, standing.rests), (1, Duration::from_secs(30)));
    }

    #[test]
    fn tries_that_fail_beside_one_another_count_once() {
        let alternative = announced();
        (0..4).for_each(|second| alternative.failed(at(10 + second)));
        assert_eq!(alternative.standing(at(10)).unwrap().failures, 1);
    }

    #[test]
    fn the_rest_doubles_up_to_an_hour() {
        let alternative = announced();
        let mut now = 0;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            alternative.failed(at(now));
            let rests = alternative.standing(at(now)).unwrap().rests;
            assert_eq!(rests, Duration::from_secs(60 * minutes));
            now += 60 * minutes;
        }
    }

    #[test]
    fn one_that_works_again_and_another_port_are_tried_as_if_nothing_had_been() {
        let alternative = announced();
        alternative.failed(at(10));
        alternative.worked();
        assert_eq!(head_start(&alternative, 11), Some(HEAD_START));
        alternative.failed(at(12));
        alternative.announced(said(r#"h3=":443""#), at(13));
        assert_eq!(head_start(&alternative, 14), None, "what is said again is no news");
        alternative.announced(said(r#"h3=":444""#), at(15));
        assert_eq!(head_start(&alternative, 16), Some(HEAD_START));
    }

    proptest! {
        /// However often it fails, and whenever, it is tried again within an hour.
        #[test]
        fn no_rest_is_longer_than_an_hour(failures in proptest::collection::vec(0..DAY / 2, 0..40)) {
            let alternative = announced();
            let mut failures = failures;
            failures.sort_unstable();
            for at_second in &failures {
                alternative.failed(at(*at_second));
            }
            let last = failures.last().copied().unwrap_or_default();
            prop_assert!(alternative.chance(at(last + 3_600)).is_some());
        }
    }
}
