//! A worker: one thread, its event loop, and what is its own.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use slab::Slab;
use tidegate_core::balance::SplitMix64;
use tidegate_core::plan;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::account::explain::Archive;
use crate::account::metrics::{Metrics, RouteMetrics};
use crate::client::DrainSignal;
use crate::listen::accept;
use crate::net::ListenSocket;
use crate::snapshot::Listener;
use crate::snapshot::Snapshot;
use crate::upstream::Member;
use crate::upstream::pool::Pool;

/// How often unused connections are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// What the workers of an engine have in common.
pub struct Shared {
    /// All counts.
    pub metrics: Arc<Metrics>,
    /// The counts of requests that no route took.
    pub unrouted: Arc<RouteMetrics>,
    /// What became of recent requests.
    pub stories: Archive,
}

impl Shared {
    /// For so many workers, who count with `metrics`.
    pub fn new(metrics: Arc<Metrics>, workers: usize) -> Self {
        Self { unrouted: metrics.unrouted(), metrics, stories: Archive::new(workers) }
    }
}

/// What a worker is told.
pub enum Command {
    /// Decide by this snapshot from now on, and say so.
    Adopt(Arc<Snapshot>, Sender<()>),
    /// Accept connections.
    Listen(Arc<Listener>, ListenSocket),
    /// Accept no more connections of this listener, and let those there are end.
    Close(u64),
    /// Accept no more connections at all, and stop when the last has ended or the time is over.
    Drain(Duration, Sender<bool>),
}

/// A worker's own count of who uses a snapshot, so that requests of different workers do not write to
/// the same cache line.
pub type HeldSnapshot = Rc<Arc<Snapshot>>;

type Pools = HashMap<u64, Rc<Pool>, BuildHasherDefault<IdHasher>>;

/// One worker's own state. Only its thread ever sees it.
pub struct Worker {
    /// Its number.
    pub index: usize,
    /// What it shares with the others.
    pub shared: Arc<Shared>,
    /// Its random numbers.
    pub random: RefCell<SplitMix64>,
    /// Its connections, to be told when they should end.
    pub connections: RefCell<Slab<Rc<DrainSignal>>>,
    /// Copies for mirrors that are under way.
    pub mirrored: Cell<usize>,
    snapshot: RefCell<HeldSnapshot>,
    pools: RefCell<Pools>,
    date: RefCell<(u64, HeaderValue)>,
}

impl Worker {
    /// A worker that decides by `snapshot`.
    pub fn new(index: usize, shared: Arc<Shared>, snapshot: Arc<Snapshot>) -> Rc<Self> {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut seeds = SplitMix64::new(seed.as_nanos() as u64 ^ (index as u64) << 56);
        Rc::new(Self {
            index,
            shared,
            random: RefCell::new(SplitMix64::new(seeds.next())),
            connections: RefCell::default(),
            mirrored: Cell::new(0),
            snapshot: RefCell::new(Rc::new(snapshot)),
            pools: RefCell::default(),
            date: RefCell::new((0, HeaderValue::from_static(""))),
        })
    }

    /// What is decided by now. A request keeps the one it began with.
    pub fn snapshot(&self) -> HeldSnapshot {
        self.snapshot.borrow().clone()
    }

    /// This worker's connections to `member`.
    pub fn pool(&self, member: &Arc<Member>, plan: &plan::Pool) -> Rc<Pool> {
        let mut pools = self.pools.borrow_mut();
        let pool =
            pools.entry(member.id).or_insert_with(|| Rc::new(Pool::new(member.clone(), plan)));
        pool.configure(plan);
        pool.clone()
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

    /// Run a connection. One that panics ends alone, is logged and counted.
    pub fn spawn(self: &Rc<Self>, connection: impl Future<Output = ()> + 'static) {
        spawn_local(connection);
    }

    fn adopt(&self, snapshot: Arc<Snapshot>) {
        *self.snapshot.borrow_mut() = Rc::new(snapshot);
        self.sweep();
    }

    fn sweep(&self) {
        let now = Instant::now();
        self.pools.borrow_mut().retain(|_, pool| pool.sweep(now));
    }

    fn drain_connections(&self, of: impl Fn(&DrainSignal) -> bool) {
        let signals: Vec<_> =
            self.connections.borrow().iter().map(|(_, signal)| signal.clone()).collect();
        signals.iter().filter(|signal| of(signal)).for_each(|signal| signal.drain());
    }

    fn is_idle(&self) -> bool {
        self.connections.borrow().is_empty()
    }
}

/// Accept from `listeners` and carry out commands until told to drain, or until nobody is left to give any.
pub async fn run(
    worker: Rc<Worker>,
    listeners: Vec<(Arc<Listener>, ListenSocket)>,
    commands: &mut UnboundedReceiver<Command>,
) {
    let listen = |listener: Arc<Listener>, socket| {
        let id = listener.id;
        (id, spawn_local(accept(worker.clone(), listener, socket)).abort_handle())
    };
    let mut acceptors: HashMap<u64, AbortHandle> =
        listeners.into_iter().map(|(listener, socket)| listen(listener, socket)).collect();
    let mut sweeps = interval(SWEEP_EVERY);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            _ = sweeps.tick() => {
                worker.sweep();
                continue;
            }
        };
        match command {
            Some(Command::Adopt(snapshot, done)) => {
                worker.adopt(snapshot);
                // Whoever asked may have given up waiting.
                let _ = done.send(());
            }
            // A worker that was started anew meanwhile has it already.
            Some(Command::Listen(listener, socket)) if !acceptors.contains_key(&listener.id) => {
                acceptors.extend([listen(listener, socket)]);
            }
            Some(Command::Listen(..)) => {}
            Some(Command::Close(id)) => {
                if let Some(acceptor) = acceptors.remove(&id) {
                    acceptor.abort();
                }
                worker.drain_connections(|signal| signal.listener() == id);
            }
            Some(Command::Drain(limit, done)) => {
                acceptors.into_values().for_each(|acceptor| acceptor.abort());
                worker.drain_connections(|_| true);
                let _ = done.send(drained(&worker, limit).await);
                return;
            }
            None => return,
        }
    }
}

/// Wait until all connections have ended; false if they had not within `limit`.
async fn drained(worker: &Worker, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let mut looks = interval(Duration::from_millis(10));
    while !worker.is_idle() {
        if Instant::now() >= deadline {
            return false;
        }
        looks.tick().await;
        // Connections that were accepted or switched protocols meanwhile.
        worker.drain_connections(|_| true);
    }
    true
}

/// What a panic said.
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Members' ids are unique already.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, id: u64) {
        // Spread over the high bits, which the map looks at.
        self.0 = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
