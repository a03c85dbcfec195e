//! What operators said of endpoints that are not there.

use std::collections::HashSet;

use serde::Serialize;

use crate::snapshot::Snapshot;
use crate::upstream::live::{LiveEndpoints, LiveUpstream};
use crate::upstream::word::Word;

/// What operators said of the endpoints of an upstream that is not there.
#[derive(Debug, Serialize)]
pub struct AbsentUpstream {
    /// Its name.
    pub upstream: String,
    /// Its endpoints.
    pub endpoints: Vec<AbsentEndpoint>,
}

/// What an operator said of an endpoint that is not there.
#[derive(Debug, Serialize)]
pub struct AbsentEndpoint {
    /// Its address.
    pub address: String,
    /// What was said.
    pub word: Word,
}

/// The words on endpoints that are not `present`, by address.
pub(super) fn endpoints(
    live: &LiveUpstream,
    present: impl Fn(&str) -> bool,
) -> Vec<AbsentEndpoint> {
    let absent = live.words().filter(|(address, _)| !present(address));
    let mut absent: Vec<_> = absent
        .map(|(address, word)| AbsentEndpoint { address: address.to_owned(), word: word.clone() })
        .collect();
    absent.sort_by(|one, other| one.address.cmp(&other.address));
    absent
}

/// The words on upstreams that are not there, by name.
pub(super) fn upstreams(snapshot: &Snapshot, live: &LiveEndpoints) -> Vec<AbsentUpstream> {
    let present: HashSet<&str> =
        snapshot.upstreams.iter().map(|upstream| upstream.plan.name.as_str()).collect();
    let mut upstreams: Vec<_> = live
        .all()
        .filter(|(name, _)| !present.contains(name))
        .map(|(name, live)| AbsentUpstream {
            upstream: name.to_owned(),
            endpoints: endpoints(live, |_| false),
        })
        .filter(|upstream| !upstream.endpoints.is_empty())
        .collect();
    upstreams.sort_by(|one, other| one.upstream.cmp(&other.upstream));
    upstreams
}
