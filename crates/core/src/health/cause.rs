//! Why an endpoint's state changed.

use std::fmt;
use std::time::Duration;

/// Why an endpoint's state changed, in words for people through `Display`.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Connecting to it worked.
    Connected,
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
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added => write!(f, "added"),
            Self::ConnectFailed { in_a_row, rest } => {
                write!(f, "connecting failed {}; rests for {rest:?}", times(*in_a_row))
            }
            Self::Connected => write!(f, "connecting worked"),
            Self::ChecksFailed { in_a_row, last } => {
                write!(f, "the health check failed {}: {last}", times(*in_a_row))
            }
            Self::ChecksPassed { in_a_row } => {
                write!(f, "the health check passed {}", times(*in_a_row))
            }
            Self::ChecksEnded => write!(f, "health checks were turned off"),
        }
    }
}

fn times(n: u32) -> String {
    if n == 1 { "once".into() } else { format!("{n} times in a row") }
}
