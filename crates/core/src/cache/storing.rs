//! Whether a response is stored, and what of it (RFC 9111 §3).

mod fields;
mod not_stored;

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_LOCATION, COOKIE, ETAG, LAST_MODIFIED, SET_COOKIE};
use http::{HeaderMap, HeaderName, Method, StatusCode};

pub use self::fields::fields;
pub use self::not_stored::NotStored;
use super::age::{self, Times};
use super::directives::{OfRequest, OfResponse, Scope};
use super::freshness::{Freshness, Source, is_heuristically_cacheable};
use super::key::Url;
use super::vary::Vary;
use super::{Settings, Terms};
use crate::plan::CachedCookies;

/// The certificate that the client showed (RFC 9440 §2.2).
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// A request as the client sent it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its fields.
    pub headers: &'a HeaderMap,
    /// Whether it has content.
    pub has_body: bool,
    /// What it asks for.
    pub url: Url<'a>,
    /// Whether it has proven where it comes from: its credential may not stand in its fields any more.
    pub is_authenticated: bool,
}

/// A response of the origin, which was asked for the whole of a representation and without conditions.
#[derive(Debug, Clone, Copy)]
pub struct Response<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: &'a HeaderMap,
    /// What they say of its use.
    pub directives: &'a OfResponse,
}

/// The terms on which `response` may be used for other requests than this one.
///
/// # Errors
/// Why it is not stored.
pub fn judge(
    settings: &Settings,
    request: &Request<'_>,
    response: &Response<'_>,
    times: &Times,
) -> Result<Terms, NotStored> {
    let Response { status, headers, directives } = *response;
    let freshness = Freshness::of(&settings.freshness, status, headers, directives, times.date);
    let case = Case { settings, request, response, directives, freshness };
    case.check_request()?;
    case.check_response()?;
    case.check_privacy()?;
    let terms = case.terms(times);
    case.check_use(&terms)?;
    Ok(terms)
}

/// A request, its response, and what that says.
struct Case<'a> {
    settings: &'a Settings,
    request: &'a Request<'a>,
    response: &'a Response<'a>,
    directives: &'a OfResponse,
    freshness: Freshness,
}

