//! Connections to one endpoint that one worker keeps for reuse.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Context;

use tidegate_core::plan;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Member;
use super::client::h1;
use super::client::multiplexed::Multiplexed;

/// One worker's connections to one endpoint. The one used last is used next, so that as few as
/// possible stay warm and the others grow old and are closed.
pub struct Pool {
    /// The endpoint.
    pub member: Arc<Member>,
    /// Held while a connection that many requests share is opened, so that a burst of requests opens one.
    pub opening: Mutex<()>,
    /// Whether HTTP/3 that the endpoint announced is being tried.
    pub trying_http3: Cell<bool>,
    idle: RefCell<Vec<Idle>>,
    shared: RefCell<Vec<Multiplexed>>,
    settings: Cell<Settings>,
}

struct Idle {
    connection: Box<h1::Connection>,
    since: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    idle_timeout: std::time::Duration,
    max_age: std::time::Duration,
    max_idle: usize,
    max_connections: Option<u32>,
}

impl From<&plan::Pool> for Settings {
    fn from(plan: &plan::Pool) -> Self {
        Self {
            idle_timeout: plan.idle_timeout.duration(),
            max_age: plan.max_age.duration(),
            max_idle: plan.max_idle as usize,
            max_connections: plan.max_connections.map(NonZeroU32::get),
        }
    }
}

impl Pool {
    /// An empty pool.
    pub fn new(member: Arc<Member>, plan: &plan::Pool) -> Self {
        Self {
            member,
            opening: Mutex::new(()),
            trying_http3: Cell::new(false),
            idle: RefCell::default(),
            shared: RefCell::default(),
            settings: Cell::new(plan.into()),
        }
    }

    /// Keep to `plan` from now on.
    pub fn configure(&self, plan: &plan::Pool) {
        self.settings.set(plan.into());
    }

    /// A connection that was used before and is still good; a `careful` caller has the socket itself
    /// asked.
    pub fn take(
        &self,
        now: Instant,
        careful: bool,
        cx: &mut Context<'_>,
    ) -> Option<Box<h1::Connection>> {
        loop {
            let Idle { mut connection, since } = self.idle.borrow_mut().pop()?;
            let settings = self.settings.get();
            let fresh = now.saturating_duration_since(since) < settings.idle_timeout
                && now.saturating_duration_since(connection.opened) < settings.max_age;
            if fresh && connection.is_quiet(cx) && !(careful && connection.io.has_news()) {
                return Some(connection);
            }
        }
    }

    /// Keep a connection whose response was read to its end, the last of it at `since`.
    pub fn put(&self, connection: Box<h1::Connection>, since: Instant) {
        let mut idle = self.idle.borrow_mut();
        let settings = self.settings.get();
        // An endpoint that has all the connections it may have must not be starved of them by a worker
        // that has no use for its own.
        let scarce = settings
            .max_connections
            .is_some_and(|most| self.member.endpoint.load.connections() >= most);
        if idle.len() < settings.max_idle && !scarce && !self.member.is_leaving() {
            idle.push(Idle { connection, since });
        }
    }

    /// A connection that many requests share, with room for another.
    pub fn shared(&self, now: Instant) -> Option<Multiplexed> {
        let max_age = self.settings.get().max_age;
        let shared = self.shared.borrow();
        shared.iter().find(|connection| connection.takes_streams(now, max_age)).cloned()
    }

    /// Keep a connection that many requests share; one over HTTP/3 is used before others.
    pub fn share(&self, connection: Multiplexed) {
        let mut shared = self.shared.borrow_mut();
        match connection {
            Multiplexed::H3(_) => shared.insert(0, connection),
            Multiplexed::H2(_) => shared.push(connection),
        }
    }

    /// Close what has been unused for too long; false once there is nothing left to keep this pool for.
    pub fn sweep(&self, now: Instant) -> bool {
        let settings = self.settings.get();
        let leaving = self.member.is_leaving();
        let mut idle = self.idle.borrow_mut();
        idle.retain(|idle| {
            !leaving && now.saturating_duration_since(idle.since) < settings.idle_timeout
        });
        let mut shared = self.shared.borrow_mut();
        shared.retain(|connection| {
            let usage = connection.usage();
            let unused =
                usage.idle_for(now).is_some_and(|idle| leaving || idle >= settings.idle_timeout);
            let old = usage.idle_for(now).is_some() && usage.age(now) >= settings.max_age;
            !usage.is_closed() && !unused && !old
        });
        !(leaving && shared.is_empty())
    }
}
