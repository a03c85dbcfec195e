//! Guarded fields: those that tell upstreams of an identity, which no client may send itself.

use std::collections::HashSet;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName};

/// The names of fields that only the gateway may write. CGI and WSGI take `_` and `-` for one, so a name is guarded in
/// both spellings.
#[derive(Debug, Default)]
pub struct GuardedFields {
    names: Vec<HeaderName>,
    spelled: HashSet<Box<str>, foldhash::fast::RandomState>,
}

impl GuardedFields {
    /// Guards these names, but for those in which clients send credentials.
    pub fn new<'n>(
        names: impl IntoIterator<Item = &'n HeaderName>,
        credentials: &[&HeaderName],
    ) -> Self {
        let mut guarded = Self::default();
        for name in names {
            let spelled = spelled(name);
            if !Self::is_credential(name, credentials)
                && guarded.spelled.insert(spelled.as_str().into())
            {
                guarded.names.push(spelled);
            }
        }
        guarded
    }

    /// Whether clients send credentials in this field: in one of `credentials`, or where all do.
    pub fn is_credential(name: &HeaderName, credentials: &[&HeaderName]) -> bool {
        let is_spelled_so = |other: &&&HeaderName| spelled(other) == spelled(name);
        [&AUTHORIZATION, &COOKIE].iter().chain(credentials).any(|other| is_spelled_so(&other))
    }

    /// Whether none is guarded.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Take away every guarded field.
    pub fn take_off(&self, headers: &mut HeaderMap) {
        for name in &self.names {
            headers.remove(name);
        }
        let is_other_spelling = |name: &&HeaderName| {
            name.as_str().contains('_') && self.spelled.contains(spelled(name).as_str())
        };
        let others: Vec<_> = headers.keys().filter(is_other_spelling).cloned().collect();
        for name in others {
            headers.remove(name);
        }
    }
}

/// The one spelling of a name: with `-`.
fn spelled(name: &HeaderName) -> HeaderName {
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
    }
}
