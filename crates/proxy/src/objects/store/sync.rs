//! What is said to a store, and when: each sync at most one round trip, of all limits that share something through it.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::balance::SplitMix64;
use tidegate_core::retry::Backoff;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Store;
use super::limits::{Limits, shared};
use super::link::Trouble;
use super::session::Session;
use crate::account::outbox::{Notice, Outbox};
use crate::net::clock;

/// The pauses before another connection is tried.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(500));

/// Speak to `store` for its `limits`, for ever.
pub async fn run(store: Arc<Store>, limits: watch::Receiver<Limits>, outbox: Arc<Outbox>) {
    let mut random = SplitMix64::new(clock::unix_nanos());
    let mut failures = 0;
    loop {
        let trouble = match Session::begin(&store).await {
            Ok(session) => {
                failures = 0;
                talk(&store, session, &limits, &outbox).await
            }
            Err(trouble) => trouble,
        };
        failures += 1;
        down(&store, &limits.borrow(), &trouble, &outbox);
        sleep(PAUSES.pause(failures, &mut random)).await;
    }
}

/// Say what there is to be said, each sync, until something goes wrong.
async fn talk(
    store: &Store,
    mut session: Session<'_>,
    limits: &watch::Receiver<Limits>,
    outbox: &Outbox,
) -> Trouble {
    let mut next = Instant::now();
    loop {
        sleep_until(next).await;
        next = Instant::now() + store.plan.sync.duration();
        let now = limits.borrow().clone();
        match session.trip(&now).await {
            Ok(false) => {}
            Ok(true) => up(store, &now, outbox),
            Err(trouble) => return trouble,
        }
    }
}

/// The store answers.
fn up(store: &Store, limits: &Limits, outbox: &Outbox) {
    shared(limits).for_each(|(_, shared)| shared.set_up(true));
    store.answered.notify_waiters();
    if store.state.change(None) {
        let store = store.plan.name.clone();
        tracing::info!(store, "the store answers");
        outbox.tell(Notice::StoreChanged { store, up: true, cause: String::new() });
    }
}

/// The store does not answer.
fn down(store: &Store, limits: &Limits, trouble: &Trouble, outbox: &Outbox) {
    shared(limits).for_each(|(_, shared)| shared.set_up(false));
    // Requests that wait for a word have waited long enough.
    store.answered.notify_waiters();
    let cause = trouble.to_string();
    if store.state.change(Some(cause.clone())) {
        let store = store.plan.name.clone();
        tracing::warn!(store, cause, "the store does not answer");
        outbox.tell(Notice::StoreChanged { store, up: false, cause });
    }
}
