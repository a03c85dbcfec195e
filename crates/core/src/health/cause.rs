//! Why an endpoint's state changed.

use std::fmt;
use std::time::Duration;

/// Why an endpoint's state changed, in words for people through `Display`.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// It was added to its upstream.
    Added,
    /// Connecting to it failed this often in a row; it rests.
    ConnectFailed {
        /// Failures in a row.
        in_a_row: u32,
        /// Length of the rest.
        rest: Duration,
    },
    /// Connections broke, or did not come about, for this many requests in a row; it rests.
    Broken {
        /// Failures in a row.
        in_a_row: u32,
        /// Length of the rest.
        rest: Duration,
    },
    /// Connecting to it worked.
    Connected,
    /// There was a complaint; it is ejected.
    Ejected {
        /// What it did.
        complaint: Complaint,
        /// Length of the ejection.
        pause: Duration,
    },
    /// The request that tried it was answered well.
    Answered,
    /// It failed this many checks in a row.
    ChecksFailed {
        /// Failed checks in a row.
        in_a_row: u32,
        /// How the last one failed.
        last: Box<str>,
    },
    /// It passed this many checks in a row.
    ChecksPassed {
        /// Passed checks in a row.
        in_a_row: u32,
    },
    /// It is no longer checked.
    ChecksEnded,
    /// The operator lets it drain.
    Drained,
    /// The operator took it out of service.
    Maintenance {
        /// Why, in the operator's words.
        reason: Box<str>,
    },
    /// The operator put it back into service.
    Resumed,
}

/// What an endpoint did that others did not.
#[derive(Debug, Clone, PartialEq)]
pub enum Complaint {
    /// So many requests in a row ended in 502, 503, 504, a broken answer or none.
    GatewayErrors(u32),
    /// So many requests in a row ended in 500 or above, or worse.
    ServerErrors(u32),
    /// It answers less often well than its peers.
    SuccessRate {
        /// Its share of good answers, 0 to 1.
        own: f64,
        /// The mean of all.
        mean: f64,
    },
    /// It answers far more slowly than its peers.
    Latency {
        /// Its mean latency.
        own: Duration,
        /// The median of all.
        median: Duration,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added => write!(f, "added"),
            Self::ConnectFailed { in_a_row, rest } => {
                write!(f, "connecting failed {}; rests for {rest:?}", times(*in_a_row))
            }
            Self::Broken { in_a_row, rest } => {
                write!(f, "connections broke {}; rests for {rest:?}", times(*in_a_row))
            }
            Self::Connected => write!(f, "connecting worked"),
            Self::Ejected { complaint, pause } => write!(f, "{complaint}; ejected for {pause:?}"),
            Self::Answered => write!(f, "the request that tried it was answered well"),
            Self::ChecksFailed { in_a_row, last } => {
                write!(f, "the health check failed {}: {last}", times(*in_a_row))
            }
            Self::ChecksPassed { in_a_row } => {
                write!(f, "the health check passed {}", times(*in_a_row))
            }
            Self::ChecksEnded => write!(f, "health checks were turned off"),
            Self::Drained => write!(f, "the operator lets it drain"),
            Self::Maintenance { reason } => write!(f, "maintenance: {reason}"),
            Self::Resumed => write!(f, "the operator put it back into service"),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GatewayErrors(n) => write!(f, "requests failed {}", times(*n)),
            Self::ServerErrors(n) => write!(f, "answers were errors {}", times(*n)),
            Self::SuccessRate { own, mean } => write!(
                f,
                "{:.0} % of its answers were good, {:.0} % with all endpoints",
                own * 100.0,
                mean * 100.0
            ),
            Self::Latency { own, median } => write!(
                f,
                "its mean latency was {} ms, the median of all endpoints {} ms",
                own.as_millis(),
                median.as_millis()
            ),
        }
    }
}

fn times(n: u32) -> String {
    if n == 1 { "once".into() } else { format!("{n} times in a row") }
}
