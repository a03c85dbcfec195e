//! What an endpoint says of its own load in a response.

use http::{HeaderMap, HeaderName};
use tidegate_core::balance::{Endpoint, needs};
use tidegate_core::load::{Report, Signals};
use tidegate_core::plan::Balance;

use crate::net::clock;

/// The field of ORCA's reports.
const REPORT: HeaderName = HeaderName::from_static("endpoint-load-metrics");

/// What is done with the reports of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reports {
    /// The upstream's policy has no use for them: they pass.
    Pass,
    /// They are taken note of, and the client is not told.
    Keep,
    /// They are taken note of and passed on.
    Forward,
}

impl Reports {
    /// What an upstream's `balance` asks for.
    pub fn of(balance: &Balance) -> Self {
        match (needs(balance.policy).signals.contains(Signals::REPORTS), balance.forward_reports) {
            (false, _) => Self::Pass,
            (true, false) => Self::Keep,
            (true, true) => Self::Forward,
        }
    }

    /// Take the report of `endpoint` in the header of a response, or in its trailers, where services
    /// that learn what a request costs only at its end put it (gRPC's).
    pub fn take(self, endpoint: &Endpoint, fields: &mut HeaderMap) {
        if self == Self::Pass {
            return;
        }
        let report = fields.get(REPORT).and_then(|field| Report::from_field(field.as_bytes()));
        if let Some(report) = report {
            endpoint.load.report(report, clock::now());
        }
        if self == Self::Keep {
            fields.remove(REPORT);
        }
    }
}
