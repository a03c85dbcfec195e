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

/// What is left of a query when the parameters `name` are taken away; `None` where it has none.
pub(crate) fn without_parameter(query: Option<&str>, name: &str) -> Option<String> {
    parameters(query, name).next()?;
    let others = query.unwrap_or_default().split('&');
    let others = others.filter(|pair| *decoded_name(pair) != *name.as_bytes());
    Some(others.collect::<Vec<_>>().join("&"))
}

/// A query in which parameters have another value, where `value` has one for their decoded name.
pub(crate) fn with_values<'v>(query: &str, value: impl Fn(&[u8]) -> Option<&'v str>) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) => match value(&form_decoded(name)) {
            Some(other) => format!("{name}={other}").into(),
            None => Cow::Borrowed(pair),
        },
        None => Cow::Borrowed(pair),
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// The decoded name of a pair `name=value`, which may lack its value.
pub(crate) fn decoded_name(pair: &str) -> Cow<'_, [u8]> {
    form_decoded(pair.split('=').next().unwrap_or_default())
}

fn form_decoded(text: &str) -> Cow<'_, [u8]> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        Cow::Owned(percent_decode(spaced.as_bytes()).collect())
    } else {
        percent_decode(text.as_bytes()).into()
    }
}
