//! Guarded fields: those that tell upstreams of an identity, which no client may send itself.

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName};

use crate::message::spelling::{is_spelling, take_off};

/// The names of fields that only the gateway may write, in every spelling.
#[derive(Debug, Default)]
pub struct GuardedFields {
    /// Written with `-`.
    names: Vec<HeaderName>,
    /// Those in which clients send credentials. In trailers none would be looked for, and yet an application might.
    credentials: Vec<HeaderName>,
}

impl GuardedFields {
    /// Guards these names, but for those in which clients send `credentials`.
    pub fn new<'n>(
        names: impl IntoIterator<Item = &'n HeaderName>,
        credentials: &[&HeaderName],
    ) -> Self {
        let is_told = |name: &&HeaderName| !Self::is_credential(name, credentials);
        let mut guarded = Self {
            names: names.into_iter().filter(is_told).map(plain).collect(),
            credentials: credentials.iter().map(|name| plain(name)).collect(),
        };
        for names in [&mut guarded.names, &mut guarded.credentials] {
            names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
            names.dedup();
        }
        guarded
    }

    /// Whether clients send credentials in this field: in one of `credentials`, or where all do.
    pub fn is_credential(name: &HeaderName, credentials: &[&HeaderName]) -> bool {
        let name = plain(name);
        let mut known = [&AUTHORIZATION, &COOKIE].into_iter().chain(credentials.iter().copied());
        known.any(|known| is_spelling(known.as_str(), name.as_str()))
    }

    /// Whether there is nothing to guard.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.credentials.is_empty()
    }

    /// Take every guarded field off a request's head.
    pub fn take_off(&self, headers: &mut HeaderMap) {
        take_off(headers, &self.names);
    }

    /// Take every guarded field, and every credential, off its trailers.
    pub fn take_off_trailers(&self, trailers: &mut HeaderMap) {
        take_off(trailers, &self.names);
        take_off(trailers, &self.credentials);
    }
}

/// A name as it is written with `-`.
fn plain(name: &HeaderName) -> HeaderName {
    // What is a name stays one.
    HeaderName::try_from(name.as_str().replace('_', "-")).unwrap_or_else(|_| name.clone())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::HOST;

    use super::*;

    const USER: HeaderName = HeaderName::from_static("x-user");
    const SCOPES: HeaderName = HeaderName::from_static("x_scopes");

    fn left(guarded: &GuardedFields, sent: &[&'static str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for &name in sent {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("mallory"));
        }
        guarded.take_off(&mut headers);
        headers.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn a_guarded_field_is_taken_off_in_every_spelling_and_as_often_as_it_comes() {
        let guarded = GuardedFields::new(&[USER, SCOPES], &[]);
        let sent = ["x-user", "x_user", "x-user", "x-scopes", "x_scopes", "host", "x-users", "x"];
        let mut left = left(&guarded, &sent);
        left.sort_unstable();
        assert_eq!(left, ["host", "x", "x-users"]);
    }

    #[test]
    fn fields_in_which_credentials_come_are_left() {
        let guarded = GuardedFields::new(&[AUTHORIZATION, COOKIE, HOST, USER], &[&HOST]);
        assert_eq!(left(&guarded, &["authorization", "cookie", "host", "x-user"]).len(), 3);
        let mut trailers = HeaderMap::new();
        trailers.append(HOST, HeaderValue::from_static("mallory"));
        guarded.take_off_trailers(&mut trailers);
        assert!(trailers.is_empty());
    }
}
