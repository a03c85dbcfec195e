//! A request, by which its cost is predicted and learnt.

use http::header::CONTENT_LENGTH;
use http::request;
use tidegate_core::plan::Priority;
use tidegate_core::predict::{Branch, Described, Predictor};
use tidegate_core::time::Moment;

/// A route, by which the costs of its requests are told from those of others.
#[derive(Debug, Clone, Copy)]
pub struct CostRoute {
    /// The hash of its name, which is the same through reloads.
    pub number: u64,
    /// Whether it names the template of all its paths.
    pub has_template: bool,
}

impl CostRoute {
    /// For requests that the gateway makes for itself, which are all alike.
    pub const ALIKE: Self = Self { number: 0, has_template: true };
}

/// A request, by which its cost is predicted and learnt.
#[derive(Debug, Clone, Copy)]
pub struct CostOf<'r> {
    /// Its route.
    pub route: CostRoute,
    /// In which class it waits.
    pub priority: Priority,
    /// Its head.
    pub head: &'r request::Parts,
}

impl<'r> CostOf<'r> {
    pub(super) fn branch(&self, predictor: &Predictor, now: Moment) -> Branch {
        predictor.branch(&self.described(), now)
    }

    pub(super) fn described(&self) -> Described<'r> {
        let Self { route, head, .. } = *self;
        let size = head.headers.get(CONTENT_LENGTH);
        Described {
            route: route.number,
            method: head.method.as_str(),
            path: (!route.has_template).then(|| head.uri.path()),
            size: size.and_then(|size| size.to_str().ok()?.parse().ok()),
        }
    }
}
