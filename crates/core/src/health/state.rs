//! The states of an endpoint, and what leads from one to another.

use strum::VariantArray;

use super::Cause;
use crate::plan;

/// Whether an endpoint gets requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, VariantArray)]
#[repr(u8)]
pub enum State {
    /// It does.
    Healthy,
    /// It could not be connected to, or connections broke, and it gets none until its rest is over; then
    /// one request tries.
    Resting,
    /// It answered badly, or worse than its peers, and gets none until its ejection is over; then one
    /// request tries.
    Ejected,
    /// It fails its checks, or has not passed one yet, and gets none until it passes them.
    Unhealthy,
    /// It gets no new ones, and finishes those it has.
    Draining,
    /// It is out of service.
    Maintenance,
}

impl State {
    /// All states, in the order of their numbers.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Name in logs, metrics and the admin API.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Resting => "resting",
            Self::Ejected => "ejected",
            Self::Unhealthy => "unhealthy",
            Self::Draining => "draining",
            Self::Maintenance => "maintenance",
        }
    }

    /// Whether new requests may come here at all, well or not.
    pub const fn is_in_service(self) -> bool {
        !matches!(self, Self::Draining | Self::Maintenance)
    }

    /// The table: where `cause` leads from this state; `None` if it changes nothing. Service begins,
    /// and begins anew, in the state `initial`.
    #[rustfmt::skip]
    pub(super) const fn next(self, cause: &Cause, initial: State) -> Option<State> {
        match (self, cause) {
            (Self::Healthy | Self::Resting | Self::Ejected, Cause::ConnectFailed { .. }) => Some(Self::Resting),
            (Self::Healthy,                                 Cause::Broken { .. })        => Some(Self::Resting),
            (Self::Healthy | Self::Ejected,                 Cause::Ejected { .. })       => Some(Self::Ejected),
            (Self::Healthy | Self::Resting | Self::Ejected, Cause::ChecksFailed { .. })  => Some(Self::Unhealthy),
            (Self::Resting,                                 Cause::Connected)            => Some(Self::Healthy),
            (Self::Resting | Self::Ejected,                 Cause::Answered)             => Some(Self::Healthy),
            (Self::Resting | Self::Unhealthy,               Cause::ChecksPassed { .. })  => Some(Self::Healthy),
            (Self::Unhealthy,                               Cause::ChecksEnded)          => Some(Self::Healthy),
            (Self::Draining | Self::Maintenance,            Cause::Resumed)              => Some(initial),
            (_,                                             Cause::Drained)              => Some(Self::Draining),
            (_,                                             Cause::Maintenance { .. })   => Some(Self::Maintenance),
            _ => None,
        }
    }
}

/// What the operator wants of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Duty {
    /// Serve.
    Serving,
    /// Finish the requests it has.
    Draining,
    /// Stay out of service.
    Maintenance {
        /// Why, in the operator's words.
        reason: Box<str>,
    },
}

impl Duty {
    /// What the plan says; maintenance goes before drain.
    pub fn of(endpoint: &plan::Endpoint) -> Self {
        match &endpoint.maintenance {
            Some(reason) => Self::Maintenance { reason: reason.as_str().into() },
            None if endpoint.drain => Self::Draining,
            None => Self::Serving,
        }
    }
}
