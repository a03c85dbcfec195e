//! What passes the cache by may change what is stored (RFC 9111 §4.3.5, §4.4).

use http::{Method, Response};
use tidegate_core::cache::cache_status::Why;
use tidegate_core::cache::freshening::{freshen, head_agrees};
use tidegate_core::cache::invalidation::{invalidates, places};
use tidegate_core::cache::key::Url;

use super::{Asking, url};
use crate::account::metrics::PurgeKind;
use crate::call::Call;
use crate::http::body::Body;
use crate::net::clock;
use crate::objects::cache::{Force, Target};

/// Take in the `response` to a request that passed the cache by, for this reason.
pub fn after(asking: &Asking<'_>, why: Why, call: &Call<'_>, response: &mut Response<Body>) {
    if invalidates(&call.head.method, response.status()) {
        asking.invalidate(call, response);
    } else if call.head.method == Method::HEAD {
        asking.freshen(call, response);
    }
    asking.pass(why, None, call, response);
}
