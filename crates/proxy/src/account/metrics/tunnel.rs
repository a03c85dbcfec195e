//! What is counted of tunnels, by the route that took the request that began them.

use std::sync::Arc;

use tokio::time::Instant;

use super::route::RouteMetrics;
use crate::account::exposition::{Exposition, Kind};

/// A tunnel, counted as open until it is dropped.
pub struct OpenTunnel {
    route: Arc<RouteMetrics>,
    worker: usize,
    began: Instant,
}

impl OpenTunnel {
    /// A tunnel of `route` begins on `worker`.
    pub fn begin(route: Arc<RouteMetrics>, worker: usize, began: Instant) -> Self {
        route.tunnels.of(worker).opened.add(1);
        Self { route, worker, began }
    }

    /// So many bytes went to the endpoint.
    pub fn to_endpoint(&self, bytes: u64) {
        self.route.tunnels.of(self.worker).to_endpoint.add(bytes);
    }

    /// So many bytes came for the client.
    pub fn to_client(&self, bytes: u64) {
        self.route.tunnels.of(self.worker).to_client.add(bytes);
    }
}

impl Drop for OpenTunnel {
    fn drop(&mut self) {
        let traffic = self.route.tunnels.of(self.worker);
        traffic.closed.add(1);
        let open = self.began.elapsed().as_millis();
        traffic.milliseconds.add(u64::try_from(open).unwrap_or(u64::MAX));
    }
}

/// What is counted of tunnels.
pub(super) fn families(page: &mut Exposition, routes: &[Arc<RouteMetrics>]) {
    let had: Vec<_> = routes.iter().filter(|route| route.tunnels.used().next().is_some()).collect();
    let mut family = page.family(
        "tidegate_tunnels_total",
        Kind::Counter,
        "WebSockets and other tunnels that were opened.",
    );
    for route in &had {
        let opened = route.tunnels.sum(|part| &part.opened);
        family.sample(&[("route", route.name())], opened);
    }
    let mut family = page.family(
        "tidegate_open_tunnels",
        Kind::Gauge,
        "WebSockets and other tunnels that are open now.",
    );
    for route in &had {
        let open = route.tunnels.open(|part| &part.opened, |part| &part.closed);
        family.sample(&[("route", route.name())], open);
    }
    let mut family = page.family(
        "tidegate_tunnel_bytes_total",
        Kind::Counter,
        "Bytes that tunnels carried, by the side that they were for: client or endpoint.",
    );
    for route in &had {
        for (to, bytes) in [
            ("client", route.tunnels.sum(|part| &part.to_client)),
            ("endpoint", route.tunnels.sum(|part| &part.to_endpoint)),
        ] {
            family.sample(&[("route", route.name()), ("to", to)], bytes);
        }
    }
    let mut family = page.family(
        "tidegate_tunnel_seconds_total",
        Kind::Counter,
        "How long tunnels were open that have ended.",
    );
    for route in &had {
        let seconds = route.tunnels.sum(|part| &part.milliseconds) as f64 / 1_000.0;
        family.sample(&[("route", route.name())], seconds);
    }
}
