//! A snapshot: everything a request is decided by, built once and never changed.

mod access;
mod authenticators;
mod caches;
mod destinations;
mod fixed;
mod listener;
mod named;
mod rate_limits;
mod route;
mod routes;
mod stores;
mod subsets;
mod upstreams;

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_core::auth::{GuardedFields, SecretParameters};
use tidegate_core::plan::{self, Issue, Plan};
use tidegate_core::route::RouteTable;

pub use access::Access;
pub use authenticators::Authenticators;
pub use caches::CacheOfRoute;
pub use destinations::{Destination, Destinations};
pub use fixed::Fixed;
pub use listener::{Listener, Settings, transports};
pub use rate_limits::{LimitsOfRoute, RateLimits};
pub use route::{Action, Forward, Route, Split};

use self::subsets::Subsets;
use crate::account::Accounts;
use crate::account::access_log::AccessLog;
use crate::http::via::Via;
use crate::objects::auth::Authenticator;
use crate::objects::auth::live::LiveAuthenticators;
use crate::objects::cache::Cache;
use crate::objects::geoip::GeoIp;
use crate::objects::keeper::{Keeper, Object};
use crate::objects::rate::RateLimit;
use crate::objects::store::Store;
use crate::upstream::Upstream;
use crate::upstream::live::LiveEndpoints;

/// Everything a request is decided by.
#[derive(Debug)]
pub struct Snapshot {
    /// What was asked for.
    pub plan: Plan,
    /// Finds a request's route, as an index into `routes`.
    pub table: Arc<RouteTable>,
    /// In the plan's order.
    pub routes: Vec<Arc<Route>>,
    /// By route.
    pub destinations: Vec<Destinations>,
    /// In the plan's order.
    pub upstreams: Vec<Arc<Upstream>>,
    /// In the plan's order.
    pub rate_limits: Vec<Arc<RateLimit>>,
    /// In the plan's order.
    pub stores: Vec<Arc<Store>>,
    /// By route.
    pub limits_of_routes: Vec<LimitsOfRoute>,
    /// By name of the listener, where it has some.
    pub limits_of_listeners: HashMap<String, RateLimits>,
    /// In the plan's order.
    pub authenticators: Vec<Arc<Authenticator>>,
    /// By route.
    pub authenticators_of_routes: Vec<Authenticators>,
    /// In the plan's order.
    pub caches: Vec<Arc<Cache>>,
    /// By route, where it asks one.
    pub caches_of_routes: Vec<Option<CacheOfRoute>>,
    /// The upstreams that authenticators ask, by the authenticator's name.
    pub asked_upstreams: HashMap<String, Arc<Upstream>>,
    /// Those that tell upstreams of identities, on any route.
    pub guarded_fields: Arc<GuardedFields>,
    /// Those in which credentials come, which are not logged.
    pub secret_parameters: Option<Arc<SecretParameters>>,
    /// Index of each listener by name.
    pub listeners: HashMap<String, usize>,
    /// What knows where addresses are.
    pub geoip: Arc<GeoIp>,
    /// The access log, where there is one.
    pub access_log: Option<Arc<AccessLog>>,
    /// This gateway's entry in `Via`.
    pub via: Via,
}

/// What holds beside a plan.
#[derive(Clone, Copy)]
pub struct Live<'a> {
    /// Of endpoints.
    pub endpoints: &'a LiveEndpoints,
    /// Of authenticators.
    pub authenticators: &'a LiveAuthenticators,
}

impl Snapshot {
    /// A snapshot that answers nothing.
    pub fn empty(workers: usize) -> Self {
        let plan = Plan::empty(workers);
        Self {
            table: Arc::default(),
            routes: Vec::new(),
            destinations: Vec::new(),
            upstreams: Vec::new(),
            rate_limits: Vec::new(),
            stores: Vec::new(),
            limits_of_routes: Vec::new(),
            limits_of_listeners: HashMap::new(),
            authenticators: Vec::new(),
            authenticators_of_routes: Vec::new(),
            caches: Vec::new(),
            caches_of_routes: Vec::new(),
            asked_upstreams: HashMap::new(),
            guarded_fields: Arc::default(),
            secret_parameters: None,
            listeners: HashMap::new(),
            geoip: Arc::default(),
            access_log: None,
            via: Via::default(),
            plan,
        }
    }

