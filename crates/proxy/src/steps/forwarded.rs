//! Forwarded fields: the upstream is told of the client and of the way that the request took.

use http::HeaderValue;
use http::header::HOST;
use tidegate_core::failure::Failure;
use tidegate_core::message::authority::names_host;

use crate::call::Call;
use crate::http::forwarded::append_via;
use crate::http::via;

use crate::upstream::Upstream;

/// Write `Forwarded`, `X-Forwarded-*` and `Via`, and a `Host` where there is none.
///
/// # Errors
/// If this process has sent the request itself, or the upstream's name cannot be a host's.
pub fn before(upstream: &Upstream, call: &mut Call<'_>) -> Result<(), Failure> {
    let (client, head) = (call.client, &mut *call.head);
    if via::is_ours(&head.headers) {
        return Err(Failure::Loop);
    }
    client.peer.announce(&mut head.headers, &mut client.forwarded.borrow_mut());
    append_via(&mut head.headers, call.snapshot.via.of(head.version));
    if !head.headers.contains_key(HOST) {
        // Only HTTP/1.0 may leave it out; endpoints need one.
        let name = upstream.plan.name.as_str();
        let host = if names_host(name.as_bytes()) { name } else { "localhost" };
        let host = HeaderValue::from_str(host).map_err(|_| Failure::Internal)?;
        head.headers.insert(HOST, host);
    }
    Ok(())
}
