//! From one snapshot to the next: what is built and what is kept.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;

use parking_lot::Mutex;
use tidegate_core::plan::{Issue, Plan};

use super::diff::Diff;
use crate::account::Accounts;
use crate::net::{Address, Binding, Transports, UdpSockets, clock, listen_socket as socket};
use crate::objects::auth::live::LiveAuthenticators;
use crate::objects::cache::Cache;
use crate::objects::keeper::{Keeper, Object};
use crate::objects::rate::RateLimit;
use crate::quic::Secret;
use crate::snapshot::{Listener, Live, Settings, Snapshot, transports};
use crate::upstream::Upstream;
use crate::upstream::live::LiveEndpoints;

/// A snapshot that is built, its new listeners bound, and that waits to be committed.
pub struct Prepared {
    pub(super) base: u64,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) listeners: Vec<PreparedListener>,
    /// What a commit would change.
    pub diff: Diff,
}

/// A listener of the new snapshot. One that exists already is not bound anew, nor one that takes an address over, but for
/// transports that are new there.
pub(super) struct PreparedListener {
    pub(super) listener: Arc<Listener>,
    pub(super) settings: Arc<Settings>,
    pub(super) binding: Option<Binding>,
}

/// What listens now.
#[derive(Default)]
pub(super) struct Existing {
    pub(super) listeners: Vec<Arc<Listener>>,
    /// Sockets on which nothing listens any more, while connections on them end.
    pub(super) parting: Vec<(Address, Arc<UdpSockets>)>,
}

impl Existing {
    /// What this process has sockets for on the port of `address`, there or at other addresses: to be shared.
    fn transports_of_port(&self, address: &Address) -> Transports {
        let listeners = self.listeners.iter();
        let of_port = listeners.filter(|known| known.address.shares_port(address));
        let listened = of_port.fold(Transports::default(), |all, known| all.and(known.transports));
        let is_left = self.parting.iter().any(|(left, _)| left.shares_port(address));
        listened.and(Transports { stream: false, datagram: is_left })
    }
}

/// What is supplied beside the plan.
pub(super) struct Supplied<'a> {
    pub(super) endpoints: &'a Mutex<LiveEndpoints>,
    pub(super) authenticators: &'a LiveAuthenticators,
    pub(super) quic_secret: &'a Secret,
}

pub(super) fn prepare(
    plan: Plan,
    base: u64,
    before: &Arc<Snapshot>,
    existing: &Existing,
    supplied: &Supplied<'_>,
    accounts: &Accounts,
) -> Result<Prepared, Vec<Issue>> {
    let mut issues = Vec::new();
    let mut listeners =
        prepare_listeners(&plan, &existing.listeners, supplied.quic_secret, accounts, &mut issues);
    let workers = plan.workers.get() as usize;
    let diff = Diff::between(&before.plan, &plan);
    let Supplied { endpoints, authenticators, .. } = supplied;
    let live = Live { endpoints: &endpoints.lock(), authenticators };
    let snapshot = Snapshot::build(plan, Some(before), live, accounts).map_err(|more| {
        issues.extend(more);
    });
    if let (Ok(snapshot), true) = (snapshot, issues.is_empty()) {
        bind(&mut listeners, existing, workers, &mut issues);
        if issues.is_empty() {
            return Ok(Prepared { base, snapshot: Arc::new(snapshot), listeners, diff });
        }
    }
    Err(issues)
}

/// The listeners of `plan`; those that are new have no sockets yet.
fn prepare_listeners(
    plan: &Plan,
    existing: &[Arc<Listener>],
    quic_secret: &Secret,
    accounts: &Accounts,
    issues: &mut Vec<Issue>,
) -> Vec<PreparedListener> {
    let served: Vec<_> = existing.iter().map(|listener| listener.settings.load_full()).collect();
    let (known_settings, known_listeners) = (Keeper::of(&served), Keeper::of(existing));
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
        let settings = known_settings.keep(&wanted.name, wanted, |wanted, now| {
            Settings::build(wanted, &address, now, quic_secret, &path)
        });
        let settings = match settings {
            Ok(settings) => settings,
            Err(more) => {
                issues.extend(more);
                continue;
            }
        };
        let place = (address, transports(wanted));
        let listener = known_listeners.keep(&wanted.name, &place, |place, _| {
            Ok(Listener::new(&wanted.name, place.clone(), &settings, &accounts.metrics))
        });
        let Ok::<_, Infallible>(listener) = listener;
        listeners.push(PreparedListener { listener, settings, binding: None });
    }
    listeners
}

