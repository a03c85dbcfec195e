//! A snapshot: everything a request is decided by, built once and never changed.

mod route;
mod routes;
mod subsets;
mod upstreams;
mod via;

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_core::plan::{Issue, Plan};
use tidegate_core::route::RouteTable;

pub use route::{Action, Destination, Fixed, Route};

use self::subsets::Subsets;
use self::via::Via;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::upstream::Upstream;

/// Everything a request is decided by.
#[derive(Debug)]
pub struct Snapshot {
    /// What was asked for.
    pub plan: Plan,
    /// Finds a request's route, as an index into `routes`.
    pub table: RouteTable,
    /// In the plan's order.
    pub routes: Vec<Arc<Route>>,
    /// In the plan's order.
    pub upstreams: Vec<Arc<Upstream>>,
    /// Index of each listener by name.
    pub listeners: HashMap<String, usize>,
    /// The access log, where there is one.
    pub access_log: Option<Arc<AccessLog>>,
    /// This gateway's entry in `Via`.
    pub via: Via,
}

impl Snapshot {
    /// A snapshot that answers nothing.
    pub fn empty(workers: usize) -> Self {
        let plan = Plan::empty(u32::try_from(workers).unwrap_or(u32::MAX));
        Self {
            table: RouteTable::default(),
            routes: Vec::new(),
            upstreams: Vec::new(),
            listeners: HashMap::new(),
            access_log: None,
            via: Via::default(),
            plan,
        }
    }

    /// Build what `plan` asks for, taking over from `before` what stayed the same.
    ///
    /// # Errors
    /// Everything that is wrong with the plan.
    pub fn build(
        plan: Plan,
        before: Option<&Snapshot>,
        metrics: &Metrics,
    ) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        let subsets = Subsets::of(&plan.routes);
        let upstreams = upstreams::build(&plan, &subsets, before, metrics, &mut issues);
        let table = RouteTable::build(&plan.routes, &plan.listeners)
            .map_err(|more| issues.extend(more))
            .ok();
        let routes = routes::build(&plan, before, &subsets, metrics, &mut issues);
        let listeners =
            plan.listeners.iter().enumerate().map(|(i, l)| (l.name.clone(), i)).collect();
        let via = Via::new(&plan.name);
        if via.is_none() || plan.name.is_empty() || plan.name.contains([' ', ';', ',', '"']) {
            issues.push(Issue::new("name", "expected a name without spaces or punctuation"));
        }
        if !(0.0..=1.0).contains(&plan.explain.sample) {
            issues.push(Issue::new("explain.sample", "expected a share from 0 to 1"));
        }
        let access_log = open_log(&plan, before, &mut issues);
        match (table, via) {
            (Some(table), Some(via)) if issues.is_empty() => {
                Ok(Self { table, routes, upstreams, listeners, access_log, via, plan })
            }
            _ => Err(issues),
        }
    }
}

fn open_log(
    plan: &Plan,
    before: Option<&Snapshot>,
    issues: &mut Vec<Issue>,
) -> Option<Arc<AccessLog>> {
    let wanted = plan.access_log.as_ref()?;
    if let Some(before) = before.filter(|before| before.plan.access_log.as_ref() == Some(wanted)) {
        return before.access_log.clone();
    }
    AccessLog::open(wanted, plan.workers as usize)
        .map_err(|error| {
            let wrong = format!("`{}` cannot be opened for appending: {error}", wanted.path);
            issues.push(Issue::new("access_log.path", wrong));
        })
        .ok()
}