    /// Build what `plan` asks for, taking over from `before` what stayed the same. Beside it holds what is `live`.
    ///
    /// # Errors
    /// Everything that is wrong with the plan.
    pub fn build(
        plan: Plan,
        before: Option<&Snapshot>,
        live: Live<'_>,
        accounts: &Accounts,
    ) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        let subsets = Subsets::of(&plan.routes);
        let upstreams =
            upstreams::build(&plan, &subsets, before, live.endpoints, accounts, &mut issues);
        let destinations = destinations::build(&plan, &upstreams, &subsets, &mut issues);
        let asked_upstreams = authenticators::asked(&plan, &upstreams, &mut issues);
        let upstreams = upstreams.into_iter().flatten().collect();
        let stores = stores::build(&plan, before, &accounts.metrics, &mut issues);
        let limits = rate_limits::build(&plan, &stores, before, &accounts.metrics, &mut issues);
        let (limits_of_routes, limits_of_listeners) =
            rate_limits::of_all(&plan, &limits, &mut issues);
        let rate_limits = limits.into_iter().flatten().collect();
        let built =
            authenticators::build(&plan, before, live.authenticators, accounts, &mut issues);
        let authenticators_of_routes = authenticators::of_routes(&plan, &built, &mut issues);
        let authenticators: Vec<_> = built.into_iter().flatten().collect();
        let caches = caches::build(&plan, &stores, before, &accounts.metrics, &mut issues);
        let caches_of_routes = caches::of_routes(&plan, &caches, &accounts.metrics, &mut issues);
        let caches = caches.into_iter().flatten().collect();
        let table = match before.filter(|before| has_table_of(before, &plan)) {
            Some(before) => Some(before.table.clone()),
            None => route_table(&plan).map_err(|more| issues.extend(more)).ok().map(Arc::new),
        };
        let routes = routes::build(&plan, before, &accounts.metrics, &mut issues);
        let guarded_fields = authenticators::guarded(&plan, &routes, &authenticators, &mut issues);
        let parameters = authenticators.iter().flat_map(|each| each.credential_parameters());
        let secret_parameters = SecretParameters::new(parameters).map(Arc::new);
        let listeners =
            plan.listeners.iter().enumerate().map(|(i, l)| (l.name.clone(), i)).collect();
        let via = Via::new(&plan.name);
        if via.is_none() || plan.name.is_empty() || plan.name.contains([' ', ';', ',', '"']) {
            issues.push(Issue::new("name", "expected a name without spaces or punctuation"));
        }
        let access_log = open_log(&plan, before, &mut issues);
        match (table, via) {
            (Some(table), Some(via)) if issues.is_empty() => Ok(Self {
                table,
                routes,
                destinations,
                upstreams,
                rate_limits,
                stores: stores.into_iter().flatten().collect(),
                limits_of_routes,
                limits_of_listeners,
                authenticators,
                authenticators_of_routes,
                caches,
                caches_of_routes,
                asked_upstreams,
                guarded_fields: Arc::new(guarded_fields),
                secret_parameters,
                listeners,
                geoip: before.map(|before| before.geoip.clone()).unwrap_or_default(),
                access_log,
                via,
                plan,
            }),
            _ => Err(issues),
        }
    }
}

/// The table of a plan's routes.
///
/// # Errors
/// Everything that is wrong with how they match.
pub fn route_table(plan: &Plan) -> Result<RouteTable, Vec<Issue>> {
    let listeners: Vec<_> = plan.listeners.iter().map(|listener| listener.name.as_str()).collect();
    RouteTable::build(&plan.routes, &listeners)
}

/// Whether the table of `before` is that of `plan` too.
fn has_table_of(before: &Snapshot, plan: &Plan) -> bool {
    let names =
        |plan: &Plan| -> Vec<_> { plan.listeners.iter().map(|each| each.name.clone()).collect() };
    names(&before.plan) == names(plan) && RouteTable::serves_both(&before.plan.routes, &plan.routes)
}

fn open_log(
    plan: &Plan,
    before: Option<&Snapshot>,
    issues: &mut Vec<Issue>,
) -> Option<Arc<AccessLog>> {
    let wanted = plan.access_log.as_ref()?;
    let keeper = Keeper::of(before.and_then(|before| before.access_log.as_ref()));
    let workers = plan.workers.get() as usize;
    let kept = keeper.keep(&wanted.path, wanted, |wanted, _| AccessLog::open(wanted, workers));
    kept.map_err(|error| {
        let wrong = format!("`{}` cannot be opened for appending: {error}", wanted.path);
        issues.push(Issue::new("access_log.path", wrong));
    })
    .ok()
}

impl Object for AccessLog {
    type Plan<'p> = &'p plan::AccessLog;

    fn name(&self) -> &str {
        &self.plan.path
    }

    fn is_of(&self, plan: &&plan::AccessLog) -> bool {
        self.plan == **plan
    }
}
