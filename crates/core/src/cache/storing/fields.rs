//! What is stored of the fields of a response (RFC 9111 §3.1).

use std::time::SystemTime;

use http::header::{CONNECTION, CONTENT_LENGTH, DATE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use httpdate::fmt_http_date;
use smallvec::SmallVec;

use crate::cache::Settings;
use crate::cache::directives::{OfResponse, Scope};
use crate::message::field::members;
use crate::plan::CachedCookies;
use crate::rewrite::is_own;

/// What is stored of these fields of a response, which say this of its use: all but those of one connection, those for a proxy, those that
/// `no-cache` or `private` name, and cookies where the route strips them. Where there is no `Date`, it becomes `now`,
/// when the response arrived (RFC 9110 §6.6.1).
pub fn fields(
    settings: &Settings,
    headers: &HeaderMap,
    directives: &OfResponse,
    now: SystemTime,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let scopes = [&directives.no_cache, &directives.private];
    let is_kept_back = move |name: &HeaderName| {
        scopes.iter().any(|scope| matches!(scope, Scope::Fields(names) if names.contains(name)))
    };
    let connection = headers.get_all(CONNECTION).iter();
    let options =
        connection.flat_map(|line| members(line.as_bytes())).collect::<SmallVec<[&[u8]; 4]>>();
    let is_of_connection = move |name: &HeaderName| {
        let is_named =
            || options.iter().any(|option| option.eq_ignore_ascii_case(name.as_str().as_bytes()));
        name != CONTENT_LENGTH && (is_own(name) || is_named())
    };
    let strips_cookies = settings.ignores_set_cookie || settings.cookies == CachedCookies::Strip;
    let is_left_out = move |name: &HeaderName| {
        is_of_connection(name)
            || name.as_str().starts_with("proxy-")
            || name == SET_COOKIE && strips_cookies
            || is_kept_back(name)
    };
    let kept = headers.iter().filter(move |(name, _)| !is_left_out(name));
    let date = (!headers.contains_key(DATE)).then(|| HeaderValue::try_from(fmt_http_date(now)));
    let date = date.into_iter().flatten().map(|date| (DATE, date));
    kept.map(|(name, value)| (name.clone(), value.clone())).chain(date)
}
