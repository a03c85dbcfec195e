//! Response headers: the route's changes of the fields that the client gets.

use http::Response;

use crate::call::Call;
use crate::http::body::Body;

/// Make the changes.
pub fn after(call: &Call<'_>, response: &mut Response<Body>) {
    if let Some(route) = call.route {
        route.response_headers.apply(response.headers_mut());
    }
}
