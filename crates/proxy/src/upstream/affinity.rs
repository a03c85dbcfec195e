//! Session affinity: the endpoint that a client's requests stay with, kept in a cookie.

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, Response};
use smallvec::SmallVec;
use tidegate_core::balance::Sticky;
use tidegate_core::message::field::cookies;

use super::Membership;
use crate::http::body::Body;

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

    /// `endpoint` gave this response: its client is to be [told](tell), unless it knows.
    pub fn answered(&self, endpoint: usize, response: &mut Response<Body>) {
        if let Some(sticky) = self.sticky
            && !self.endpoints.contains(&endpoint)
            && let Ok(value) = HeaderValue::try_from(sticky.set_cookie(endpoint))
        {
            response.extensions_mut().insert(Cookie(value));
        }
    }
}

/// The cookie that a client is to get with a response. It stands beside the origin's fields, because it is for that one
/// client: a cache stores those.
#[derive(Clone)]
struct Cookie(HeaderValue);

/// Tell the client of a response which endpoint gave it, where it is to know.
pub fn tell(response: &mut Response<Body>) {
    if let Some(Cookie(value)) = response.extensions_mut().remove() {
        response.headers_mut().append(SET_COOKIE, value);
    }
}
