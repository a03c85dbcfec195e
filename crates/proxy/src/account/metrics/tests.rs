use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::failure::Failure;
use tidegate_core::plan::Priority;
use tidegate_core::retry::Reason;

use super::Metrics;
use crate::account::exposition::Exposition;

fn page(metrics: &Metrics) -> String {
    let mut page = Exposition::default();
    metrics.families(&mut page);
    page.into_text()
}

/// The value of one series.
fn value(page: &str, series: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

#[test]
fn counts_of_all_workers_add_up() {
    let metrics = Metrics::new(4);
    let route = metrics.route("api");
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let route = &route;
            scope.spawn(move || {
                for _ in 0..1000 {
                    route.finished(worker, 200, Duration::from_millis(2), 10, 100);
                }
                route.finished(worker, 503, Duration::from_secs(90), 0, 1);
                route.failed(worker, Failure::NoEndpoint);
            });
        }
    });
    let page = page(&metrics);
    let value = |series: &str| value(&page, series);
    assert_eq!(value("tidegate_requests_total{route=\"api\",code=\"2xx\"}"), Some(4000.0));
    assert_eq!(value("tidegate_requests_total{route=\"api\",code=\"5xx\"}"), Some(4.0));
    assert_eq!(value("tidegate_request_body_bytes_total{route=\"api\"}"), Some(40_000.0));
    assert_eq!(value("tidegate_response_body_bytes_total{route=\"api\"}"), Some(400_004.0));
    assert_eq!(value("tidegate_errors_total{route=\"api\",error=\"no_endpoint\"}"), Some(4.0));
    let histogram = "tidegate_request_duration_seconds";
    let bucket = |le| value(&format!("{histogram}_bucket{{route=\"api\",le=\"{le}\"}}"));
    assert_eq!(bucket("0.001"), Some(0.0));
    assert_eq!(bucket("0.0025"), Some(4000.0));
    assert_eq!(bucket("60"), Some(4000.0));
    assert_eq!(bucket("+Inf"), Some(4004.0));
    let sum = value(&format!("{histogram}_sum{{route=\"api\"}}")).unwrap();
    assert!((sum - 368.0).abs() < 1e-6, "{sum}");
}

#[test]
fn an_observation_on_a_bound_belongs_to_its_bucket() {
    let metrics = Metrics::new(1);
    let upstream = metrics.upstream("app");
    upstream.response_head(0, Duration::from_micros(500));
    upstream.response_head(0, Duration::from_nanos(500_001));
    let page = page(&metrics);
    let bucket = |le| {
        let name = "tidegate_upstream_response_head_seconds_bucket";
        value(&page, &format!("{name}{{upstream=\"app\",le=\"{le}\"}}"))
    };
    assert_eq!((bucket("0.0005"), bucket("0.001")), (Some(1.0), Some(2.0)));
}

#[test]
fn a_handle_of_the_same_name_keeps_its_counts_as_long_as_one_is_held() {
    let metrics = Metrics::new(1);
    let old = metrics.route("api");
    old.finished(0, 200, Duration::ZERO, 0, 0);
    let new = metrics.route("api");
    assert!(Arc::ptr_eq(&old, &new));
    drop(old);
    let series = "tidegate_requests_total{route=\"api\",code=\"2xx\"}";
    assert_eq!(value(&page(&metrics), series), Some(1.0));
    drop(new);
    assert_eq!(value(&page(&metrics), series), None);
}

#[test]
fn routes_that_were_never_used_have_no_series() {
    let metrics = Metrics::new(2);
    let _routes: Vec<_> = (0..1000).map(|n| metrics.route(&format!("r{n}"))).collect();
    assert!(!page(&metrics).contains("route="));
}

#[test]
fn requests_without_a_route_are_counted_under_the_empty_name() {
    let metrics = Metrics::new(1);
    metrics.unrouted().finished(0, 404, Duration::ZERO, 0, 0);
    let series = "tidegate_requests_total{route=\"\",code=\"4xx\"}";
    assert_eq!(value(&page(&metrics), series), Some(1.0));
}

#[test]
fn open_connections_are_those_accepted_and_not_closed() {
    let metrics = Metrics::new(2);
    let listener = metrics.listener("web");
    listener.accepted(0);
    listener.accepted(1);
    listener.closed(1);
    let series = "tidegate_listener_open_connections{listener=\"web\"}";
    assert_eq!(value(&page(&metrics), series), Some(1.0));
}

#[test]
fn a_workers_load_is_read_from_its_runtime() {
    let metrics = Metrics::new(1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    metrics.worker(0).watch(runtime.metrics());
    runtime.spawn(std::future::pending::<()>());
    runtime.block_on(tokio::task::yield_now());
    let page = page(&metrics);
    assert_eq!(value(&page, "tidegate_worker_tasks{worker=\"0\"}"), Some(1.0));
    assert!(value(&page, "tidegate_worker_busy_seconds_total{worker=\"0\"}").is_some());
}

/// Metrics in which every family has a series, under hostile names.
fn full() -> (Arc<Metrics>, impl Sized) {
    let metrics = Metrics::new(2);
    let name = "a\"b\\c\nd";
    let route = metrics.route(name);
    route.finished(1, 200, Duration::from_millis(3), 1, 2);
    for &failure in Failure::ALL {
        route.failed(0, failure);
    }
    metrics.unrouted().finished(0, 404, Duration::from_secs(1), 0, 0);
    let upstream = metrics.upstream(name);
    upstream.response_head(0, Duration::from_millis(4));
    upstream.retried(2, Reason::Status);
    upstream.queued(0, Duration::from_millis(5), Priority::Low, Some(Failure::QueueFull));
    let endpoint = metrics.endpoint(&name.into(), "[::1]:80");
    endpoint.answered(0, 101);
    endpoint.connecting(0);
    endpoint.connect_failed(0);
    let listener = metrics.listener(name);
    listener.accepted(0);
    listener.refused(0);
    listener.handshake(0, true);
    listener.handshake_failed(0);
    listener.transferred(0, 1, 2);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    metrics.worker(0).watch(runtime.metrics());
    metrics.worker(1).panicked();
    metrics.worker(1).restarted();
    (metrics, (route, upstream, endpoint, listener, runtime))
}

#[test]
fn every_series_appears_once_and_belongs_to_the_family_above_it() {
    let (metrics, _held) = full();
    let page = page(&metrics);
    let mut family = "";
    let mut seen = BTreeSet::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap();
        } else if !line.starts_with('#') {
            let (series, _) = line.rsplit_once(' ').unwrap();
            assert!(series.starts_with(family), "{series} below {family}");
            assert!(seen.insert(series), "{series} appears twice");
        }
    }
}

#[test]
fn promtool_finds_no_fault() {
    let (metrics, _held) = full();
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        #[allow(clippy::print_stderr)]
        {
            eprintln!("skipped: promtool (Debian package prometheus) is not installed");
        }
        return;
    };
    child.stdin.take().unwrap().write_all(page(&metrics).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert_eq!((output.status.success(), &*String::from_utf8_lossy(&said)), (true, ""));
}
