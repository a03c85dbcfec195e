//! All metrics as one page of text.
//!
//! Series of a route or an endpoint appear with its first request; those of listeners, upstreams
//! and workers are always there.

use super::admission::UpstreamState;
use super::endpoint::EndpointState;
use super::registry::Metrics;
use crate::account::exposition::{Exposition, Kind};

impl Metrics {
    /// Writes all metrics in the Prometheus text format 0.0.4.
    ///
    /// `state` looks up how an endpoint is now, by upstream and address, `upstream` how an upstream is; `access_log_dropped` is
    /// [`AccessLog::dropped`](crate::account::access_log::AccessLog::dropped).
    pub fn render(
        &self,
        state: impl Fn(&str, &str) -> Option<EndpointState>,
        upstream: impl Fn(&str) -> Option<UpstreamState>,
        access_log_dropped: u64,
    ) -> String {
        let mut page = Exposition::default();
        self.render_routes(&mut page);
        self.render_upstreams(&mut page);
        self.render_health(&mut page);
        self.render_admission(&mut page, upstream);
        self.render_endpoints(&mut page, state);
        self.render_listeners(&mut page);
        self.render_workers(&mut page);
        page.family(
            "tidegate_access_log_dropped_lines_total",
            Kind::Counter,
            "Lines lost because they came faster than they could be written.",
        )
        .sample(&[], access_log_dropped);
        page.into_text()
    }
}
