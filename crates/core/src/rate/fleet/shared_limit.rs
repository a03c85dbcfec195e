//! What a limit has in common with the same limit of other gateways.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::purse::{Grant, Order, Purse, Tokens};
use super::purses::Purses;
use super::quota::SharedQuota;
use crate::rate::key::{Key, SharedKey};
use crate::rate::window::Window;
use crate::time::Moment;

/// What decides of requests while the store does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Each gateway by its own part of the quota.
    Local,
    /// They are let go.
    Open,
    /// They are refused.
    Closed,
}

/// How a limit is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedTerms {
    /// Identity of the store: a limit that goes to another begins anew.
    pub store: Box<str>,
    /// What decides of requests while the store does not.
    pub on_failure: OnFailure,
    /// For how long a lease holds, and what the store said of a key.
    pub lease: Duration,
    /// Gateways that are assumed to share it until the store has told, and at least.
    pub gateways: u32,
}

/// A limit that several gateways share, as one of them sees it.
#[derive(Debug)]
pub struct SharedLimit {
    terms: SharedTerms,
    quotas: Box<[SharedQuota]>,
    /// What goes on with the next limit of this name.
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    is_up: AtomicBool,
    gateways: AtomicU32,
    purses: Purses,
}

/// What a request for a key finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// It can be decided.
    Ready,
    /// The store is about to tell of the key, which the request had better wait for.
    Unheard,
}

/// By what a request is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// The purse has what it costs.
    Spend,
    /// There is nothing to be had for it.
    Refuse,
    /// The store does not tell: this gateway's own part of the quota.
    Local,
    /// The store does not tell: it is let go.
    Open,
}

impl From<OnFailure> for Ruling {
    fn from(on_failure: OnFailure) -> Self {
        match on_failure {
            OnFailure::Local => Self::Local,
            OnFailure::Open => Self::Open,
            OnFailure::Closed => Self::Refuse,
        }
    }
}

impl SharedLimit {
    /// Of a limit with these windows; it goes on with the purses of `old`, if that is of the same store.
    pub fn new(terms: SharedTerms, windows: &[Window], old: Option<&Self>) -> Self {
        let old = old.filter(|old| old.terms.store == terms.store);
        let state = old.map_or_else(Arc::default, |old| old.state.clone());
        Self { quotas: SharedQuota::of_windows(windows), state, terms }
    }

    /// How it is shared.
    pub const fn terms(&self) -> &SharedTerms {
        &self.terms
    }

    /// Its windows.
    pub const fn quotas(&self) -> &[SharedQuota] {
        &self.quotas
    }

    /// How many gateways share it.
    pub fn gateways(&self) -> u32 {
        self.state.gateways.load(Relaxed).max(self.terms.gateways)
    }

    // What requests ask

    /// A request for `cost` units of `key` comes: make sure that there is a purse. `name` is what the store calls
    /// the key; `left` is what is left of it as far as is known here, `None` if nothing is known.
    pub fn open(
        &self,
        key: Key,
        cost: u64,
        now: Moment,
        name: impl FnOnce() -> SharedKey,
        left: impl Fn() -> Option<u64>,
    ) -> Opening {
        let make = || {
            let silence = left().map(|_| Duration::ZERO);
            Purse::new(name(), &self.quotas, self.gateways(), silence)
        };
        let needs = cost.max(1);
        let opening = self.state.purses.change_or_make(key, make, |purse| {
            purse.wake(&self.quotas, self.gateways(), now);
            if !self.is_up() || self.can_decide(purse, needs, now) {
                return Opening::Ready;
            }
            if left().is_some_and(|left| left < needs) {
                return Opening::Ready;
            }
            purse.awaited(needs);
            Opening::Unheard
        });
        opening.unwrap_or(Opening::Ready)
    }

    /// Whether the store has told by now what a request for `cost` units of `key` waits to hear, or will not tell.
    pub fn is_heard(&self, key: Key, cost: u64, now: Moment) -> bool {
        let can_decide = |purse: &mut Purse| self.can_decide(purse, cost.max(1), now);
        !self.is_up() || self.state.purses.look(key, can_decide).unwrap_or(true)
    }

    fn can_decide(&self, purse: &Purse, needs: u64, now: Moment) -> bool {
        purse.available() >= needs as i64 || purse.is_known_short(self.terms.lease, now)
    }

