//! Endpoints that do worse than their peers.

use std::time::Duration;

use super::Complaint;
use crate::plan::{LatencyOutlier, Outlier, SuccessRateOutlier};

/// So far must a share of good answers lie below the mean, however alike the others are: with few
/// endpoints any difference is many standard deviations.
const WORSE: f64 = 0.1;
/// So far must a latency lie above the median: below this it makes no difference.
const SLOWER: Duration = Duration::from_millis(10);

/// What an endpoint has done since it was added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    /// Requests that finished.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Mean latency of late; absent before the first answer.
    pub latency: Option<Duration>,
}

/// Compares the endpoints of one upstream, interval by interval.
#[derive(Debug)]
pub struct Comparison {
    before: Vec<Stats>,
}

impl Comparison {
    /// The first interval begins at these counts, an endpoint each.
    pub fn begin(stats: Vec<Stats>) -> Self {
        Self { before: stats }
    }

    /// The interval ends at these counts, in the same order, and the next begins. Answers with the
    /// endpoints that stood out in it, by index: the worst first.
    pub fn end(&mut self, stats: Vec<Stats>, plan: &Outlier) -> Vec<(usize, Complaint)> {
        let rate = plan.success_rate.as_ref().map(|rule| self.failing(&stats, rule));
        let latency = plan.latency.as_ref().map(|rule| self.slow(&stats, rule));
        self.before = stats;
        rate.into_iter().chain(latency).flatten().collect()
    }

    /// Requests and failures of each endpoint within the interval, where there were enough to judge it.
    fn judged<'a>(
        &'a self,
        stats: &'a [Stats],
        enough: u32,
    ) -> impl Iterator<Item = (usize, u64, u64)> + 'a {
        self.before.iter().zip(stats).enumerate().filter_map(move |(index, (before, now))| {
            let requests = now.requests.saturating_sub(before.requests);
            let failures = now.failures.saturating_sub(before.failures).min(requests);
            (requests >= u64::from(enough)).then_some((index, requests, failures))
        })
    }

    fn failing(&self, stats: &[Stats], rule: &SuccessRateOutlier) -> Vec<(usize, Complaint)> {
        let rates: Vec<(usize, f64)> = self
            .judged(stats, rule.requests.get())
            .map(|(index, requests, failures)| (index, 1.0 - failures as f64 / requests as f64))
            .collect();
        if rates.len() < rule.endpoints.get() as usize {
            return Vec::new();
        }
        let count = rates.len() as f64;
        let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / count;
        let variance = rates.iter().map(|(_, rate)| (rate - mean).powi(2)).sum::<f64>() / count;
        let bound = (mean - rule.deviations.get() * variance.sqrt()).min(mean - WORSE);
        let mut failing: Vec<_> = rates.into_iter().filter(|&(_, rate)| rate < bound).collect();
        failing.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        failing
            .into_iter()
            .map(|(index, own)| (index, Complaint::SuccessRate { own, mean }))
            .collect()
    }

    fn slow(&self, stats: &[Stats], rule: &LatencyOutlier) -> Vec<(usize, Complaint)> {
        let mut latencies: Vec<(usize, Duration)> = self
            .judged(stats, rule.requests.get())
            .filter_map(|(index, ..)| Some((index, stats[index].latency?)))
            .collect();
        if latencies.len() < rule.endpoints.get() as usize {
            return Vec::new();
        }
        latencies.sort_by_key(|&(_, latency)| latency);
        let median = latencies[(latencies.len() - 1) / 2].1;
        let bound = median.mul_f64(rule.factor.get()).max(median + SLOWER);
        let slow = latencies.into_iter().rev().take_while(|&(_, latency)| latency > bound);
        slow.map(|(index, own)| (index, Complaint::Latency { own, median })).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Outlier {
        super::super::testing::health().outlier
    }

    fn stats_of(requests: u64, failures: u64, millis: u64) -> Stats {
        Stats { requests, failures, latency: Some(Duration::from_millis(millis)) }
    }

    fn outliers(stats: Vec<Stats>) -> Vec<usize> {
        let mut comparison = Comparison::begin(vec![stats_of(0, 0, 0); stats.len()]);
        comparison.end(stats, &plan()).into_iter().map(|(index, _)| index).collect()
    }

    #[test]
    fn an_endpoint_that_fails_more_than_its_peers_stands_out() {
        let mut stats = vec![stats_of(1_000, 10, 20); 8];
        stats[3] = stats_of(1_000, 300, 20);
        stats[5] = stats_of(1_000, 400, 20);
        assert_eq!(outliers(stats), [5, 3], "the worst first");
    }

    #[test]
    fn a_fault_of_all_ejects_none() {
        assert_eq!(outliers(vec![stats_of(1_000, 700, 20); 8]), [0usize; 0]);
    }

    #[test]
    fn a_small_difference_between_endpoints_that_are_alike_is_none() {
        let mut stats = vec![stats_of(1_000, 0, 20); 8];
        stats[0] = stats_of(1_000, 60, 20);
        assert_eq!(outliers(stats), [0usize; 0]);
    }

    #[test]
    fn few_requests_are_not_judged() {
        let mut stats = vec![stats_of(1_000, 0, 20); 8];
        stats[0] = stats_of(20, 20, 2_000);
        assert_eq!(outliers(stats), [0usize; 0]);
    }

    #[test]
    fn few_endpoints_are_not_compared() {
        let stats = vec![stats_of(1_000, 0, 20), stats_of(1_000, 900, 2_000)];
        assert_eq!(outliers(stats), [0usize; 0]);
    }

    #[test]
    fn an_endpoint_that_is_many_times_slower_stands_out_and_one_at_half_speed_does_not() {
        let mut stats = vec![stats_of(1_000, 0, 20); 8];
        stats[2] = stats_of(100, 0, 200);
        stats[6] = stats_of(500, 0, 40);
        assert_eq!(outliers(stats), [2]);
    }

    #[test]
    fn milliseconds_make_no_difference() {
        let mut stats = vec![stats_of(1_000, 0, 1); 8];
        stats[2] = stats_of(1_000, 0, 9);
        assert_eq!(outliers(stats), [0usize; 0]);
    }

    #[test]
    fn each_interval_is_judged_by_itself() {
        let mut stats = vec![stats_of(1_000, 0, 20); 8];
        stats[3] = stats_of(1_000, 900, 20);
        let mut comparison = Comparison::begin(stats.clone());
        for stats in &mut stats {
            stats.requests += 1_000;
        }
        assert_eq!(comparison.end(stats, &plan()), []);
    }
}
