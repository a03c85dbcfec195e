use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tidegate_core::balance::SplitMix64;
use tidegate_core::failure::Failure;
use tidegate_core::plan::BalancePolicy;
use tokio::time::{Instant, advance};

use super::Accounts;
use super::event::{Event, TryOutcome};
use super::explain::{Choice, Explain, LimitDecision};
use super::exposition::Exposition;
use super::metrics::{EndpointMetrics, ListenerMetrics, RouteMetrics};
use super::origin::Origin;
use super::witness::Witnesses;
use crate::http::partial_head::PartialHead;

/// What one worker counts in, and what its requests have to do with.
struct Stage {
    accounts: Accounts,
    listener: Arc<ListenerMetrics>,
    route: Arc<RouteMetrics>,
    endpoints: [Arc<EndpointMetrics>; 2],
}

impl Stage {
    fn new() -> Self {
        let accounts = Accounts::new(1);
        let metrics = accounts.metrics.clone();
        let endpoint = |address| metrics.endpoint(&"app".into(), address);
        Self {
            listener: metrics.listener("web"),
            route: metrics.route("api"),
            endpoints: [endpoint("a:1"), endpoint("b:2")],
            accounts,
        }
    }

    /// A request begins, of which `sample` percent are sampled.
    fn begin(&self, sample: f64) -> Witnesses<'_> {
        let settings = json!({"sample": sample, "keep": 10, "slow": 1_000, "identities": false});
        let settings = serde_json::from_value(settings).unwrap();
        let explain = Explain::begin(settings, &mut SplitMix64::new(1), Some(&HeaderMap::new()));
        let (accounts, listener) = (&self.accounts, &*self.listener);
        let origin = Origin { worker: 0, accounts, listener, tls: None };
        let (id, head) = (HeaderValue::from_static("r-1"), PartialHead::default());
        let witnesses = Witnesses::begin(origin, id, &head, explain, None);
        witnesses.tell(&Event::RouteChosen { id: 7, metrics: &self.route });
        witnesses
    }

    /// What is remembered of the request.
    fn story(&self) -> Option<Value> {
        self.accounts.stories.find("r-1").map(|story| serde_json::to_value(&*story).unwrap())
    }

    fn counts(&self, series: &str) -> bool {
        let mut page = Exposition::default();
        self.accounts.metrics.families(&mut page);
        page.into_text().lines().any(|line| line == series)
    }
}

fn choice() -> Choice {
    let policy = BalancePolicy::RoundRobin;
    Choice { policy, sticky: false, panic_mode: false, candidates: Vec::new(), left_out: 0 }
}

fn response(endpoint: &Arc<EndpointMetrics>) -> Event<'_> {
    let took = Duration::from_millis(3);
    Event::ResponseStarted { endpoint, status: StatusCode::OK, took }
}

#[tokio::test(start_paused = true)]
async fn of_an_ordinary_request_numbers_are_kept_and_nothing_else_is_found_out() {
    let stage = Stage::new();
    let witnesses = stage.begin(0.0);
    let asked = Cell::new(false);
    let choose = || {
        asked.set(true);
        choice()
    };
    witnesses.tell(&Event::EndpointChosen { found: true, choice: &choose });
    witnesses.tell(&Event::TryBegan(&stage.endpoints[0]));
    witnesses.tell(&response(&stage.endpoints[0]));
    witnesses.tell(&Event::Answered(StatusCode::OK));
    witnesses.tell(&Event::BodySent(12));
    witnesses.complete(Instant::now());
    drop(witnesses);
    assert!(stage.counts("tidegate_requests_total{route=\"api\",code=\"2xx\"} 1"));
    assert!(stage.counts("tidegate_listener_response_body_bytes_total{listener=\"web\"} 12"));
    assert!(!asked.get() && stage.story().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_before_its_end_was_given_up_by_its_client() {
    let stage = Stage::new();
    drop(stage.begin(0.0));
    assert!(stage.counts("tidegate_errors_total{route=\"api\",error=\"client_gone\"} 1"));
    assert_eq!(stage.story().unwrap()["status"], 499);
}

#[tokio::test(start_paused = true)]
async fn notes_that_begin_late_know_the_try_before() {
    let stage = Stage::new();
    let witnesses = stage.begin(0.0);
    let [first, second] = &stage.endpoints;
    witnesses.tell_at(Instant::now(), &Event::TryBegan(first));
    advance(Duration::from_millis(20)).await;
    let outcome = TryOutcome::Failed(Failure::UpstreamReset);
    witnesses.tell_at(Instant::now(), &Event::TryFailed { endpoint: first, outcome });
    witnesses.tell(&Event::LimitDecided(LimitDecision::plain("retry_budget", true)));
    witnesses.tell(&Event::EndpointChosen { found: true, choice: &choice });
    witnesses.tell_at(Instant::now(), &Event::TryBegan(second));
    witnesses.tell(&Event::TryConnected(second));
    witnesses.tell_at(Instant::now(), &response(second));
    witnesses.tell(&Event::Answered(StatusCode::OK));
    witnesses.complete(Instant::now());
    let story = stage.story().unwrap();
    assert_eq!((&story["reason"], &story["upstream"]), (&json!("retried"), &json!("app")));
    assert_eq!(story["limits"], json!([{"limit": "retry_budget", "allowed": true}]));
    let tries = story["tries"].as_array().unwrap();
    let told = |key| tries.iter().map(|each| each[key].clone()).collect::<Vec<_>>();
    assert_eq!(told("endpoint"), ["a:1", "b:2"]);
    assert_eq!(told("outcome"), ["upstream_reset", "status 200"]);
    assert_eq!(told("ended_ms"), [20.0, 20.0]);
    assert!(tries[0]["choice"].is_null() && tries[1]["choice"].is_object());
}

#[tokio::test(start_paused = true)]
async fn of_two_tries_at_once_the_one_that_is_answered_first_counts() {
    let stage = Stage::new();
    let witnesses = stage.begin(100.0);
    let began = Instant::now();
    for endpoint in &stage.endpoints {
        witnesses.tell_at(began, &Event::TryBegan(endpoint));
    }
    let at = began + Duration::from_millis(3);
    witnesses.tell_at(at, &response(&stage.endpoints[0]));
    let record = witnesses.record();
    let (endpoint, tried) = record.last_try.as_ref().unwrap();
    assert_eq!((endpoint.address(), *tried), ("a:1", began));
}

#[tokio::test(start_paused = true)]
async fn a_sampled_request_tells_all_its_phases() {
    let stage = Stage::new();
    let witnesses = stage.begin(100.0);
    advance(Duration::from_millis(5)).await;
    let decision = || LimitDecision::plain("requests", true);
    witnesses.tell(&Event::UpstreamAdmitted { decision: &decision });
    witnesses.tell(&Event::TryBegan(&stage.endpoints[0]));
    advance(Duration::from_millis(3)).await;
    witnesses.tell(&response(&stage.endpoints[0]));
    witnesses.tell(&Event::Answered(StatusCode::OK));
    witnesses.complete(Instant::now());
    let story = stage.story().unwrap();
    let phases = json!([
        {"phase": "routed", "at_ms": 0.0}, {"phase": "admitted", "at_ms": 5.0},
        {"phase": "tried", "at_ms": 5.0}, {"phase": "head", "at_ms": 8.0}, {"phase": "end", "at_ms": 8.0},
    ]);
    assert_eq!((&story["reason"], &story["phases"]), (&json!("sampled"), &phases));
    assert_eq!(story["limits"], json!([{"limit": "requests", "allowed": true}]));
}