    /// By what a request for `cost` units of `key` is decided. What costs nothing (or nothing yet) passes where one
    /// unit is left.
    pub(in crate::rate) fn ruling(&self, key: Key, cost: u64, now: Moment) -> Ruling {
        let alone = self.terms.on_failure.into();
        if !self.is_up() {
            return alone;
        }
        let ruling = self.state.purses.change(key, |purse| {
            if purse.available() >= cost.max(1) as i64 {
                Ruling::Spend
            } else if purse.is_heard(self.terms.lease, now) {
                purse.refused(cost.max(1));
                Ruling::Refuse
            } else {
                alone
            }
        });
        ruling.unwrap_or(alone)
    }

    /// Spend what the purse was seen to have; false if another request was quicker.
    pub(in crate::rate) fn spend(&self, key: Key, cost: u64, now: Moment) -> bool {
        let spent = self.state.purses.change(key, |purse| {
            let has = purse.available() >= cost as i64;
            if has {
                purse.spend(cost, now);
            }
            has
        });
        spent.unwrap_or(false)
    }

    /// Spend what the purse has or has not: it is booked all the same.
    pub(in crate::rate) fn book(&self, key: Key, cost: u64, now: Moment) {
        self.state.purses.change(key, |purse| purse.spend(cost, now));
    }

    /// The same where this gateway decides by its own part of the quota.
    pub(in crate::rate) fn book_local(&self, key: Key, cost: u64, now: Moment) {
        let is_up = self.is_up();
        self.state.purses.change(key, |purse| {
            purse.spend(cost, now);
            if !is_up {
                purse.leave_alone();
            }
        });
    }

    /// Take back what was spent.
    pub(in crate::rate) fn give_back(&self, key: Key, cost: u64) {
        self.state.purses.change(key, |purse| purse.give_back(cost));
    }

    /// What a request that is decided by this gateway's own part of the quota takes of the whole: as much as is spent by
    /// all gateways that get as many requests.
    pub(in crate::rate) fn local(&self, cost: u64) -> u64 {
        cost.saturating_mul(self.gateways().into())
    }

    /// What was spent in the end of a request is known: book it. The answer is what it takes of what is known here.
    pub(in crate::rate) fn settle(&self, key: Key, debt: u64, now: Moment) -> u64 {
        if !self.is_up() && self.terms.on_failure == OnFailure::Local {
            self.book_local(key, debt, now);
            return self.local(debt);
        }
        self.book(key, debt, now);
        debt
    }

    /// Forget what all gateways have spent of `key`, as soon as the store can be told.
    pub fn forget(&self, key: Key, name: SharedKey) {
        let make = || Purse::new(name, &self.quotas, self.gateways(), None);
        self.state.purses.change_or_make(key, make, Purse::forget);
    }

    // What the store is told, and tells

    /// Whether the store answers.
    pub fn is_up(&self) -> bool {
        self.state.is_up.load(Relaxed)
    }

    /// The store answers from now on, or does not any more.
    pub fn set_up(&self, is_up: bool) {
        self.state.is_up.store(is_up, Relaxed);
    }

    /// So many gateways share it.
    pub fn set_gateways(&self, gateways: u32) {
        self.state.gateways.store(gateways, Relaxed);
    }

    /// What is to be said now: of as many keys as `most`.
    pub(in crate::rate) fn orders(&self, most: usize, now: Moment) -> Vec<(Key, SharedKey, Order)> {
        let order = |key, purse: &mut Purse| (key, purse.name, purse.order(&self.quotas, now));
        self.state.purses.told(most, order)
    }

    /// The store answered an order with `grant`: the units that moved, and those that are not booked yet.
    pub(in crate::rate) fn hear(
        &self,
        key: Key,
        order: &Order,
        grant: &Grant,
        now: Moment,
    ) -> (Tokens, u64) {
        let gateways = self.gateways();
        let heard = self.state.purses.change(key, |purse| {
            let tokens = purse.granted(order, grant, &self.quotas, gateways, now);
            (tokens, u64::try_from(purse.unbooked()).unwrap_or(0))
        });
        heard.unwrap_or_default()
    }

    /// The store did not answer an order: it is to be placed again.
    pub fn unheard(&self, key: Key) {
        self.state.purses.change(key, Purse::unanswered);
    }
}
