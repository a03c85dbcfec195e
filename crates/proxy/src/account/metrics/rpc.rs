//! What is counted of RPCs: their statuses, by the method.

use std::sync::Arc;

use tidegate_core::grpc::STATUS_LABELS;

use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::{Counters, Sharded};

/// Counts of the RPCs of one method of a route, or of all whose methods are not told apart.
#[derive(Debug)]
pub struct RpcMetrics {
    route: Box<str>,
    method: Box<str>,
    statuses: Sharded<Counters<{ STATUS_LABELS.len() }>>,
}

impl RpcMetrics {
    pub(super) fn new(route: &str, method: &str, workers: usize) -> Self {
        Self { route: route.into(), method: method.into(), statuses: Sharded::new(workers) }
    }

    /// Counts an RPC that has ended on `worker` with the status of this number.
    pub fn ended(&self, worker: usize, status: u8) {
        self.statuses.of(worker)[status.into()].add(1);
    }
}

/// What is counted of RPCs.
pub(super) fn families(page: &mut Exposition, methods: &[Arc<RpcMetrics>]) {
    let mut family = page.family(
        "tidegate_grpc_requests_total",
        Kind::Counter,
        "Finished RPCs by route, method and gRPC status.",
    );
    for RpcMetrics { route, method, statuses } in methods.iter().map(Arc::as_ref) {
        for (status, code) in STATUS_LABELS.into_iter().enumerate() {
            let count = statuses.sum(|statuses| &statuses[status]);
            if count > 0 {
                family.sample(&[("route", route), ("method", method), ("code", code)], count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rpcs_are_counted_by_method_and_status_over_all_workers() {
        let place = Arc::new(RpcMetrics::new("shop", "shop.Orders/Place", 2));
        let other = Arc::new(RpcMetrics::new("shop", "other", 2));
        for (metrics, worker, status) in
            [(&place, 0, 0), (&place, 1, 0), (&place, 1, 14), (&other, 1, 5)]
        {
            metrics.ended(worker, status);
        }
        let mut page = Exposition::default();
        families(&mut page, &[place, other]);
        assert_eq!(
            page.into_text().lines().skip(2).collect::<Vec<_>>(),
            [
                "tidegate_grpc_requests_total{route=\"shop\",method=\"shop.Orders/Place\",code=\"ok\"} 2",
                "tidegate_grpc_requests_total{route=\"shop\",method=\"shop.Orders/Place\",code=\"unavailable\"} 1",
                "tidegate_grpc_requests_total{route=\"shop\",method=\"other\",code=\"not_found\"} 1",
            ]
        );
    }
}
