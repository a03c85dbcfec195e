//! Which requests arrive, and when.

use tidegate_core::balance::SplitMix64;

use crate::draw::{Choice, Draw, Purpose, exponential, stream};
use crate::scenario::{self, Dearer, Scenario, Traced};

/// A request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    /// When it arrives.
    pub(crate) at: u64,
    /// What it asks of a server of speed 1.
    pub(crate) work: u64,
    /// Its class; 0 for all requests of a trace.
    pub(crate) class: u32,
    /// What is hashed.
    pub(crate) key: Option<u64>,
    /// What is predicted of it, where a scenario says so.
    pub(crate) predicted: Option<u64>,
    /// When an answer is of no use any more; `u64::MAX`: never.
    pub(crate) deadline: u64,
}

/// Requests in order of arrival. The same for each policy.
#[derive(Debug)]
pub(crate) enum Arrivals {
    /// At random.
    Poisson(Box<Poisson>),
    /// As recorded.
    Trace(std::vec::IntoIter<Traced>),
}

/// A Poisson process of requests of some classes.
#[derive(Debug)]
pub(crate) struct Poisson {
    mean_gap: f64,
    now: f64,
    gaps: SplitMix64,
    class: Choice,
    services: Vec<Draw>,
    /// By class: what is predicted for each sample.
    predicted: Vec<Vec<u64>>,
    deadlines: Vec<Option<u64>>,
    warmup: u64,
    /// By class: from when on after the warm-up it asks for more.
    dearer: Vec<Option<Dearer>>,
    work: SplitMix64,
    keys: Option<Choice>,
}

impl Arrivals {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        match &scenario.arrivals {
            scenario::Arrivals::Poisson { rate } => Self::Poisson(Box::new(Poisson {
                mean_gap: 1e9 / rate,
                now: 0.0,
                gaps: stream(scenario.seed, Purpose::Arrivals, 0),
                class: Choice::new(scenario.work.iter().map(|class| class.weight)),
                services: scenario.work.iter().map(|class| Draw::new(&class.service)).collect(),
                predicted: scenario.work.iter().map(|class| class.predicted.clone()).collect(),
                deadlines: scenario.work.iter().map(|class| class.deadline).collect(),
                warmup: scenario.warmup,
                dearer: scenario.work.iter().map(|class| class.dearer).collect(),
                work: stream(scenario.seed, Purpose::Work, 0),
                keys: scenario.keys.as_ref().map(|keys| Choice::zipf(keys.count, keys.skew)),
            })),
            scenario::Arrivals::Trace(trace) => Self::Trace(trace.clone().into_iter()),
        }
    }
}

impl Iterator for Arrivals {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        match self {
            Self::Poisson(process) => Some(process.next()),
            Self::Trace(trace) => trace.next().map(|Traced { at, work, key }| Request {
                at,
                work,
                class: 0,
                key: Some(key),
                predicted: None,
                deadline: u64::MAX,
            }),
        }
    }
}

impl Poisson {
    fn next(&mut self) -> Request {
        self.now += exponential(self.mean_gap, &mut self.gaps);
        let class = self.class.next(&mut self.work);
        let (at, (work, predicted)) = (self.now as u64, self.service(class));
        Request {
            at,
            work: (work as f64 * self.factor(class, at)) as u64,
            class: class as u32,
            predicted,
            deadline: self.deadlines[class].map_or(u64::MAX, |after| at.saturating_add(after)),
            // Numbered keys are spread over all hashes by the generator itself.
            key: self
                .keys
                .as_ref()
                .map(|keys| SplitMix64::new(keys.next(&mut self.work) as u64).next()),
        }
    }

    /// How many times as much as at first requests of this class ask for.
    fn factor(&self, class: usize, at: u64) -> f64 {
        let begun = |dearer: &Dearer| at >= self.warmup.saturating_add(dearer.after);
        self.dearer[class].filter(begun).map_or(1.0, |dearer| dearer.factor)
    }

    /// What a request of this class asks of a server at first, and what is predicted of it.
    fn service(&mut self, class: usize) -> (u64, Option<u64>) {
        match (&self.services[class], &self.predicted[class]) {
            (Draw::Samples(samples), predicted) if !predicted.is_empty() => {
                let drawn = self.work.below(samples.len() as u64) as usize;
                (samples[drawn], Some(predicted[drawn]))
            }
            (service, _) => (service.next(&mut self.work), None),
        }
    }
}
