//! What is counted of RPCs: the methods of a route that are counted by name, and their statuses.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use tidegate_core::grpc::STATUS_LABELS;
use tidegate_core::plan::GrpcStatus;

use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::{Counters, Sharded};

/// Methods of a route that have a name here.
const MOST_METHODS: usize = 100;
/// The place of all others, and what they are called.
const OTHER: usize = MOST_METHODS;
const OTHER_LABEL: &str = "other";

/// Counts of the RPCs of one route.
#[derive(Debug)]
pub struct GrpcMetrics {
    route: Box<str>,
    /// The place of each method, in the order in which they were first answered.
    methods: ArcSwap<BTreeMap<Box<str>, usize>>,
    rpcs: Sharded<Methods>,
}

/// One worker's counts, by the place of the method and the number of the status.
#[derive(Debug)]
struct Methods([OnceLock<Box<Statuses>>; MOST_METHODS + 1]);

type Statuses = Counters<{ STATUS_LABELS.len() }>;

impl Default for Methods {
    fn default() -> Self {
        Self([const { OnceLock::new() }; MOST_METHODS + 1])
    }
}

impl GrpcMetrics {
    pub(super) fn new(route: &str, workers: usize) -> Self {
        let rpcs = Sharded::new(workers);
        Self { route: route.into(), methods: ArcSwap::default(), rpcs }
    }

    /// Counts an RPC that has ended with this status: by its `method`, if it is one that is counted by name. A method gets
    /// its name where there is room, when an endpoint that implements it has `answered`: else any client could use the
    /// room up.
    pub fn ended(&self, worker: usize, method: Option<&str>, status: u8, answered: bool) {
        let named = answered && status != GrpcStatus::Unimplemented.number();
        let place = method.and_then(|method| self.place(method, named)).unwrap_or(OTHER);
        let statuses = self.rpcs.of(worker).0[place].get_or_init(Box::default);
        statuses[status.into()].add(1);
    }

    /// The place of `method`; where it has none, it may be `named` or not.
    fn place(&self, method: &str, named: bool) -> Option<usize> {
        let methods = self.methods.load();
        if let Some(place) = methods.get(method) {
            return Some(*place);
        }
        if !named || methods.len() == MOST_METHODS {
            return None;
        }
        self.methods.rcu(|methods| {
            let mut methods = BTreeMap::clone(methods);
            let place = methods.len();
            if place < MOST_METHODS && !methods.contains_key(method) {
                methods.insert(method.into(), place);
            }
            methods
        });
        self.methods.load().get(method).copied()
    }

    fn count(&self, place: usize, status: usize) -> u64 {
        let parts = self.rpcs.used().filter_map(|methods| methods.0[place].get());
        parts.map(|statuses| statuses[status].get()).sum()
    }
}

/// What is counted of RPCs.
pub(super) fn families(page: &mut Exposition, routes: &[Arc<GrpcMetrics>]) {
    let mut family = page.family(
        "tidegate_grpc_requests_total",
        Kind::Counter,
        "Finished RPCs by route, method and gRPC status.",
    );
    for route in routes {
        let methods = route.methods.load();
        let named = methods.iter().map(|(name, place)| (&**name, *place));
        for (method, place) in named.chain([(OTHER_LABEL, OTHER)]) {
            for (status, code) in STATUS_LABELS.into_iter().enumerate() {
                let count = route.count(place, status);
                if count > 0 {
                    let labels = [("route", &*route.route), ("method", method), ("code", code)];
                    family.sample(&labels, count);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(metrics: &Arc<GrpcMetrics>) -> Vec<String> {
        let mut page = Exposition::default();
        families(&mut page, std::slice::from_ref(metrics));
        page.into_text().lines().skip(2).map(str::to_owned).collect()
    }

    #[test]
    fn rpcs_are_counted_by_method_and_status_over_all_workers() {
        let metrics = Arc::new(GrpcMetrics::new("shop", 2));
        metrics.ended(0, Some("shop.Orders/Place"), 0, true);
        metrics.ended(1, Some("shop.Orders/Place"), 0, true);
        metrics.ended(1, Some("shop.Orders/Place"), 14, true);
        metrics.ended(1, None, 5, true);
        assert_eq!(
            page(&metrics),
            [
                "tidegate_grpc_requests_total{route=\"shop\",method=\"shop.Orders/Place\",code=\"ok\"} 2",
                "tidegate_grpc_requests_total{route=\"shop\",method=\"shop.Orders/Place\",code=\"unavailable\"} 1",
                "tidegate_grpc_requests_total{route=\"shop\",method=\"other\",code=\"not_found\"} 1",
            ]
        );
    }

    #[test]
    fn methods_beyond_a_hundred_are_counted_as_others() {
        let metrics = Arc::new(GrpcMetrics::new("shop", 1));
        for method in 0..150 {
            metrics.ended(0, Some(&format!("shop.Orders/M{method}")), 0, true);
        }
        metrics.ended(0, Some("shop.Orders/M99"), 0, true);
        let lines = page(&metrics);
        assert_eq!(lines.len(), MOST_METHODS + 1);
        assert!(
            lines.iter().any(|line| line.ends_with("method=\"shop.Orders/M99\",code=\"ok\"} 2"))
        );
        assert!(lines.iter().any(|line| line.ends_with("method=\"other\",code=\"ok\"} 50")));
    }

    #[test]
    fn names_that_no_endpoint_implements_take_no_place() {
        let metrics = Arc::new(GrpcMetrics::new("shop", 1));
        let unimplemented = GrpcStatus::Unimplemented.number();
        for method in 0..150 {
            metrics.ended(0, Some(&format!("shop.Orders/M{method}")), unimplemented, true);
        }
        metrics.ended(0, Some("shop.Orders/Place"), 0, true);
        metrics.ended(0, Some("shop.Orders/Place"), unimplemented, true);
        let lines = page(&metrics);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[2].ends_with("method=\"other\",code=\"unimplemented\"} 150"), "{lines:?}");
    }
}
