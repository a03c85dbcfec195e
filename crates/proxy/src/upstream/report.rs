//! What an endpoint says of its own load in a response.

use http::{HeaderMap, HeaderName};
use tidegate_core::load::Report;

use super::{Member, Upstream};
use crate::clock;

/// The field of ORCA's reports.
const REPORT: HeaderName = HeaderName::from_static("endpoint-load-metrics");

/// Take note of the report in a response's `headers`, where the upstream's policy has a use for it. The
/// client is not told, unless that is wanted.
pub fn take(upstream: &Upstream, member: &Member, headers: &mut HeaderMap) {
    let balance = &upstream.plan.balance;
    if !balance.policy.uses_reports() {
        return;
    }
    if let Some(report) = headers.get(REPORT).and_then(|field| Report::from_field(field.as_bytes()))
    {
        member.endpoint.load.report(report, clock::now());
    }
    if !balance.forward_reports {
        headers.remove(REPORT);
    }
}
