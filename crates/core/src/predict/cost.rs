//! What requests cost, by what is known of them.

use serde::{Deserialize, Serialize};

use super::branch::{Branch, Described, LEVELS, below, bucket, numbered};
use super::keys::{Keys, Slot};
use super::node::{Estimate, Node};
use super::template::{Templates, WORDS};
use super::zeroed::zeroed;
use crate::time::Moment;

/// Nodes of one upstream.
const NODES: usize = 4_096;

/// The costs of an upstream's requests, in logarithms: a tree upstream → route → method → path template → size.
///
/// Each node is drawn towards its parent as long as it has seen little. A node that gets no answers any more may make
/// room for another; where there is no room, a request is as its parent says, so paths without end cost nothing but
/// their own precision.
#[derive(Debug)]
pub(super) struct Costs {
    seed: u64,
    templates: Templates,
    root: Node,
    keys: Keys,
    nodes: Box<[Node]>,
}

impl Costs {
    /// Nothing is known yet. Keys are hashed with `seed`, so that no client knows which of them meet.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            templates: Templates::new(),
            root: Node::default(),
            keys: Keys::new(NODES),
            nodes: zeroed(NODES),
        }
    }

    /// Where in the tree a request belongs.
    pub(super) fn branch(&self, of: &Described<'_>, now: Moment) -> Branch {
        let route = numbered(self.seed, of.route);
        let method = below(route, of.method.as_bytes());
        let path = of.path.unwrap_or_default();
        let template = numbered(self.templates.key(method, path, now), 0);
        let size = of.size.map(|size| numbered(template, bucket(size)));
        let levels = LEVELS - usize::from(size.is_none());
        Branch { keys: [route, method, template, size.unwrap_or_default()], levels }
    }

    /// What requests that belong there cost.
    pub(super) fn estimate(&self, branch: &Branch, now: Moment) -> Estimate {
        let mut estimate = self.root.estimate(now);
        for own in self.below_root(branch, now) {
            estimate = own.below(estimate);
        }
        estimate
    }

    /// How many times as much as the level above says, by each level that knows of requests which belong there.
    pub(super) fn factors(&self, branch: &Branch, now: Moment) -> impl Iterator<Item = f32> {
        self.below_root(branch, now).scan(self.usual(now), |above, own| {
            let estimate = own.below(*above);
            let factor = (estimate.expected() - above.expected()).exp();
            *above = estimate;
            Some(factor)
        })
    }

    /// What the nodes of the branch know, each by itself, from the route's on.
    fn below_root(&self, branch: &Branch, now: Moment) -> impl Iterator<Item = Estimate> {
        let known = branch.keys().map_while(|key| self.keys.find(key));
        known.map(move |slot| self.nodes[slot].estimate(now))
    }

    /// What is known of the nearest kind of requests, and of that alone.
    pub(super) fn nearest(&self, branch: &Branch, now: Moment) -> Estimate {
        let known = branch.keys[..branch.levels].iter().rev().find_map(|key| self.keys.find(*key));
        known.map_or(&self.root, |slot| &self.nodes[slot]).estimate(now)
    }

    /// What is known at `now`.
    pub(super) fn known(&self, now: Moment) -> KnownCosts {
        let nodes = self.keys.all().map(|(key, slot)| (key, self.nodes[slot].estimate(now)));
        KnownCosts {
            seed: self.seed,
            root: self.root.estimate(now),
            nodes: nodes.filter(|(_, estimate)| estimate.answers >= 1.0).collect(),
            positions: self.templates.known(),
        }
    }

    /// Go on from what was [known](Self::known) once.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn restored(known: &KnownCosts, now: Moment) -> Result<Self, String> {
        let costs = Self::new(known.seed);
        let estimates = known.nodes.iter().map(|(_, estimate)| estimate);
        if !estimates.chain([&known.root]).all(Estimate::is_possible) {
            return Err("a node has no possible mean, variance and number of answers".into());
        }
        costs.root.restore(&known.root, now);
        for (key, estimate) in &known.nodes {
            if let Some(Slot::New(slot)) = costs.keys.claim(*key, |_| None) {
                costs.nodes[slot].restore(estimate, now);
            }
        }
        costs.templates.restore(&known.positions, now);
        Ok(costs)
    }

    /// What a request costs of which nothing is known.
    pub(super) fn usual(&self, now: Moment) -> Estimate {
        self.root.estimate(now)
    }

    /// A request that belongs there cost so much: a logarithm of seconds. Answers with what would have been predicted
    /// for it, and for one of which nothing is known.
    pub(super) fn learn(&self, branch: &Branch, actual: f32, now: Moment) -> Learnt {
        let usual = self.root.record(actual, now);
        let mut predicted = usual;
        for key in branch.keys() {
            let spare = |slot: usize| self.nodes[slot].worth(now);
            let node = match self.keys.claim(key, spare) {
                Some(Slot::Known(slot)) => &self.nodes[slot],
                Some(Slot::New(slot)) => {
                    self.nodes[slot].reset();
                    &self.nodes[slot]
                }
                None => break,
            };
            predicted = node.record(actual, now).below(predicted);
        }
        Learnt { actual, predicted, usual }
    }
}

