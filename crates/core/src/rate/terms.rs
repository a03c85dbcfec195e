//! Reading a limit's terms from its plan.

use std::num::{NonZeroU64, NonZeroUsize};

use http::{HeaderName, StatusCode};

use super::cost::Cost;
use super::fleet::{OnFailure, SharedTerms};
use super::headers::Style;
use super::limit::{Mode, Terms};
use super::window::Window;
use crate::plan::{self, Issue, RateCost, RateHeaders, RateLimit, RateMode, Store};

impl Terms {
    /// The terms of a limit whose option stands at `at` and which is shared through `store`, where there is one. What
    /// is wrong with them is added to `issues`.
    pub fn build(
        wanted: &RateLimit,
        store: Option<&Store>,
        at: &str,
        issues: &mut Vec<Issue>,
    ) -> Self {
        Self {
            name: wanted.name.as_str().into(),
            windows: wanted.windows.iter().map(Window::of).collect(),
            mode: match wanted.mode {
                RateMode::Enforce => Mode::Enforce,
                RateMode::Shadow => Mode::Shadow,
            },
            patience: wanted.wait.duration(),
            style: wanted.headers.into(),
            cost: Cost::build(&wanted.cost, at, issues),
            keys: NonZeroUsize::new(wanted.keys.get() as usize).unwrap_or(NonZeroUsize::MIN),
            shared: store.map(|store| SharedTerms {
                store: store.name.as_str().into(),
                on_failure: wanted.on_failure.unwrap_or(store.on_failure).into(),
                lease: store.lease.duration(),
                gateways: store.gateways.get(),
            }),
        }
    }
}

impl From<plan::OnFailure> for OnFailure {
    fn from(on_failure: plan::OnFailure) -> Self {
        match on_failure {
            plan::OnFailure::Local => Self::Local,
            plan::OnFailure::Open => Self::Open,
            plan::OnFailure::Closed => Self::Closed,
        }
    }
}

impl Window {
    fn of(wanted: &plan::Window) -> Self {
        let units = |quota: plan::Quota| NonZeroU64::new(quota.get()).unwrap_or(NonZeroU64::MIN);
        let (quota, burst) = (units(wanted.quota), units(wanted.burst.unwrap_or(wanted.quota)));
        Self::new(quota, wanted.per.duration(), burst)
    }
}

impl Cost {
    fn build(wanted: &RateCost, at: &str, issues: &mut Vec<Issue>) -> Self {
        let header = wanted.header.as_ref().and_then(|name| {
            let found = HeaderName::try_from(name);
            let told = |_| {
                Issue::new(format!("{at}.cost.header"), format!("`{name}` is not a field name"))
            };
            found.map_err(|wrong| issues.push(told(wrong))).ok()
        });
        Self {
            requests: wanted.requests.into(),
            request_bytes: wanted.request_bytes,
            response_bytes: wanted.response_bytes,
            header,
            statuses: wanted.status.iter().map(|status| StatusCode::from(*status)).collect(),
        }
    }
}

impl From<RateHeaders> for Style {
    fn from(headers: RateHeaders) -> Self {
        match headers {
            RateHeaders::Nearest => Self::Nearest,
            RateHeaders::All => Self::All,
            RateHeaders::None => Self::None,
            RateHeaders::Legacy => Self::Legacy,
        }
    }
}
