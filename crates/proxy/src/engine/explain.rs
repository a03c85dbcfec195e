//! A story as it is told: with what is known of its route now.

use std::sync::Arc;

use http::{HeaderMap, Method};
use serde::Serialize;
use tidegate_core::route::{Considered, RouteQuery, Row, normalize_path};

use crate::account::explain::Story;
use crate::snapshot::Snapshot;

/// What became of a request, and why its route took it.
#[derive(Debug, Serialize)]
pub struct Explained {
    #[serde(flatten)]
    story: Arc<Story>,
    /// What the route takes; absent if the configuration has changed since.
    rule: Option<Row>,
    /// The routes that come before it and are most like it, and itself; empty if that cannot be told by the
    /// host, the path and the method alone, or the configuration has changed since.
    considered: Vec<Considered>,
}

/// `story`, as it is told while `snapshot` is served.
pub(super) fn of(story: Arc<Story>, snapshot: &Snapshot) -> Explained {
    let is_served = |id| snapshot.routes.iter().any(|route| route.id == id);
    if story.route_id.is_some_and(|id| !is_served(id)) {
        return Explained { story, rule: None, considered: Vec::new() };
    }
    let considered = considered(&story, snapshot).unwrap_or_default();
    let rows = snapshot.table.rows();
    let rule = rows.into_iter().find(|row| Some(row.route.as_str()) == story.route.as_deref());
    Explained { story, rule, considered }
}

/// The routes that were considered, if the same one is found without the fields and the query, which are not kept.
fn considered(story: &Story, snapshot: &Snapshot) -> Option<Vec<Considered>> {
    let method = Method::from_bytes(story.method.as_bytes()).ok()?;
    let path = normalize_path(&story.path).ok()?;
    let explanation = snapshot.table.explain(&RouteQuery {
        listener: snapshot.listeners.get(&*story.listener).copied().unwrap_or(usize::MAX),
        host: story.host.as_deref()?,
        path: &path,
        query: None,
        method: &method,
        headers: &HeaderMap::new(),
    });
    (explanation.route.as_deref() == story.route.as_deref()).then_some(explanation.considered)
}
