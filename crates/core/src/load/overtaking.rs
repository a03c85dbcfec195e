//! How many requests an endpoint works on at a time, learnt from the order of the answers.
//!
//! An endpoint with a fixed number of workers begins requests in the order in which they come. One that comes
//! while all workers are busy begins only after another is done, so it is never answered before all
//! that were there when it came. One that *is* answered before all of them cannot have waited: it
//! proves that the endpoint works on one more than were there. And where such overtaking was common with
//! one request fewer but no longer happens, the workers are all busy.
//!
//! The proof needs no clock and does not mind how long requests take, as long as that differs: where all take the
//! same time none overtakes another, and nothing is learnt. An endpoint that shares its processor
//! among all requests is overtaken in at any number; it has no limit to be learnt.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Up to so many others in flight it is learnt.
pub(crate) const LEVELS: usize = 64;
/// Requests of one level after which its counts are halved, so that the past fades.
const REMEMBERED: u32 = 256;
/// Overtakings that must be missing before an endpoint counts as full; by chance alone so many are missing in
/// one of e⁶ = 400 cases.
const MISSING: f32 = 6.0;
/// An endpoint is full also while a few overtake, health checks perhaps: this part of what was to be expected.
const TOLERATED: f32 = 1.0 / 8.0;
/// Overtakings that prove something: one may be a mistake.
const PROOF: u32 = 2;

/// Requests that were sent while so many others were in flight, and those of them that were answered first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    sent: u32,
    first: u32,
}

impl Counts {
    fn share(self) -> f32 {
        if self.sent == 0 { 0.0 } else { self.first as f32 / self.sent as f32 }
    }
}

/// The counts of one endpoint, by the number of others in flight.
///
/// Of requests that end at the same instant, one may not be counted.
#[derive(Debug)]
pub(crate) struct Overtaking([AtomicU32; LEVELS]);

impl Default for Overtaking {
    fn default() -> Self {
        Self([const { AtomicU32::new(0) }; LEVELS])
    }
}

impl Overtaking {
    /// A request ended that had been sent while `others` were in flight, `first` of all of them or not.
    pub(crate) fn record(&self, others: u32, first: bool) {
        let Some(level) = self.0.get(others as usize) else { return };
        let Counts { mut sent, first: mut firsts } = unpack(level.load(Relaxed));
        sent += 1;
        firsts += u32::from(first);
        if sent >= REMEMBERED {
            (sent, firsts) = (sent / 2, firsts / 2);
        }
        level.store(sent | firsts << 16, Relaxed);
    }

    /// Counts up to the first level that no request was sent at.
    pub(crate) fn counts(&self) -> impl Iterator<Item = Counts> {
        let met = self.0[1..].iter().map(|level| unpack(level.load(Relaxed)));
        // With no others in flight each request is first.
        std::iter::once(Counts { sent: 1, first: 1 }).chain(met.take_while(|level| level.sent > 0))
    }
}

fn unpack(level: u32) -> Counts {
    Counts { sent: level & 0xFFFF, first: level >> 16 }
}

/// Counts of several endpoints together.
#[derive(Debug)]
pub(crate) struct Sum([Counts; LEVELS]);

impl Default for Sum {
    fn default() -> Self {
        Self([Counts::default(); LEVELS])
    }
}

impl Sum {
    /// Take in one endpoint's.
    pub(crate) fn add(&mut self, of: &Overtaking) {
        for (sum, level) in self.0.iter_mut().zip(of.counts()) {
            sum.sent += level.sent;
            sum.first += level.first;
        }
    }

    /// What they prove together.
    pub(crate) fn parallelism(&self) -> Parallelism {
        Parallelism::from_counts(self.0.iter().copied())
    }
}

/// How many requests an endpoint works on at a time, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parallelism {
    /// At least so many.
    pub(crate) at_least: u32,
    /// Not more than so many; `None`: no limit was met.
    pub(crate) limit: Option<u32>,
}

