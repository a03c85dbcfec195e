//! What is simulated.
//!
//! Python's side of it is `src/tidegate/sim/`, which knows the short forms and the defaults. Here
//! everything is given, and every time is in nanoseconds.

use serde::Deserialize;
use tidegate_core::plan::{Issue, Upstream};

/// Clients, gateways, the network and servers, for one run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// All random numbers follow from it.
    pub seed: u64,
    /// How long the system runs before requests are counted.
    pub warmup: u64,
    /// How long requests that arrive are counted; no request arrives later.
    pub duration: u64,
    /// When requests arrive.
    pub arrivals: Arrivals,
    /// What a request asks of a server at speed 1; not used by a trace, which brings its own.
    pub work: Vec<Class>,
    /// Keys of requests, for policies that hash.
    pub keys: Option<Keys>,
    /// Gateways, each with a balancer of its own that knows only its own requests. A request comes
    /// to any of them with the same probability.
    pub gateways: u32,
    /// Delay between a gateway and a server, one way.
    pub network: Distribution,
    /// How long a try may take; absent: for ever.
    pub timeout: Option<u64>,
    /// What happens after a failed try.
    pub retry: Retry,
    /// The servers: `servers[i]` is `upstream.endpoints[i]`.
    pub servers: Vec<Server>,
    /// Whether servers tell their load with each answer (ORCA).
    pub reports: bool,
    /// How they are balanced: a part of a plan, as the proxy takes it. Of `balance.probe` the interval
    /// holds here.
    pub upstream: Upstream,
    /// Go by C3's cost, which only the simulator has, instead of the policy of `upstream`.
    pub c3: Option<C3>,
    /// Gateways predict what requests cost; absent: they do not.
    pub predict: Option<Predict>,
}

/// What gateways predict by is core's; here is what may be wrong with it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predict {
    /// Whether predictions are believed as far as their skill goes; else in full.
    pub guarded: bool,
    /// Whether requests with predictions are compared with some without, and predictions turned off that do harm.
    pub comparison: bool,
    /// Errors are added to them, whose logarithm has this standard deviation; 0: none.
    pub noise: f64,
    /// They are random numbers with the spread of the costs.
    pub useless: bool,
    /// They are all the same.
    pub constant: bool,
    /// What is dear is said to be cheap, and the other way round.
    pub inverted: bool,
    /// They are right until so long after the warm-up, and inverted then.
    pub drift: Option<u64>,
    /// It is known of each request what it asks of a server: the best that any prediction can do.
    #[serde(default)]
    pub oracle: bool,
}

/// A cost like that of C3 (Suresh et al., NSDI 2015).
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct C3 {
    /// Gateways that it takes to share the servers.
    pub clients: u32,
}

/// When requests arrive.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// A Poisson process.
    Poisson {
        /// Requests in a second.
        rate: f64,
    },
    /// At given times, in order.
    Trace(Vec<Traced>),
}

/// A request of a trace.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traced {
    /// When it arrives.
    pub at: u64,
    /// What it asks of a server at speed 1.
    pub work: u64,
    /// Hash of what it can share with other requests.
    pub key: u64,
}

/// Requests of one kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// How many of all requests are of this kind, beside the others' weights.
    pub weight: f64,
    /// How long a server of speed 1 works on one.
    pub service: Distribution,
    /// Its path, where `{n}` stands for a number that each request has for itself.
    #[serde(default)]
    pub template: String,
    /// What is predicted of a request, for each of the service's samples in turn, where gateways predict; none: what they
    /// learn.
    #[serde(default)]
    pub predicted: Vec<u64>,
    /// How long after its arrival an answer is of use; absent: however late.
    #[serde(default)]
    pub deadline: Option<u64>,
    /// When they ask for more than before; absent: never.
    #[serde(default)]
    pub dearer: Option<Dearer>,
}

/// From when on requests ask for more.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dearer {
    /// How long after the warm-up the first of them arrives.
    pub after: u64,
    /// They ask for so many times as much.
    pub factor: f64,
}

/// Keys of requests: number k of `count` comes with a probability in proportion to 1 / kˢ.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Different keys.
    pub count: u32,
    /// Zipf's exponent s; 0: all alike.
    pub skew: f64,
}

/// A distribution of times, or of sizes in bytes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Distribution {
    /// Always the same.
    Constant {
        /// The value.
        value: u64,
    },
    /// Exponential.
    Exponential {
        /// Mean.
        mean: u64,
    },
    /// Lognormal.
    Lognormal {
        /// Mean.
        mean: u64,
        /// Coefficient of variation: the standard deviation in means.
        cv: f64,
        /// Values above this one are cut to it.
        #[serde(default)]
        most: Option<u64>,
    },
    /// One of two values.
    Bimodal {
        /// The usual one.
        low: u64,
        /// The other one.
        high: u64,
        /// How often it is the other one.
        high_share: f64,
    },
    /// Any of these with the same probability.
    Samples(Vec<u64>),
}

/// What happens after a failed try.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Tries of one request, the first included.
    pub attempts: u32,
    /// Delay before the next try.
    pub backoff: u64,
}

/// A server: workers that share one queue, first come, first served.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Requests that are worked on at once.
    pub workers: u32,
    /// Requests that may wait; more are refused with an error. Absent: any number.
    pub queue: Option<u32>,
    /// Work done in a second, in seconds of work.
    pub speed: f64,
    /// Another tenant that slows it down now and then.
    pub antagonist: Option<Antagonist>,
    /// Times when it is not itself.
    pub phases: Vec<Phase>,
}

/// A neighbour that comes and goes at random.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Antagonist {
    /// Share of the time that it is there, above 0 and below 1.
    pub share: f64,
    /// The server's speed is multiplied by this while it is there.
    pub speed: f64,
    /// How long it stays: the mean of an exponential distribution.
    pub length: u64,
}

