//! Alt-Svc: clients over TCP learn that the listener speaks HTTP/3, too (RFC 7838).

use http::header::ALT_SVC;
use http::{Response, Version};

use crate::call::Call;
use crate::http::body::Body;

/// Tell of the listener's own, unless the route says something else.
pub fn after(call: &Call<'_>, response: &mut Response<Body>) {
    if let Some(own) = &call.client.settings.alt_svc
        && call.head.version != Version::HTTP_3
    {
        response.headers_mut().entry(ALT_SVC).or_insert_with(|| own.clone());
    }
}
