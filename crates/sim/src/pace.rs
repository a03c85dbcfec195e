//! How fast a server works, and so when it will be done.
//!
//! A server's speed does not depend on its requests, so the end of a piece of work is known when it
//! begins: it is found by adding up the speed over time, and no event is needed where the speed changes.

use std::collections::VecDeque;

use tidegate_core::balance::SplitMix64;

use crate::draw::{exponential, happens};
use crate::scenario::{Antagonist, Server};

/// The speed of one server over time.
#[derive(Debug)]
pub(crate) struct Pace {
    base: f64,
    /// Begin, end and factor of each phase.
    phases: Vec<(u64, u64, f64)>,
    neighbour: Option<Neighbour>,
    /// The speed from the latest begin of work on, as far as it was asked for.
    stretches: VecDeque<Stretch>,
    /// Where the last stretch ends.
    known_until: u64,
}

/// A time of one speed; it begins where the one before ends.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    until: u64,
    speed: f64,
}

/// An antagonist, and what it does now.
#[derive(Debug)]
struct Neighbour {
    antagonist: Antagonist,
    random: SplitMix64,
    there: bool,
    until: u64,
}

impl Pace {
    /// The pace of `server`, whose phases are counted from `start`.
    pub(crate) fn new(server: &Server, start: u64, mut random: SplitMix64) -> Self {
        let neighbour = server.antagonist.clone().map(|antagonist| {
            let there = happens(antagonist.share, &mut random);
            let mut neighbour = Neighbour { antagonist, random, there, until: 0 };
            neighbour.until = neighbour.stay(0);
            neighbour
        });
        let end = |until: Option<u64>| until.map_or(u64::MAX, |until| start.saturating_add(until));
        let phases = server.phases.iter().filter(|phase| phase.speed != 1.0);
        Self {
            base: server.speed,
            phases: phases
                .map(|phase| (start.saturating_add(phase.from), end(phase.until), phase.speed))
                .collect(),
            neighbour,
            stretches: VecDeque::new(),
            known_until: 0,
        }
    }

    /// When `work`, begun at `now`, is done; `u64::MAX`: never. `now` never goes back.
    pub(crate) fn done_at(&mut self, work: u64, now: u64) -> u64 {
        while self.stretches.front().is_some_and(|stretch| stretch.until <= now) {
            self.stretches.pop_front();
        }
        let (mut left, mut at, mut index) = (work as f64, now, 0);
        loop {
            let Some(&Stretch { until, speed }) = self.stretches.get(index) else {
                if self.known_until == u64::MAX {
                    return u64::MAX;
                }
                self.look_ahead(now);
                continue;
            };
            let room = (until - at) as f64 * speed;
            if left <= room && speed > 0.0 {
                return at.saturating_add((left / speed) as u64);
            }
            left -= room;
            (at, index) = (until, index + 1);
        }
    }

    /// Add the next stretch; one that is over at `now` is not kept.
    fn look_ahead(&mut self, now: u64) {
        let from = self.known_until;
        let (mut until, mut speed) = (u64::MAX, self.base);
        for &(begin, end, factor) in &self.phases {
            if from < begin {
                until = until.min(begin);
            } else if from < end {
                until = until.min(end);
                speed *= factor;
            }
        }
        if let Some(neighbour) = &mut self.neighbour {
            if neighbour.until == from {
                neighbour.there = !neighbour.there;
                neighbour.until = neighbour.stay(from);
            }
            if neighbour.there {
                speed *= neighbour.antagonist.speed;
            }
            until = until.min(neighbour.until);
        }
        self.known_until = until;
        if until > now {
            self.stretches.push_back(Stretch { until, speed });
        }
    }
}

impl Neighbour {
    /// Until when what begins at `from` lasts.
    fn stay(&mut self, from: u64) -> u64 {
        let Antagonist { share, length, .. } = self.antagonist;
        let mean = length as f64 * if self.there { 1.0 } else { (1.0 - share) / share };
        from.saturating_add(exponential(mean, &mut self.random) as u64 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Phase;

    fn server(speed: f64, phases: &[(u64, Option<u64>, f64)]) -> Server {
        let phases = phases.iter().map(|&(from, until, speed)| Phase {
            from,
            until,
            speed,
            errors: 0.0,
            error_after: 0,
            drops: 0.0,
            down: false,
        });
        Server { workers: 1, queue: None, speed, antagonist: None, phases: phases.collect() }
    }

    fn pace(server: &Server) -> Pace {
        Pace::new(server, 0, SplitMix64::new(1))
    }

    #[test]
    fn work_takes_its_length_divided_by_the_speed() {
        assert_eq!(pace(&server(0.5, &[])).done_at(100, 1_000), 1_200);
    }

    #[test]
    fn a_slow_phase_stretches_only_the_part_of_the_work_that_is_in_it() {
        let mut pace = pace(&server(1.0, &[(100, Some(200), 0.5)]));
        assert_eq!(pace.done_at(100, 50), 50 + 50 + 100);
        assert_eq!(pace.done_at(110, 50), 50 + 50 + 100 + 10);
        assert_eq!(pace.done_at(10, 300), 310);
    }

    #[test]
    fn overlapping_phases_multiply() {
        let mut pace = pace(&server(1.0, &[(0, Some(1_000), 0.5), (0, Some(1_000), 0.5)]));
        assert_eq!(pace.done_at(100, 0), 400);
    }

    #[test]
    fn a_server_that_hangs_goes_on_when_the_phase_is_over_and_otherwise_never() {
        assert_eq!(pace(&server(1.0, &[(0, Some(500), 0.0)])).done_at(10, 5), 510);
        assert_eq!(pace(&server(1.0, &[(0, None, 0.0)])).done_at(10, 5), u64::MAX);
    }

    #[test]
    fn an_antagonist_is_there_for_its_share_of_the_time() {
        let antagonist = Antagonist { share: 0.2, speed: 0.5, length: 1_000 };
        let mut pace = pace(&Server { antagonist: Some(antagonist), ..server(1.0, &[]) });
        let mut now = 0;
        for _ in 0..100_000 {
            now = pace.done_at(1_000, now);
        }
        let mean_speed = 100_000.0 * 1_000.0 / now as f64;
        assert!((mean_speed - 0.9).abs() < 0.01, "{mean_speed}");
    }
}
