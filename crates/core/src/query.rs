//! Query parameters as forms write them.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// The decoded values of the query parameter `name`
/// (`application/x-www-form-urlencoded`, WHATWG URL §5.1).
pub(crate) fn parameters<'a>(
    query: Option<&'a str>,
    name: &str,
) -> impl Iterator<Item = Cow<'a, [u8]>> {
    query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).filter_map(move |pair| {
        let (own, value) = pair.split_once('=').unwrap_or((pair, ""));
        (*form_decoded(own) == *name.as_bytes()).then(|| form_decoded(value))
    })
}

fn form_decoded(text: &str) -> Cow<'_, [u8]> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        Cow::Owned(percent_decode(spaced.as_bytes()).collect())
    } else {
        percent_decode(text.as_bytes()).into()
    }
}
