//! What decides, by hashing, where a request goes.

use std::net::IpAddr;

use http::request;
use tidegate_core::balance::hash_key;
use tidegate_core::message::field::cookies;
use tidegate_core::plan::HashKey;

/// The hash of what `key` names; absent where the request has no such thing.
pub fn of(key: &HashKey, head: &request::Parts, client: Option<IpAddr>) -> Option<u64> {
    if let Some(name) = &key.header {
        return head.headers.get(name).map(|value| hash_key(value.as_bytes()));
    }
    if let Some(name) = &key.cookie {
        return cookies(&head.headers, name).next().map(hash_key);
    }
    if key.path == Some(true) {
        return Some(hash_key(head.uri.path().as_bytes()));
    }
    match client? {
        IpAddr::V4(address) => Some(hash_key(&address.octets())),
        IpAddr::V6(address) => Some(hash_key(&address.octets())),
    }
}