impl Parallelism {
    /// What an endpoint's counts prove.
    pub(crate) fn of(overtaking: &Overtaking) -> Self {
        Self::from_counts(overtaking.counts())
    }

    fn from_counts(counts: impl Iterator<Item = Counts>) -> Self {
        let mut known = Self { at_least: 1, limit: None };
        // With one other in flight nothing can be missed yet: perhaps none ever overtakes.
        let (mut before, mut last) = (1.0, 1.0);
        for (others, level) in counts.enumerate().skip(1) {
            // Fewer overtake the more there are; as if it went on as it did from the level before to the last.
            let expected = if others == 1 || before == 0.0 {
                0.0
            } else {
                level.sent as f32 * last * f32::min(1.0, last / before)
            };
            if level.first >= PROOF && level.first as f32 >= expected * TOLERATED {
                known.at_least = others as u32 + 1;
            } else if expected >= MISSING {
                known.limit = Some(others as u32);
                break;
            }
            (before, last) = (last, level.share());
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of an endpoint at which, of 100 requests at each level, so many were first.
    fn met(firsts: &[u32]) -> Overtaking {
        let overtaking = Overtaking::default();
        for (others, &firsts) in (1..).zip(firsts) {
            (0..100).for_each(|turn| overtaking.record(others, turn < firsts));
        }
        overtaking
    }

    fn limit(firsts: &[u32]) -> Option<u32> {
        Parallelism::of(&met(firsts)).limit
    }

    #[test]
    fn where_overtaking_ends_all_workers_are_busy() {
        assert_eq!(limit(&[60, 45, 35, 0]), Some(4));
        assert_eq!(limit(&[60, 0]), Some(2));
        assert_eq!(limit(&[60, 45, 35, 2, 0]), Some(4), "a few that slip through do not matter");
    }

    #[test]
    fn an_endpoint_with_overtaking_at_every_level_has_no_limit() {
        let known = Parallelism::of(&met(&[50, 33, 25, 20, 17, 14]));
        assert_eq!(known, Parallelism { at_least: 7, limit: None });
    }

    #[test]
    fn where_none_ever_overtakes_nothing_is_known() {
        assert_eq!(Parallelism::of(&met(&[0, 0, 0])), Parallelism { at_least: 1, limit: None });
    }

    #[test]
    fn overtaking_that_gets_rare_by_itself_is_no_limit() {
        assert_eq!(limit(&[20, 4, 0]), None, "less than one was to be expected");
    }

    #[test]
    fn few_requests_prove_nothing() {
        let overtaking = met(&[60, 45, 35]);
        (0..8).for_each(|_| overtaking.record(4, false));
        assert_eq!(Parallelism::of(&overtaking).limit, None);
    }

    #[test]
    fn a_limit_that_has_risen_is_seen_when_requests_overtake_again() {
        let overtaking = met(&[60, 45, 35, 0]);
        (0..20).for_each(|turn| overtaking.record(4, turn % 3 == 0));
        assert_eq!(Parallelism::of(&overtaking), Parallelism { at_least: 5, limit: None });
    }

    #[test]
    fn a_limit_that_has_fallen_is_seen_when_the_past_has_faded() {
        let overtaking = met(&[60, 45, 35, 0]);
        (0..2_000).for_each(|_| overtaking.record(3, false));
        assert_eq!(Parallelism::of(&overtaking).limit, Some(3));
    }

    #[test]
    fn endpoints_learn_sooner_together() {
        let mut sum = Sum::default();
        let endpoint = met(&[60, 45, 35]);
        (0..15).for_each(|_| endpoint.record(4, false));
        (0..8).for_each(|_| sum.add(&endpoint));
        assert_eq!((Parallelism::of(&endpoint).limit, sum.parallelism().limit), (None, Some(4)));
    }

    #[test]
    fn beyond_the_last_level_nothing_is_counted() {
        let overtaking = Overtaking::default();
        overtaking.record(u32::MAX, true);
        assert_eq!(overtaking.counts().count(), 1);
    }
}
