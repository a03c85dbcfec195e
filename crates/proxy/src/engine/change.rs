//! From one snapshot to the next: what is built and what is kept.

use std::collections::HashSet;
use std::sync::Arc;

use tidegate_core::plan::{Issue, Plan};

use super::diff::Diff;
use crate::account::Accounts;
use crate::net::Address;
use crate::net::{ListenSocket, listen_socket as socket};
use crate::snapshot::Snapshot;
use crate::snapshot::{Listener, Settings};

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

pub(super) fn prepare(
    plan: Plan,
    base: u64,
    before: &Arc<Snapshot>,
    existing: Vec<Arc<Listener>>,
    accounts: &Accounts,
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
        let listener = kept
            .unwrap_or_else(|| Listener::new(wanted, address, settings.clone(), &accounts.metrics));
        listeners.push(PreparedListener { listener, settings, sockets: Vec::new() });
    }
    let workers = plan.workers as usize;
    let diff = Diff::between(&before.plan, &plan);
    let snapshot = Snapshot::build(plan, Some(before), accounts).map_err(|more| {
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
