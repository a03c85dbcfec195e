//! Settings for tests, here and in the balancer.

use crate::plan::{self, HealthHttp, LatencyOutlier, Millis, Outlier, SuccessRateOutlier};

/// Checks by HTTP; 2 passed or 3 failed ones decide, 3 failed connects lead to a rest of 1 to 5 s, and
/// 5 bad answers to an ejection of 10 to 40 s.
pub(crate) fn health() -> plan::Health {
    plan::Health {
        http: Some(HealthHttp {
            path: "/healthz".into(),
            method: "GET".into(),
            host: None,
            headers: Default::default(),
            statuses: vec![plan::StatusRange(200..=299)],
            body: None,
        }),
        tcp: None,
        grpc: None,
        port: None,
        interval: Millis(5_000),
        interval_down: Millis(1_000),
        timeout: Millis(2_000),
        rise: 2,
        fall: 3,
        initial: plan::InitialHealth::Healthy,
        reuse: true,
        outlier: Outlier {
            connect_failures: 3,
            rest: Millis(1_000),
            max_rest: Millis(5_000),
            gateway_errors: Some(5),
            server_errors: None,
            ejection: Millis(10_000),
            max_ejection: Millis(40_000),
            max_ejected: 50.0,
            interval: Millis(5_000),
            success_rate: Some(SuccessRateOutlier { deviations: 1.0, requests: 100, endpoints: 5 }),
            latency: Some(LatencyOutlier { factor: 5.0, requests: 30, endpoints: 3 }),
        },
        panic_threshold: 10.0,
    }
}