impl Case<'_> {
    fn check_request(&self) -> Result<(), NotStored> {
        let request = self.request;
        match *request.method {
            Method::GET => refuse_if(request.has_body, NotStored::RequestBody)?,
            Method::POST => refuse_if(!self.is_as_to_get(), NotStored::Method)?,
            _ => return Err(NotStored::Method),
        }
        refuse_if(OfRequest::of(request.headers).no_store, NotStored::RequestNoStore)
    }

    /// Whether the response to a `POST` is what a `GET` of the same URL would be answered with.
    fn is_as_to_get(&self) -> bool {
        self.response.status == StatusCode::OK
            && self.is_explicitly_fresh()
            && is_at(self.response.headers, &self.request.url)
    }

    fn check_response(&self) -> Result<(), NotStored> {
        let (status, directives) = (self.response.status, self.directives);
        refuse_if(is_of_part(status), NotStored::Part)?;
        refuse_if(is_never_stored(status), NotStored::Status)?;
        let is_understood = is_understood(status);
        refuse_if(directives.must_understand && !is_understood, NotStored::MustUnderstand)?;
        refuse_if(directives.no_store && !directives.must_understand, NotStored::NoStore)?;
        refuse_if(directives.private == Scope::Whole, NotStored::Private)
    }

    /// Whether it may be another client's, by what stands in the fields of this one's request.
    fn check_privacy(&self) -> Result<(), NotStored> {
        let (request, response) = (self.request.headers, self.response.headers);
        let is_explicit = self.is_explicitly_fresh();
        let may_share = is_explicit && self.shares_authorized();
        let tells = |name: HeaderName| request.contains_key(name);
        let is_authorized =
            self.request.is_authenticated || tells(AUTHORIZATION) || tells(CLIENT_CERT);
        refuse_if(is_authorized && !may_share, NotStored::Authorization)?;
        refuse_if(request.contains_key(COOKIE) && !is_explicit, NotStored::Cookie)?;
        let may_set = is_explicit && self.settings.cookies != CachedCookies::Never;
        let sets_cookie = response.contains_key(SET_COOKIE) && !self.settings.ignores_set_cookie;
        refuse_if(sets_cookie && !may_set, NotStored::SetCookie)?;
        let vary = Vary::of(&self.settings.vary, response, request);
        refuse_if(vary.is_none(), NotStored::Vary)
    }

    /// Whether the response to a request with `Authorization` says that it is not for its client alone.
    fn shares_authorized(&self) -> bool {
        let directives = self.directives;
        directives.public || directives.must_revalidate || directives.s_maxage.is_some()
    }

    /// Whether the origin says that it is fresh for some time, or the route in place of an origin that it does not
    /// listen to.
    fn is_explicitly_fresh(&self) -> bool {
        let Freshness { lifetime, by } = self.freshness;
        let is_forced = by == Source::Ttl && self.settings.freshness.ignores_cache_control;
        lifetime > Duration::ZERO && (by.is_explicit() || is_forced)
    }

    fn terms(&self, times: &Times) -> Terms {
        let (directives, stale) = (self.directives, &self.settings.stale);
        let validate_always = directives.no_cache == Scope::Whole;
        let never_stale = validate_always
            || directives.must_revalidate
            || directives.proxy_revalidate
            || directives.s_maxage.is_some();
        let window = |own: Option<Duration>, of_route: Duration| {
            let window = if never_stale { Duration::ZERO } else { own.unwrap_or(of_route) };
            window.into()
        };
        Terms {
            arrived: times.arrived,
            initial_age: age::initial(self.response.headers, times).into(),
            lifetime: self.freshness.lifetime.into(),
            by: self.freshness.by,
            validate_always,
            never_stale,
            while_revalidate: window(directives.stale_while_revalidate, stale.while_revalidate),
            if_error: window(directives.stale_if_error, stale.if_error),
            // An origin that cannot be reached is an error as well (RFC 5861 §4).
            if_disconnected: window(directives.stale_if_error, stale.if_disconnected),
            immutable: directives.immutable,
        }
    }

    /// Whether it will be used at all.
    fn check_use(&self, terms: &Terms) -> Result<(), NotStored> {
        let (status, headers) = (self.response.status, self.response.headers);
        let is_cacheable = self.directives.public || is_heuristically_cacheable(status);
        let is_for_validation = terms.validate_always && is_cacheable;
        refuse_if(terms.by == Source::None && !is_for_validation, NotStored::NoFreshness)?;

        let is_fresh = terms.is_fresh(terms.arrived) && !terms.validate_always;
        let has_validator = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
        // What the route allows is for responses that were fresh: else all that passes through would be kept for the
        // day on which the origin is away.
        let own = [self.directives.stale_while_revalidate, self.directives.stale_if_error];
        let has_window = own.into_iter().flatten().any(|window| window > Duration::ZERO);
        let may_be_stale = has_window && !terms.never_stale;
        refuse_if(!is_fresh && !has_validator && !may_be_stale, NotStored::Stale)
    }
}

fn refuse_if(is_so: bool, why: NotStored) -> Result<(), NotStored> {
    if is_so { Err(why) } else { Ok(()) }
}

/// Whether a response of this status is about the range of one request. What a part is of may be stored (RFC 9111 §3.3):
/// it is judged by the fields and the status that the whole has.
const fn is_of_part(status: StatusCode) -> bool {
    matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE)
}

/// Whether no response of this status is stored, whatever it says: those that are not final, what answers a condition of
/// one request (304, 412), those that RFC 6585 forbids to store, and those that are none of HTTP.
const fn is_never_stored(status: StatusCode) -> bool {
    matches!(status.as_u16(), ..200 | 304 | 412 | 428 | 429 | 431 | 511 | 600..)
}

/// Whether it is known here what this status means for a cache (RFC 9111 §5.2.2.3).
const fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=205 | 300..=303 | 307 | 308 | 400..=417 | 421 | 422 | 425 | 426 | 451 | 500..=505
    )
}

/// Whether `Content-Location` is this URL, written as a whole or from the path on.
fn is_at(headers: &HeaderMap, url: &Url<'_>) -> bool {
    let mut locations = headers.get_all(CONTENT_LOCATION).iter();
    let (Some(location), None) = (locations.next(), locations.next()) else { return false };
    let Ok(location) = location.to_str() else { return false };
    let without_host =
        || location.strip_prefix(url.scheme)?.strip_prefix("://")?.strip_prefix(url.host);
    let target = without_host().unwrap_or(location);
    match target.split_once('?') {
        Some((path, query)) => path == url.path && Some(query) == url.query,
        None => target == url.path && url.query.is_none(),
    }
}
