//! Reading: what other gateways tell is applied, from this one's place in the stream on.

use std::convert::Infallible;

use super::message::{self, Message};
use super::{Begin, Desk, Fleet, Shared, keep_at};
use crate::account::metrics::{FleetPurge, PurgeKind};
use crate::account::outbox::Notice;
use crate::objects::cache::purge::{Force, Purging, Target};
use crate::objects::cache::purge_request::PurgeRequest;
use crate::objects::store::Trouble;
use crate::objects::store::stream::{self, Id, Stream};

/// Read the stream, for ever.
pub(super) async fn run(fleet: &Fleet, desk: &Desk) {
    let told = |trouble: &Trouble| {
        let cause = trouble.to_string();
        if fleet.change(Some(cause.clone())) {
            let cache = &desk.shared.borrow().cache.plan.name;
            tracing::warn!(cache, cause, "purges of other gateways are not read");
        }
    };
    keep_at(async |node, failures| read(fleet, desk, node, failures).await, told).await;
}

/// Read it over one link.
async fn read(
    fleet: &Fleet,
    desk: &Desk,
    node: Option<&str>,
    failures: &mut u32,
) -> Result<Infallible, Trouble> {
    let stream = Stream::open(&desk.store, &fleet.plan.stream, node).await?;
    loop {
        let place = match fleet.state().place {
            Some(place) => place,
            None => join(fleet, desk, &stream).await?,
        };
        let messages = stream.read(place).await?;
        *failures = 0;
        match messages.split_first() {
            Some((last, [])) if last.id == place => {
                catch_up(fleet, desk);
                stream.wait(place).await?;
            }
            Some((last, newer)) if last.id == place => apply(fleet, desk, newer).await?,
            _ => {
                if stream.has_forgotten(place).await? {
                    // Those that were away would not notice.
                    fleet.tell(&PurgeRequest::everything());
                }
                fleet.lose_place();
            }
        }
    }
}

/// Take a place at the stream's end. What others told before is not read, so nothing that it may take is kept.
async fn join(fleet: &Fleet, desk: &Desk, stream: &Stream<'_>) -> Result<Id, Trouble> {
    let cache = desk.shared.borrow().cache.clone();
    let begin = fleet.state().begin;
    let is_missed = begin == Begin::Missed && cache.holds_anything();
    let added = stream.add(&[message::joined(&cache.plan.name)]).await?;
    let Some(&place) = added.last() else { return Err(Trouble::Unexpected("no id".into())) };
    let all = Purging { kind: PurgeKind::All, targets: vec![Target::All], force: Force::Hard };
    let all = if begin == Begin::Now { Vec::new() } else { vec![all] };
    purge(fleet, desk, all, place).await?;
    if is_missed {
        cache.metrics.shared(FleetPurge::Missed, 1);
        let (cache, stream) = (cache.plan.name.clone(), fleet.plan.stream.clone());
        tracing::warn!(cache, stream, "purges of other gateways may be missed: all is purged");
        desk.outbox.tell(Notice::PurgesMissed { cache, stream });
    }
    Ok(place)
}

/// All that others have told is applied.
fn catch_up(fleet: &Fleet, desk: &Desk) {
    let shared = desk.shared.borrow();
    let cache = &shared.cache;
    if let Some(disk) = cache.disk() {
        disk.believe();
    }
    if fleet.change(None) {
        tracing::info!(cache = cache.plan.name, "purges of other gateways are read");
    }
}

/// Apply what others tell. What this gateway tells itself holds here already, and may have been stored anew since.
async fn apply(fleet: &Fleet, desk: &Desk, told: &[stream::Message]) -> Result<(), Trouble> {
    let Some(last) = told.last() else { return Ok(()) };
    let shared = desk.shared.borrow().clone();
    let metrics = &shared.cache.metrics;
    let mut purgings = Vec::new();
    for each in told {
        match purging(each, &shared) {
            Ok(found) => purgings.extend(found),
            Err(wrong) => {
                metrics.shared(FleetPurge::Skipped, 1);
                tracing::debug!(cache = shared.cache.plan.name, id = %each.id, wrong, "a message is skipped");
            }
        }
    }
    metrics.shared(FleetPurge::Applied, purgings.len());
    purge(fleet, desk, purgings, last.id).await
}

/// What a message has purged here; an error where it is none.
fn purging(told: &stream::Message, shared: &Shared) -> Result<Option<Purging>, String> {
    let message = Message::read(told).map_err(|garbage| garbage.to_string())?;
    let is_for_here = !message.is_own() && message.cache == shared.cache.plan.name;
    let purge = message.purge.filter(|_| is_for_here);
    purge.map(|purge| purge.purging(shared.urls.as_deref())).transpose()
}

/// Purge, and remember that this is done up to `place`: a disk is waited for, but not by this thread.
async fn purge(
    fleet: &Fleet,
    desk: &Desk,
    purgings: Vec<Purging>,
    place: Id,
) -> Result<(), Trouble> {
    let (cache, long_work) = (desk.shared.borrow().cache.clone(), desk.long_work.clone());
    let work = move || {
        if let Err(cause) = cache.purge(purgings, &long_work) {
            tracing::error!(cache = cache.plan.name, cause, "a purge is not whole");
        }
        if let Some(disk) = cache.disk() {
            disk.reach(place);
        }
    };
    let done = desk.long_work.result(work).await;
    done.map_err(|_| Trouble::Unexpected("too much other work".into()))?;
    fleet.reach(place);
    Ok(())
}
