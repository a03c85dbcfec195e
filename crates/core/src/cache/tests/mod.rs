//! What the rules decide, case by case.
#![allow(clippy::unwrap_used)]

mod conditional;
mod freshening;
mod key;
mod range;
mod vary;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Fields that may have any bytes beyond ASCII too.
fn fields<V: AsRef<[u8]>>(fields: &[(&str, V)]) -> HeaderMap {
    let field = |(name, value): &(&str, V)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_ref()).unwrap())
    };
    fields.iter().map(field).fold(HeaderMap::new(), |mut all, (name, value)| {
        all.append(name, value);
        all
    })
}
