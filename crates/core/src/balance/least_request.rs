//! Least request.

use super::least_cost::Cost;
use crate::load::Load;
use crate::time::Moment;

/// (Requests in flight + 1) ÷ strength: what an endpoint would carry with this request, by what it
/// can carry (the shortest expected delay of LVS).
#[derive(Debug)]
pub(super) struct LeastRequest;

impl Cost for LeastRequest {
    fn of(&self, load: &Load, strength: f64, _: Moment) -> f64 {
        (f64::from(load.in_flight()) + 1.0) / strength
    }
}
