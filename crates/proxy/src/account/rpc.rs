//! An RPC that is counted when it has ended, which is when its status is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_core::plan::GrpcStatus;

use super::metrics::{Metrics, RpcMetrics};

/// What RPCs are counted as whose methods have no name.
const OTHER: &str = "other";

/// How the RPCs of a route are counted. Their names come from the configuration alone, so that no client makes the page of
/// metrics longer.
#[derive(Debug)]
pub struct RpcCounts {
    /// Those of methods that have a name, by their paths.
    named: BTreeMap<Box<str>, Arc<RpcMetrics>>,
    other: Arc<RpcMetrics>,
}

impl RpcCounts {
    /// Counts of the RPCs of `route`, of which the methods with these paths have a name; `None` where none has.
    pub fn of(route: &str, paths: &[String], metrics: &Metrics) -> Option<Self> {
        if paths.is_empty() {
            return None;
        }
        let named = paths.iter().map(|path| {
            let method = path.strip_prefix('/').unwrap_or(path);
            (path.as_str().into(), metrics.rpc(route, method))
        });
        Some(Self { named: named.collect(), other: metrics.rpc(route, OTHER) })
    }
}

/// An RPC under way. One that is dropped before its status is known was given up by its client.
pub struct CountedRpc {
    metrics: Arc<RpcMetrics>,
    worker: usize,
    status: Option<u8>,
}

impl CountedRpc {
    /// The RPC that asks `worker` for `path`.
    pub fn begin(counts: &RpcCounts, worker: usize, path: &str) -> Self {
        let metrics = counts.named.get(path).unwrap_or(&counts.other).clone();
        Self { metrics, worker, status: None }
    }

    /// Its status has this number.
    pub fn note_status(&mut self, status: u8) {
        self.status = Some(status);
    }

    /// Its response has ended: if no status came with it, it is what clients make of that.
    pub fn note_end(&mut self) {
        self.status.get_or_insert(GrpcStatus::Unknown.number());
    }
}

impl Drop for CountedRpc {
    fn drop(&mut self) {
        let status = self.status.unwrap_or(GrpcStatus::Cancelled.number());
        self.metrics.ended(self.worker, status);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use crate::account::exposition::Exposition;

    const PLACE: &str = "/shop.Orders/Place";

    /// As what an RPC of `path` is counted that `end` ends, on a route that counts those of one method by name.
    fn counted_at(path: &str, end: impl FnOnce(CountedRpc)) -> String {
        let metrics = Metrics::new(1);
        let counts = RpcCounts::of("shop", &[PLACE.to_owned()], &metrics).unwrap();
        end(CountedRpc::begin(&counts, 0, path));
        let mut page = Exposition::default();
        metrics.families(&mut page);
        let text = page.into_text();
        let line = text.lines().find_map(|line| line.strip_prefix("tidegate_grpc_requests_total{"));
        line.unwrap().to_owned()
    }

    /// As what an RPC is counted whose method has a name.
    pub(crate) fn counted(end: impl FnOnce(CountedRpc)) -> String {
        counted_at(PLACE, end)
    }

    /// What is said of one that ended with this status.
    pub(crate) fn ended_with(code: &str) -> String {
        format!("route=\"shop\",method=\"shop.Orders/Place\",code=\"{code}\"}} 1")
    }

    #[test]
    fn an_rpc_is_counted_by_its_status_when_it_ends() {
        assert_eq!(counted(|mut rpc| rpc.note_status(5)), ended_with("not_found"));
    }

    #[test]
    fn an_rpc_that_its_client_gives_up_is_cancelled() {
        assert_eq!(counted(drop), ended_with("cancelled"));
    }

    #[test]
    fn an_rpc_that_ends_without_a_status_is_of_unknown() {
        assert_eq!(counted(|mut rpc| rpc.note_end()), ended_with("unknown"));
        let told = counted(|mut rpc| {
            rpc.note_status(0);
            rpc.note_end();
        });
        assert_eq!(told, ended_with("ok"));
    }

    #[test]
    fn no_client_gives_a_method_a_name() {
        for path in ["/shop.Orders/Cancel", "/shop.Orders/Place/", "/shop.orders/place", "*"] {
            let line = counted_at(path, |mut rpc| rpc.note_status(0));
            assert_eq!(line, "route=\"shop\",method=\"other\",code=\"ok\"} 1", "{path}");
        }
    }

    #[test]
    fn a_route_that_names_no_method_counts_none() {
        assert!(RpcCounts::of("shop", &[], &Metrics::new(1)).is_none());
    }
}
