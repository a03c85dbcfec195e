//! Settings for tests, here and in the balancer.

use crate::plan::testing::number;
use crate::plan::{self, HealthHttp, LatencyOutlier, Outlier, SuccessRateOutlier};

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
        interval: number(5_000),
        interval_down: number(1_000),
        timeout: number(2_000),
        rise: number(2),
        fall: number(3),
        initial: plan::InitialHealth::Healthy,
        reuse: true,
        outlier: Outlier {
            connect_failures: number(3),
            rest: number(1_000),
            max_rest: number(5_000),
            gateway_errors: Some(number(5)),
            server_errors: None,
            ejection: number(10_000),
            max_ejection: number(40_000),
            max_ejected: number(50.0),
            interval: number(5_000),
            success_rate: Some(SuccessRateOutlier {
                deviations: number(1.0),
                requests: number(100),
                endpoints: number(5),
            }),
            latency: Some(LatencyOutlier {
                factor: number(5.0),
                requests: number(30),
                endpoints: number(3),
            }),
        },
        panic_threshold: number(10.0),
    }
}
