//! From one snapshot to the next: what is built, what is kept, what differs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use tidegate_core::plan::{Issue, Plan};

use crate::listen::{ListenSocket, Listener, Settings, socket};
use crate::snapshot::Snapshot;
use crate::telemetry::metrics::Metrics;
use crate::upstream::Address;

/// A snapshot that is built, its new listeners bound, and that waits to be committed.
pub struct Prepared {
    pub(super) base: u64,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) listeners: Vec<PreparedListener>,
    /// What a commit would change.
    pub diff: Diff,
}

/// A listener of the new snapshot; one that exists already has no sockets here.
pub(super) struct PreparedListener {
    pub(super) listener: Arc<Listener>,
    pub(super) settings: Arc<Settings>,
    pub(super) sockets: Vec<ListenSocket>,
}

/// What a commit would change, by name.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Listeners.
    pub listeners: Names,
    /// Routes.
    pub routes: Names,
    /// Upstreams.
    pub upstreams: Names,
}

/// Names of one kind of thing, by what happens to it.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// It is new.
    pub added: Vec<String>,
    /// It is gone.
    pub removed: Vec<String>,
    /// It is another than before.
    pub changed: Vec<String>,
}

pub(super) fn prepare(
    plan: Plan,
    base: u64,
    before: &Arc<Snapshot>,
    existing: Vec<Arc<Listener>>,
    metrics: &Metrics,
) -> Result<Prepared, Vec<Issue>> {
    let mut issues = Vec::new();
    let mut listeners = Vec::with_capacity(plan.listeners.len());
    for (index, wanted) in plan.listeners.iter().enumerate() {
        let path = format!("listeners.{index}");
        let address = match Address::parse(&wanted.address) {
            Ok(address) => address,
            Err(wrong) => {
                issues.push(Issue::new(format!("{path}.address"), wrong));
                continue;
            }
        };
        let of_name = existing.iter().find(|listener| listener.name == wanted.name);
        let now = of_name.map(|listener| listener.settings.load_full());
        let settings = match Settings::build(wanted, now.as_ref(), &path) {
            Ok(settings) => settings,
            Err(more) => {
                issues.extend(more);
                continue;
            }
        };
        let kept = of_name.filter(|listener| listener.address == address).cloned();
        let listener =
            kept.unwrap_or_else(|| Listener::new(wanted, address, settings.clone(), metrics));
        listeners.push(PreparedListener { listener, settings, sockets: Vec::new() });
    }
    let workers = plan.workers.get() as usize;
    let diff = Diff::between(&before.plan, &plan);
    let snapshot = Snapshot::build(plan, Some(before), metrics).map_err(|more| {
        issues.extend(more);
    });
    if let (Ok(snapshot), true) = (snapshot, issues.is_empty()) {
        bind(&mut listeners, &existing, workers, &mut issues);
        if issues.is_empty() {
            return Ok(Prepared { base, snapshot: Arc::new(snapshot), listeners, diff });
        }
    }
    Err(issues)
}

/// Bind the sockets of the listeners that are new.
fn bind(
    listeners: &mut [PreparedListener],
    existing: &[Arc<Listener>],
    workers: usize,
    issues: &mut Vec<Issue>,
) {
    for (index, prepared) in listeners.iter_mut().enumerate() {
        let listener = &prepared.listener;
        if existing.iter().any(|known| known.id == listener.id) {
            continue;
        }
        // A port that this process listens on already goes over from one listener to another.
        let taken_over = existing.iter().any(|known| known.address.shares_port(&listener.address));
        match socket::bind(&listener.address, workers, taken_over) {
            Ok(sockets) => prepared.sockets = sockets,
            Err(wrong) => issues.push(Issue::new(format!("listeners.{index}.address"), wrong)),
        }
    }
}

/// Mark the endpoints that `after` no longer reaches in the same way as `before`.
pub(super) fn retire(before: &Snapshot, after: &Snapshot) {
    let kept: HashSet<u64> =
        after.upstreams.iter().flat_map(|upstream| &upstream.members).map(|m| m.id).collect();
    before
        .upstreams
        .iter()
        .flat_map(|upstream| &upstream.members)
        .filter(|member| !kept.contains(&member.id))
        .for_each(|member| member.retire());
}

impl Diff {
    fn between(before: &Plan, after: &Plan) -> Self {
        Self {
            listeners: Names::between(&before.listeners, &after.listeners, |each| &each.name),
            routes: Names::between(&before.routes, &after.routes, |each| &each.name),
            upstreams: Names::between(&before.upstreams, &after.upstreams, |each| &each.name),
        }
    }
}

impl Names {
    fn between<T: PartialEq>(before: &[T], after: &[T], name: impl Fn(&T) -> &String) -> Self {
        let known: HashMap<&String, &T> = before.iter().map(|each| (name(each), each)).collect();
        let wanted: HashSet<&String> = after.iter().map(&name).collect();
        let mut names = Self::default();
        for each in after {
            match known.get(name(each)) {
                None => names.added.push(name(each).clone()),
                Some(same) if *same == each => {}
                Some(_) => names.changed.push(name(each).clone()),
            }
        }
        let gone = before.iter().map(name).filter(|name| !wanted.contains(name));
        names.removed = gone.cloned().collect();
        names
    }
}
