//! Session affinity: the endpoint that a client's requests stay with, kept in a cookie.

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use tidegate_core::balance::Sticky;
use tidegate_core::message::field::cookies;

use super::Membership;

/// What a request's cookie says, where the upstream has such cookies.
pub struct Affinity<'a> {
    sticky: Option<&'a Sticky>,
    /// The endpoint that the cookie names.
    pub endpoint: Option<usize>,
}

impl<'a> Affinity<'a> {
    /// What a request with these fields says.
    pub fn of(membership: &'a Membership, headers: &HeaderMap) -> Self {
        let sticky = membership.balancer.sticky();
        let named = |sticky: &Sticky| {
            cookies(headers, sticky.cookie()).find_map(|value| sticky.endpoint(value))
        };
        let endpoint = sticky.and_then(named);
        Self { sticky, endpoint }
    }

    /// `endpoint` answered with these fields: tell the client, unless it knows.
    pub fn answered(&self, endpoint: usize, headers: &mut HeaderMap) {
        if let Some(sticky) = self.sticky
            && self.endpoint != Some(endpoint)
            && let Ok(value) = HeaderValue::try_from(sticky.set_cookie(endpoint))
        {
            headers.append(SET_COOKIE, value);
        }
    }
}
