//! Session affinity: the endpoint that a client's requests stay with, kept in a cookie.

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use smallvec::SmallVec;
use tidegate_core::balance::Sticky;
use tidegate_core::message::field::cookies;

use super::Membership;

/// What a request's cookies say, where the upstream has such cookies.
pub struct Affinity<'a> {
    sticky: Option<&'a Sticky>,
    /// The endpoints that the cookies of this name stand for, in their order: a client that got one for each of
    /// several paths sends them all.
    pub endpoints: SmallVec<[usize; 2]>,
}

impl<'a> Affinity<'a> {
    /// What a request with these fields says.
    pub fn of(membership: &'a Membership, headers: &HeaderMap) -> Self {
        let sticky = membership.balancer.sticky();
        let named = |sticky: &'a Sticky| {
            cookies(headers, sticky.cookie()).filter_map(|value| sticky.endpoint(value))
        };
        Self { sticky, endpoints: sticky.into_iter().flat_map(named).collect() }
    }

    /// `endpoint` answered with these fields: tell the client, unless it knows.
    pub fn answered(&self, endpoint: usize, headers: &mut HeaderMap) {
        if let Some(sticky) = self.sticky
            && !self.endpoints.contains(&endpoint)
            && let Ok(value) = HeaderValue::try_from(sticky.set_cookie(endpoint))
        {
            headers.append(SET_COOKIE, value);
        }
    }
}