/// A time when a server is not itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// When it begins, counted from the end of the warm-up.
    pub from: u64,
    /// When it is over; absent: never.
    pub until: Option<u64>,
    /// The server's speed is multiplied by this; 0: it hangs.
    pub speed: f64,
    /// Share of requests that are answered with an error, without work.
    pub errors: f64,
    /// How long that takes.
    pub error_after: u64,
    /// Share of requests that are never answered.
    pub drops: f64,
    /// Whether it cannot be connected to.
    pub down: bool,
}

impl Scenario {
    /// Check that it can be run: then a run neither panics nor lasts for ever.
    ///
    /// # Errors
    /// The first option that stands against it.
    pub fn check(&self) -> Result<(), Issue> {
        demand(self.duration > 0, "duration", "must be longer than zero")?;
        demand(self.gateways > 0, "gateways", "must be at least 1")?;
        demand(self.retry.attempts > 0, "retry.attempts", "must be at least 1")?;
        demand(self.timeout != Some(0), "timeout", "must be longer than zero")?;
        demand(!self.servers.is_empty(), "servers", "must be at least one")?;
        let endpoints = self.upstream.endpoints.len();
        demand(
            endpoints == self.servers.len(),
            "upstream",
            "must have an endpoint for each server",
        )?;
        self.network.check("network")?;
        match &self.arrivals {
            Arrivals::Poisson { rate } => {
                demand(*rate > 0.0 && rate.is_finite(), "arrivals", "must have a positive rate")?;
                let weights: f64 = self.work.iter().map(|class| class.weight).sum();
                let positive = self.work.iter().all(|class| class.weight >= 0.0);
                demand(positive && weights > 0.0, "work", "must have weights, and none below 0")?;
                for (index, class) in self.work.iter().enumerate() {
                    class.check(&format!("work.{index}"))?;
                }
            }
            Arrivals::Trace(trace) => {
                demand(trace.is_sorted_by_key(|one| one.at), "arrivals", "must be in order")?;
            }
        }
        if let Some(keys) = &self.keys {
            let good = keys.count > 0 && keys.skew >= 0.0 && keys.skew.is_finite();
            demand(good, "keys", "must be at least one, with a skew of at least 0")?;
        }
        if let Some(predict) = &self.predict {
            let good = predict.noise >= 0.0 && predict.noise.is_finite();
            demand(good, "predict.noise", "must be at least 0")?;
        }
        for (index, server) in self.servers.iter().enumerate() {
            server.check(&format!("servers.{index}"), self.timeout.is_some())?;
        }
        Ok(())
    }
}

impl Class {
    fn check(&self, path: &str) -> Result<(), Issue> {
        self.service.check(&format!("{path}.service"))?;
        let samples = match &self.service {
            Distribution::Samples(samples) => samples.len(),
            _ => 0,
        };
        let met = self.predicted.is_empty() || self.predicted.len() == samples;
        demand(met, &format!("{path}.predicted"), "must be as many as there are samples")?;
        let positive = self.predicted.iter().all(|&predicted| predicted > 0);
        demand(positive, &format!("{path}.predicted"), "must be above 0")?;
        let is_price =
            self.dearer.is_none_or(|dearer| dearer.factor > 0.0 && dearer.factor.is_finite());
        demand(is_price, &format!("{path}.dearer.factor"), "must be above 0")?;
        let path = format!("{path}.deadline");
        demand(self.deadline != Some(0), &path, "must be longer than zero")
    }
}

impl Distribution {
    pub(crate) fn check(&self, path: &str) -> Result<(), Issue> {
        let is_good = match self {
            Self::Constant { .. } | Self::Exponential { .. } => true,
            Self::Lognormal { mean, cv, .. } => *mean > 0 && *cv >= 0.0 && cv.is_finite(),
            Self::Bimodal { high_share, .. } => is_share(*high_share),
            Self::Samples(samples) => !samples.is_empty(),
        };
        let message = "needs a positive mean, a cv of at least 0, shares from 0 to 1, or samples";
        demand(is_good, path, message)
    }
}

impl Server {
    fn check(&self, path: &str, has_timeout: bool) -> Result<(), Issue> {
        let demand = |met: bool, option: &str, message: &str| {
            demand(met, &format!("{path}.{option}"), message)
        };
        demand(self.workers > 0, "workers", "must be at least 1")?;
        demand(self.speed > 0.0 && self.speed.is_finite(), "speed", "must be above 0")?;
        if let Some(antagonist) = &self.antagonist {
            let share = antagonist.share > 0.0 && antagonist.share < 1.0;
            demand(share, "antagonist.share", "must be above 0 and below 1")?;
            let speed = antagonist.speed >= 0.0 && antagonist.speed.is_finite();
            demand(speed, "antagonist.speed", "must be at least 0")?;
            demand(antagonist.length > 0, "antagonist.length", "must be longer than zero")?;
        }
        for phase in &self.phases {
            let speed = phase.speed >= 0.0 && phase.speed.is_finite();
            demand(speed, "phases", "must have a speed of at least 0")?;
            let shares = is_share(phase.errors) && is_share(phase.drops);
            demand(shares, "phases", "must have shares from 0 to 1")?;
            let hangs = phase.drops > 0.0 || (phase.speed == 0.0 && phase.until.is_none());
            demand(!hangs || has_timeout, "phases", "that hang or drop need a timeout")?;
        }
        Ok(())
    }
}

/// That something holds, or what is wrong with the option at `path`.
pub(crate) fn demand(met: bool, path: &str, message: &str) -> Result<(), Issue> {
    if met { Ok(()) } else { Err(Issue::new(path, message)) }
}

fn is_share(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}
