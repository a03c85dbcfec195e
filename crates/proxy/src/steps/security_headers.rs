//! Security headers: the response tells browsers to be careful with it.

use http::Response;

use crate::call::Call;
use crate::http::body::Body;

/// Add the fields to the response, whichever it is.
pub fn after(call: &Call<'_>, response: &mut Response<Body>) {
    if let Some(fields) = call.route.and_then(|route| route.security_headers.as_deref()) {
        let is_secure = call.client.peer.client_scheme(&call.head.headers) == "https";
        fields.apply(is_secure, response.headers_mut());
    }
}