/// What is known of costs: the tree's nodes and the positions of paths, by their keys, which hang on the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KnownCosts {
    pub(super) seed: u64,
    root: Estimate,
    nodes: Vec<(u64, Estimate)>,
    positions: Vec<(u64, [u64; WORDS])>,
}

/// What was known of a request when it was over: natural logarithms of seconds.
#[derive(Debug, Clone, Copy)]
pub struct Learnt {
    /// What it cost.
    pub actual: f32,
    /// What would have been predicted.
    pub predicted: Estimate,
    /// What is predicted for a request of which nothing is known.
    pub usual: Estimate,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::node::logarithm;
    use super::*;

    fn described<'a>(path: &'a str) -> Described<'a> {
        Described { route: 1, method: "GET", path: Some(path), size: None }
    }

    fn millis(estimate: Estimate) -> f64 {
        estimate.cost().as_secs_f64() * 1e3
    }

    fn at(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000_000)
    }

    fn learn(costs: &Costs, of: &Described<'_>, cost: u64, now: Moment) {
        costs.learn(&costs.branch(of, now), logarithm(Duration::from_millis(cost)), now);
    }

    fn asked(costs: &Costs, of: &Described<'_>, now: Moment) -> f64 {
        millis(costs.estimate(&costs.branch(of, now), now))
    }

    #[test]
    fn paths_methods_and_sizes_are_told_apart() {
        let costs = Costs::new(7);
        let light = described("/light/1");
        let heavy = described("/heavy/1");
        let posted = Described { method: "POST", size: Some(1 << 20), ..light };
        for _ in 0..500 {
            learn(&costs, &light, 4, at(1));
            learn(&costs, &heavy, 400, at(1));
            learn(&costs, &posted, 60, at(1));
        }
        assert!((3.5..6.0).contains(&asked(&costs, &described("/light/2"), at(1))));
        assert!((300.0..500.0).contains(&asked(&costs, &described("/heavy/2"), at(1))));
        assert!((50.0..75.0).contains(&asked(&costs, &posted, at(1))));
    }

    #[test]
    fn a_request_never_seen_costs_what_its_parent_says() {
        let costs = Costs::new(7);
        (0..500).for_each(|_| learn(&costs, &described("/a"), 10, at(1)));
        let unknown = Described { method: "PUT", route: 9, ..described("/b") };
        assert!((asked(&costs, &unknown, at(1)) - 10.0).abs() < 0.1);
    }

    #[test]
    fn requests_of_a_route_with_its_own_template_are_alike_whatever_their_path() {
        let costs = Costs::new(7);
        let own = Described { path: None, ..described("") };
        let other = Described { route: 2, ..own };
        (0..100).for_each(|_| learn(&costs, &own, 40, at(1)));
        (0..100).for_each(|_| learn(&costs, &other, 4, at(1)));
        assert!((38.0..42.0).contains(&asked(&costs, &own, at(1))));
        assert_eq!(costs.branch(&own, at(1)), costs.branch(&own, at(1)));
    }

    #[test]
    fn a_class_that_turns_a_hundred_times_dearer_is_followed() {
        let costs = Costs::new(7);
        (0..2_000).for_each(|_| learn(&costs, &described("/a"), 4, at(1)));
        (0..600).for_each(|_| learn(&costs, &described("/a"), 400, at(2)));
        assert!(asked(&costs, &described("/a"), at(2)) > 300.0);
    }

    #[test]
    fn paths_that_are_made_up_end_in_the_rest_and_disturb_none_that_is_in_use() {
        let costs = Costs::new(7);
        let mut random = crate::balance::SplitMix64::new(3);
        for turn in 0..80_000_u64 {
            // 2,000 a second, in trees as wide as positions may be.
            let now = at(1 + turn / 2_000);
            let [a, b, c] = [random.below(60), random.below(60), random.below(60)];
            learn(&costs, &described(&format!("/x{a}y/x{b}y/x{c}y")), 5_000, now);
            if turn % 100 == 0 {
                learn(&costs, &described("/light"), 4, now);
            }
        }
        assert!(costs.keys.len() <= NODES);
        assert!(asked(&costs, &described("/light"), at(41)) < 8.0);
    }

    #[test]
    fn the_prediction_that_is_judged_is_one_from_before_the_answer() {
        let costs = Costs::new(7);
        let branch = costs.branch(&described("/a"), at(1));
        let first = costs.learn(&branch, -4.6, at(1));
        assert_eq!(first.predicted.answers, 0.0);
        let second = costs.learn(&branch, -4.6, at(1));
        assert!((second.predicted.mean - first.actual).abs() < 1e-5);
    }

    #[test]
    fn nothing_breaks_when_many_threads_learn_at_once() {
        let costs = Costs::new(7);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let costs = &costs;
                scope.spawn(move || {
                    for turn in 0..5_000 {
                        let path = format!("/p{}", (turn + thread) % 40);
                        learn(costs, &described(&path), 10, at(1));
                    }
                });
            }
        });
        assert!((asked(&costs, &described("/p3"), at(1)) - 10.0).abs() < 0.1);
    }
}