/// Bind the sockets of the listeners that are new; those of an address that goes over from one that is gone are
/// bound already.
fn bind(
    listeners: &mut [PreparedListener],
    existing: &Existing,
    workers: usize,
    issues: &mut Vec<Issue>,
) {
    let kept: HashSet<u64> = listeners.iter().map(|prepared| prepared.listener.id).collect();
    for (index, prepared) in listeners.iter_mut().enumerate() {
        let listener = &prepared.listener;
        let is_bound = |known: &&Arc<Listener>| {
            known.id == listener.id
                || (known.address == listener.address && !kept.contains(&known.id))
        };
        let bound = existing.listeners.iter().find(is_bound).map(|known| known.transports);
        let mut missing = listener.transports.beyond(bound.unwrap_or_default());
        if !missing.are_some() {
            continue;
        }
        let ours = existing.transports_of_port(&listener.address);
        // New sockets beside those that are left would not be told from them by the filter.
        let mut left = existing.parting.iter().filter(|_| missing.datagram);
        let left = left.find(|(address, _)| *address == listener.address);
        missing.datagram &= left.is_none();
        let rights = prepared.settings.rights;
        match socket::bind(&listener.address, missing, rights, workers, ours) {
            Ok(mut binding) => {
                binding.datagrams = binding.datagrams.or(left.map(|(_, sockets)| sockets.clone()));
                prepared.binding = Some(binding);
            }
            Err(wrong) => issues.push(Issue::new(format!("listeners.{index}.address"), wrong)),
        }
    }
}

/// Put the upstreams and rate limits that are new or other ones in `after` into force, and mark the endpoints that it
/// no longer reaches in the same way as `before`.
pub(super) fn take_over(
    before: &Snapshot,
    after: &Snapshot,
    live: &LiveEndpoints,
    accounts: &Accounts,
) {
    succeed(&before.rate_limits, &after.rate_limits);
    exchange_disks(&before.caches, &after.caches);
    let begun = missing_from(&after.upstreams, &before.upstreams);
    let ended = missing_from(&before.upstreams, &after.upstreams);
    let heirs: HashMap<&str, &Arc<Upstream>> =
        begun.iter().map(|upstream| (upstream.plan.name.as_str(), *upstream)).collect();
    let predecessors: HashMap<&str, &Arc<Upstream>> =
        ended.iter().map(|upstream| (upstream.plan.name.as_str(), *upstream)).collect();
    for (name, upstream) in &heirs {
        upstream.begin(live.of(name), predecessors.get(name).map(|before| &***before), accounts);
    }
    for (name, upstream) in predecessors {
        let heir = heirs.get(name).map(|heir| heir.membership());
        upstream.membership().give_way(heir.as_deref().map(Arc::as_ref));
    }
}

/// Rate limits that are other ones go on where those of their names end.
fn succeed(before: &[Arc<RateLimit>], after: &[Arc<RateLimit>]) {
    let now = clock::now();
    let ended: HashMap<_, _> =
        missing_from(before, after).into_iter().map(|limit| (limit.name(), limit)).collect();
    for limit in missing_from(after, before) {
        if let Some(before) = ended.get(limit.name()) {
            limit.succeed(before, now);
        }
    }
}

/// The disks of caches that are other ones are what their plans say; those that no cache has any more end.
fn exchange_disks(before: &[Arc<Cache>], after: &[Arc<Cache>]) {
    missing_from(after, before).into_iter().for_each(|cache| cache.begin());
    let disks =
        |caches: &[Arc<Cache>]| caches.iter().filter_map(|cache| cache.disk().cloned()).collect();
    let (before, after): (Vec<_>, Vec<_>) = (disks(before), disks(after));
    missing_from(&before, &after).into_iter().for_each(|disk| disk.end());
}

/// Those of `objects` that are not among the `others`.
fn missing_from<'a, T>(objects: &'a [Arc<T>], others: &[Arc<T>]) -> Vec<&'a Arc<T>> {
    let others: HashSet<_> = others.iter().map(Arc::as_ptr).collect();
    objects.iter().filter(|object| !others.contains(&Arc::as_ptr(object))).collect()
}
