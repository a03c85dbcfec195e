//! A worker's own state.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use slab::Slab;
use tidegate_core::balance::SplitMix64;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::account::Accounts;
use crate::long_work::LongWork;
use crate::objects::cache::Hot;
use crate::quic::ServerEndpoints;
use crate::snapshot::Snapshot;
use crate::upstream::outbound::Outbound;

/// A worker's own count of the uses of a snapshot, so that requests of different workers do not write to
/// the same cache line.
pub type HeldSnapshot = Rc<Arc<Snapshot>>;

/// How long the two sides of a WebSocket have to part in an orderly way, once it is to end.
pub const FAREWELL: Duration = Duration::from_secs(1);

/// One worker's own state. Only its thread ever sees it.
pub struct Local {
    /// What it sends requests with; its number is there.
    pub outbound: Outbound,
    /// What all workers count and remember in.
    pub accounts: Arc<Accounts>,
    /// Its clients' connections, to be told when they should end.
    pub connections: RefCell<Slab<Rc<DrainSignal>>>,
    /// The tunnels on them, to be told when their time is over.
    pub tunnels: RefCell<Slab<Rc<DrainSignal>>>,
    /// Where its clients come in over QUIC.
    pub server_endpoints: ServerEndpoints,
    /// Where slow hashes wait to be computed.
    pub hashing: Arc<LongWork>,
    /// Its copies of what it serves most from caches.
    pub hot: Hot,
    /// Copies for mirrors that are under way.
    pub mirrored: Cell<usize>,
    snapshot: RefCell<HeldSnapshot>,
    date: RefCell<(u64, HeaderValue)>,
}

impl Local {
    /// The state of worker `index`, which decides by `snapshot`.
    pub fn new(
        index: usize,
        accounts: Arc<Accounts>,
        [long_work, hashing]: [Arc<LongWork>; 2],
        snapshot: Arc<Snapshot>,
    ) -> Rc<Self> {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut seeds = SplitMix64::new(seed.as_nanos() as u64 ^ (index as u64) << 56);
        Rc::new(Self {
            outbound: Outbound::new(index, SplitMix64::new(seeds.next()), long_work),
            accounts,
            hashing,
            connections: RefCell::default(),
            tunnels: RefCell::default(),
            server_endpoints: ServerEndpoints::new(index),
            hot: Hot::default(),
            mirrored: Cell::new(0),
            snapshot: RefCell::new(Rc::new(snapshot)),
            date: RefCell::new((0, HeaderValue::from_static(""))),
        })
    }

    /// The worker's number.
    pub fn index(&self) -> usize {
        self.outbound.worker
    }

    /// What is decided by now. A request keeps the one it began with.
    pub fn snapshot(&self) -> HeldSnapshot {
        self.snapshot.borrow().clone()
    }

    /// Decide by `snapshot` from now on.
    pub fn adopt(&self, snapshot: Arc<Snapshot>) {
        *self.snapshot.borrow_mut() = Rc::new(snapshot);
        self.outbound.sweep(Instant::now());
    }

    /// The time as `Date` writes it (RFC 9110 §5.6.7).
    pub fn date(&self) -> HeaderValue {
        let now = SystemTime::now();
        let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut date = self.date.borrow_mut();
        if date.0 != second {
            let text = httpdate::fmt_http_date(now);
            *date = (second, HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("")));
        }
        date.1.clone()
    }

    /// Tell connections that they are to end.
    pub fn drain_connections(&self, of: impl Fn(&DrainSignal) -> bool) {
        drain(&self.connections, of);
    }

    /// Tell tunnels that their connections are about to be cut.
    pub fn end_tunnels(&self, of: impl Fn(&DrainSignal) -> bool) {
        drain(&self.tunnels, of);
    }

    /// End connections wherever they are.
    pub fn cut_connections(&self, of: impl Fn(&DrainSignal) -> bool) {
        let connections = self.connections.borrow();
        let signals = connections.iter().map(|(_, signal)| signal).filter(|signal| of(signal));
        signals.filter_map(|signal| signal.task.get()).for_each(AbortHandle::abort);
    }

    /// Whether a tunnel is left.
    pub fn has_tunnels(&self, of: impl Fn(&DrainSignal) -> bool) -> bool {
        self.tunnels.borrow().iter().any(|(_, signal)| of(signal))
    }

    /// Whether no connection is left.
    pub fn is_idle(&self) -> bool {
        self.connections.borrow().is_empty()
    }
}

fn drain(signals: &RefCell<Slab<Rc<DrainSignal>>>, of: impl Fn(&DrainSignal) -> bool) {
    let signals: Vec<_> = signals.borrow().iter().map(|(_, signal)| signal.clone()).collect();
    signals.iter().filter(|signal| of(signal)).for_each(|signal| signal.drain());
}

/// A tunnel's place among those of its worker; given back when dropped.
pub struct TunnelPlace {
    local: Rc<Local>,
    key: usize,
    /// Tells the tunnel to end.
    pub signal: Rc<DrainSignal>,
}

impl TunnelPlace {
    /// Of a tunnel on a connection of the listener of this id.
    pub fn enter(local: &Rc<Local>, listener: u64) -> Self {
        let signal = DrainSignal::new(listener);
        let key = local.tunnels.borrow_mut().insert(signal.clone());
        Self { local: local.clone(), key, signal }
    }
}

impl Drop for TunnelPlace {
    fn drop(&mut self) {
        self.local.tunnels.borrow_mut().remove(self.key);
    }
}

/// Tells a connection, or a tunnel, that waits that it should end.
#[derive(Default)]
pub struct DrainSignal {
    listener: u64,
    draining: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    task: OnceCell<AbortHandle>,
}

impl DrainSignal {
    /// For what came in through the listener of this id.
    pub fn new(listener: u64) -> Rc<Self> {
        Rc::new(Self { listener, ..Self::default() })
    }

    /// The connection is served by this task.
    pub fn runs_as(&self, task: AbortHandle) {
        let _ = self.task.set(task);
    }

    /// The listener that it came in through.
    pub fn listener(&self) -> u64 {
        self.listener
    }

    /// Whether it is to end: a connection after the request that it is busy with, a tunnel as soon as its protocol allows.
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Like [`is_draining`](Self::is_draining), and the task is woken when that changes.
    pub fn poll_draining(&self, cx: &Context<'_>) -> bool {
        if self.is_draining() {
            return true;
        }
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        false
    }

    /// Tell it to end.
    pub fn drain(&self) {
        self.draining.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
