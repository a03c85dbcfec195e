//! The rule that gives each request its key.

use std::borrow::Cow;
use std::net::IpAddr;

use http::{HeaderName, header, request};

use super::key::{Hash, Key, Missing, Parts, Prefixes, Secret, SharedKey, Unkeyed};
use crate::auth::{Claim, Identity};
use crate::geo::{Asn, Country, Whereabouts};
use crate::message::field::cookies;
use crate::plan::{self, Issue, KeyPart};
use crate::query::parameters;
use crate::route::host;

/// What requests of one limit must have in common to share a bucket.
#[derive(Debug)]
pub struct KeyRule {
    parts: Box<[Source]>,
    missing: Missing,
    prefixes: Prefixes,
}

/// Where a part of a key is found.
#[derive(Debug)]
enum Source {
    Client,
    Header(HeaderName),
    Cookie(Box<str>),
    Query(Box<str>),
    Method,
    Host,
    Route,
    Listener,
    Country,
    Asn,
    Claim(Claim),
    Identity,
    Certificate,
}

/// What of a request, or of a connection, may be part of a key.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The client's address; `None` where it has none, as behind a Unix socket.
    pub client: Option<IpAddr>,
    /// Its head; absent of a connection, which brings requests later.
    pub head: Option<&'a request::Parts>,
    /// Name of the route that takes it; `None` of a connection.
    pub route: Option<&'a str>,
    /// Name of the listener that it came in by.
    pub listener: &'a str,
    /// What knows where addresses are.
    pub whereabouts: &'a dyn Whereabouts,
    /// Where it comes from, as far as that is proven by now.
    pub identity: Option<&'a Identity>,
    /// Subject of the certificate that its client has shown.
    pub certificate: Option<&'a str>,
}

impl KeyRule {
    /// The rule of a limit whose option stands at `at`. What is wrong with it is added to `issues`.
    pub fn build(wanted: &plan::RateLimit, at: &str, issues: &mut Vec<Issue>) -> Self {
        let parts = wanted.key.iter().enumerate().filter_map(|(index, part)| {
            let source = Source::read(part);
            source.map_err(|wrong| issues.push(Issue::new(format!("{at}.key.{index}"), wrong))).ok()
        });
        Self {
            parts: parts.collect(),
            missing: match wanted.missing {
                plan::Missing::Share => Missing::Share,
                plan::Missing::Skip => Missing::Skip,
                plan::Missing::Deny => Missing::Deny,
            },
            prefixes: Prefixes { v4: wanted.ipv4_prefix.get(), v6: wanted.ipv6_prefix.get() },
        }
    }

    /// Whether keys are known only of a request whose identity has been found out.
    pub fn needs_identity(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Source::Claim(_) | Source::Identity))
    }

    /// The key of a request.
    ///
    /// # Errors
    /// If it has none, and does not share one with all that have none.
    pub fn key(&self, secret: &Secret, subject: &Subject<'_>) -> Result<Key, Unkeyed> {
        let mut key = secret.key();
        self.add_all(subject, &mut key)?;
        Ok(key.finish())
    }

    /// The same, as all gateways call it.
    ///
    /// # Errors
    /// If it has none, and does not share one with all that have none.
    pub fn shared_key(&self, subject: &Subject<'_>) -> Result<SharedKey, Unkeyed> {
        let mut key = Parts::shared();
        self.add_all(subject, &mut key)?;
        Ok(key.finish())
    }

    /// The key that these parts make, which are absent where requests lack them.
    ///
    /// # Errors
    /// If keys are made of other parts.
    pub fn named(&self, secret: &Secret, parts: &[Option<String>]) -> Result<Key, String> {
        let mut key = secret.key();
        self.add_named(parts, &mut key)?;
        Ok(key.finish())
    }

    /// The same, as all gateways call it.
    ///
    /// # Errors
    /// If keys are made of other parts.
    pub fn shared_named(&self, parts: &[Option<String>]) -> Result<SharedKey, String> {
        let mut key = Parts::shared();
        self.add_named(parts, &mut key)?;
        Ok(key.finish())
    }

    fn add_named<H: Hash>(
        &self,
        parts: &[Option<String>],
        key: &mut Parts<H>,
    ) -> Result<(), String> {
        if parts.len() != self.parts.len() {
            return Err(format!(
                "expected {} parts of a key, not {}",
                self.parts.len(),
                parts.len()
            ));
        }
        for (source, part) in self.parts.iter().zip(parts) {
            match (source, part) {
                (Source::Client, Some(text)) => {
                    let address =
                        text.parse().map_err(|_| format!("`{text}` is not an IP address"))?;
                    key.client(self.prefixes.network(address));
                }
                (Source::Country, Some(text)) => {
                    key.part(text.parse::<Country>()?.code().as_bytes())
                }
                (Source::Asn, Some(text)) => {
                    key.part(&text.parse::<Asn>()?.to_string().into_bytes())
                }
                (Source::Host, Some(text)) => key.part(host::canonical(text).as_bytes()),
                // With any other word on missing parts there is no such key, and nothing to be found.
                (_, part) => _ = key.optional(part.as_deref().map(str::as_bytes), Missing::Share),
            }
        }
        Ok(())
    }

    /// The parts of a request's key as texts; `None` for one that it lacks. Clients are told by their networks.
    pub fn texts(&self, subject: &Subject<'_>) -> Vec<Option<String>> {
        let text = |source: &Source| match source {
            Source::Client => subject.client.map(|at| self.prefixes.network(at).to_string()),
            _ => source.find(subject).map(|part| String::from_utf8_lossy(&part).into_owned()),
        };
        self.parts.iter().map(text).collect()
    }

    fn add_all<H: Hash>(&self, subject: &Subject<'_>, key: &mut Parts<H>) -> Result<(), Unkeyed> {
        self.parts.iter().try_for_each(|source| self.add(source, subject, key))
    }

    fn add<H: Hash>(
        &self,
        source: &Source,
        subject: &Subject<'_>,
        key: &mut Parts<H>,
    ) -> Result<(), Unkeyed> {
        match (source, subject.client) {
            (Source::Client, Some(address)) => {
                key.client(self.prefixes.network(address));
                Ok(())
            }
            _ => key.optional(source.find(subject).as_deref(), self.missing),
        }
    }
}

impl Source {
    /// This part of a request, but for its client's address; `None` if it lacks it.
    fn find<'a>(&self, subject: &Subject<'a>) -> Option<Cow<'a, [u8]>> {
        let Subject { client, head, route, listener, whereabouts, identity, certificate } =
            *subject;
        match self {
            Self::Client => None,
            Self::Header(name) => Some(Cow::Borrowed(head?.headers.get(name)?.as_bytes())),
            Self::Cookie(name) => cookies(&head?.headers, name).next().map(Cow::Borrowed),
            Self::Query(name) => parameters(head?.uri.query(), name).next(),
            Self::Method => Some(Cow::Borrowed(head?.method.as_str().as_bytes())),
            Self::Host => {
                let named = head?.headers.get(header::HOST)?.to_str().ok()?;
                Some(match host::canonical(named) {
                    Cow::Borrowed(host) => Cow::Borrowed(host.as_bytes()),
                    Cow::Owned(host) => Cow::Owned(host.into_bytes()),
                })
            }
            Self::Route => route.map(|route| Cow::Borrowed(route.as_bytes())),
            Self::Listener => Some(Cow::Borrowed(listener.as_bytes())),
            Self::Country => {
                let country = whereabouts.country(client?)?;
                Some(Cow::Owned(country.code().as_bytes().to_vec()))
            }
            Self::Asn => Some(Cow::Owned(whereabouts.asn(client?)?.to_string().into_bytes())),
            Self::Claim(claim) => match claim.text(&identity?.claims)? {
                Cow::Borrowed(text) => Some(Cow::Borrowed(text.as_bytes())),
                Cow::Owned(text) => Some(Cow::Owned(text.into_bytes())),
            },
            Self::Identity => {
                let Identity { authenticator, subject, .. } = identity?;
                Some(Cow::Owned(format!("{authenticator}:{}", subject.as_deref()?).into_bytes()))
            }
            Self::Certificate => certificate.map(|subject| Cow::Borrowed(subject.as_bytes())),
        }
    }

    fn read(part: &KeyPart) -> Result<Self, String> {
        let KeyPart {
            client,
            header,
            cookie,
            query,
            method,
            host,
            route,
            listener,
            country,
            asn,
            claim,
            identity,
            certificate,
        } = part;
        let flags = [
            (client, Self::Client),
            (method, Self::Method),
            (host, Self::Host),
            (route, Self::Route),
            (listener, Self::Listener),
            (country, Self::Country),
            (asn, Self::Asn),
            (identity, Self::Identity),
            (certificate, Self::Certificate),
        ];
        let mut found: Vec<_> = flags
            .into_iter()
            .filter(|(given, _)| **given == Some(true))
            .map(|(_, at)| at)
            .collect();
        if let Some(name) = header {
            let name =
                HeaderName::try_from(name).map_err(|_| format!("`{name}` is not a field name"))?;
            found.push(Self::Header(name));
        }
        found.extend(cookie.as_deref().map(|name| Self::Cookie(name.into())));
        found.extend(query.as_deref().map(|name| Self::Query(name.into())));
        found.extend(claim.as_deref().map(|name| Self::Claim(Claim::named(name))));
        match (found.pop(), found.is_empty()) {
            (Some(only), true) => Ok(only),
            _ => Err("expected exactly one thing that requests have in common".into()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::Request;
    use serde_json::json;

    use super::*;
    use crate::auth::Claims;

    /// Knows the addresses of one network.
    struct Known;

    impl Whereabouts for Known {
        fn country(&self, address: IpAddr) -> Option<Country> {
            address.to_string().starts_with("203.0.113.").then(|| "DE".parse().unwrap())
        }

        fn asn(&self, address: IpAddr) -> Option<Asn> {
            self.country(address).map(|_| Asn(64_500))
        }
    }

    fn rule(key: serde_json::Value, missing: &str) -> KeyRule {
        let wanted = json!({
            "name": "limit", "key": key, "missing": missing, "mode": "enforce", "wait": 0,
            "windows": [{"quota": 1, "per": 1000}], "headers": "none", "keys": 16,
            "cost": {"requests": 1, "request_bytes": false, "response_bytes": false, "status": []},
            "identities": false, "ipv4_prefix": 32, "ipv6_prefix": 64,
        });
        let (wanted, mut issues) = (serde_json::from_value(wanted).unwrap(), Vec::new());
        let rule = KeyRule::build(&wanted, "rate_limits.0", &mut issues);
        assert_eq!(issues, []);
        rule
    }

    fn head(uri: &str, fields: &[(&str, &str)]) -> request::Parts {
        let mut request = Request::get(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn subject<'a>(client: &str, head: &'a request::Parts) -> Subject<'a> {
        Subject {
            client: client.parse().ok(),
            head: Some(head),
            route: Some("orders"),
            listener: "web",
            whereabouts: &Known,
            identity: None,
            certificate: None,
        }
    }

    /// The key of a request from `client` with this head.
    fn key(rule: &KeyRule, client: &str, head: &request::Parts) -> Result<Key, Unkeyed> {
        rule.key(&Secret::new(b"0123456789abcdef"), &subject(client, head))
    }

    #[test]
    fn requests_with_the_same_parts_share_a_key() {
        let rule = rule(json!([{"client": true}, {"header": "x-tenant"}]), "share");
        let of = |client, tenant| key(&rule, client, &head("/", &[("x-tenant", tenant)]));
        assert_eq!(of("192.0.2.1", "a"), of("::ffff:192.0.2.1", "a"));
        assert_ne!(of("192.0.2.1", "a"), of("192.0.2.1", "b"));
        assert_ne!(of("192.0.2.1", "a"), of("192.0.2.2", "a"));
    }

    #[test]
    fn every_part_counts() {
        let other = Request::post("http://x/?q=2").header("host", "B").header("cookie", "c=2");
        let other = other.header("x-h", "2").body(()).unwrap().into_parts().0;
        let one = head("/?q=1", &[("host", "a"), ("cookie", "c=1"), ("x-h", "1")]);
        for part in [
            json!({"method": true}),
            json!({"host": true}),
            json!({"cookie": "c"}),
            json!({"query": "q"}),
            json!({"header": "x-h"}),
        ] {
            let rule = rule(json!([part]), "deny");
            let of = |head| key(&rule, "192.0.2.1", head).unwrap();
            assert_ne!(of(&one), of(&other), "{part}");
        }
    }

    #[test]
    fn clients_of_one_country_or_one_system_share_a_key() {
        for (part, name) in [(json!({"country": true}), "de"), (json!({"asn": true}), "AS64500")] {
            let rule = rule(json!([part]), "share");
            let of = |client| key(&rule, client, &head("/", &[])).unwrap();
            assert_eq!(of("203.0.113.1"), of("203.0.113.2"));
            assert_eq!(of("192.0.2.1"), of("::1"), "what is not known is one");
            assert_ne!(of("203.0.113.1"), of("192.0.2.1"));
            let named = rule.named(&Secret::new(b"0123456789abcdef"), &[Some(name.into())]);
            assert_eq!(named, Ok(of("203.0.113.1")));
        }
    }

    #[test]
    fn a_host_is_the_same_in_any_case_and_with_any_port() {
        let rule = rule(json!([{"host": true}]), "share");
        let of = |host| key(&rule, "192.0.2.1", &head("/", &[("host", host)])).unwrap();
        assert_eq!(of("A.example:80"), of("a.example"));
    }

    #[test]
    fn a_request_without_a_part_shares_a_key_has_none_or_is_refused() {
        let of = |missing, fields: &[(&str, &str)]| {
            key(&rule(json!([{"header": "x-h"}]), missing), "192.0.2.1", &head("/", fields))
        };
        assert_eq!(of("share", &[]), of("share", &[]));
        assert_ne!(of("share", &[]), of("share", &[("x-h", "")]));
        assert_eq!((of("skip", &[]), of("deny", &[])), (Err(Unkeyed::Skip), Err(Unkeyed::Deny)));
    }

    #[test]
    fn a_key_can_be_named_by_its_parts() {
        let rule = rule(json!([{"client": true}, {"header": "x-h"}]), "share");
        let named = |parts: &[Option<&str>]| {
            let parts: Vec<_> = parts.iter().map(|part| part.map(str::to_owned)).collect();
            rule.named(&Secret::new(b"0123456789abcdef"), &parts)
        };
        let of = |fields: &[(&str, &str)]| key(&rule, "192.0.2.1", &head("/", fields)).unwrap();
        assert_eq!(named(&[Some("192.0.2.1"), Some("a")]), Ok(of(&[("x-h", "a")])));
        assert_eq!(named(&[Some("192.0.2.1"), None]), Ok(of(&[])));
        assert_eq!(named(&[Some("here"), None]), Err("`here` is not an IP address".to_owned()));
        assert_eq!(named(&[None]), Err("expected 2 parts of a key, not 1".to_owned()));
    }

    #[test]
    fn an_identity_is_known_by_its_authenticator_and_its_subject() {
        let identity = |authenticator: &str, subject: Option<&str>| Identity {
            authenticator: authenticator.into(),
            subject: subject.map(Into::into),
            claims: Claims::new(json!({"plan": "paid"}).as_object().unwrap().clone()),
        };
        let texts = |rule: &KeyRule, identity: &Identity| {
            let head = head("/", &[]);
            rule.texts(&Subject { identity: Some(identity), ..subject("192.0.2.1", &head) })
        };
        let rule = rule(json!([{"identity": true}, {"claim": "plan"}, {"client": true}]), "share");
        assert!(rule.needs_identity());
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            texts(&rule, &identity("users", Some("alice"))),
            [some("users:alice"), some("paid"), some("192.0.2.1")]
        );
        assert_eq!(texts(&rule, &identity("robots", None))[0], None);
    }

    #[test]
    fn the_texts_of_a_key_name_it() {
        let rule =
            rule(json!([{"client": true}, {"header": "x-h"}, {"certificate": true}]), "share");
        assert!(!rule.needs_identity());
        let (secret, head) = (Secret::new(b"0123456789abcdef"), head("/", &[("x-h", "a")]));
        let subject = Subject { certificate: Some("CN=a"), ..subject("2001:db8::1", &head) };
        let texts = rule.texts(&subject);
        assert_eq!(rule.named(&secret, &texts), Ok(rule.key(&secret, &subject).unwrap()));
        assert_ne!(
            rule.named(&secret, &[texts[0].clone(), texts[1].clone(), None]),
            rule.named(&secret, &texts)
        );
    }

    #[test]
    fn a_host_is_named_in_any_case_and_with_any_port() {
        let rule = rule(json!([{"host": true}]), "share");
        let named =
            |host: &str| rule.named(&Secret::new(b"0123456789abcdef"), &[Some(host.into())]);
        let of_request = key(&rule, "192.0.2.1", &head("/", &[("host", "a.example")])).unwrap();
        assert_eq!(named("A.Example:443"), Ok(of_request));
    }

    #[test]
    fn a_part_that_names_no_field_is_told_with_its_place() {
        let mut issues = Vec::new();
        let part = |header: Option<&str>| KeyPart {
            client: None,
            header: header.map(str::to_owned),
            cookie: None,
            query: None,
            method: None,
            host: None,
            route: None,
            listener: None,
            country: None,
            asn: None,
            claim: None,
            identity: None,
            certificate: None,
        };
        for wrong in [part(Some("a b")), part(None)] {
            issues.extend(Source::read(&wrong).err());
        }
        assert_eq!(
            issues,
            [
                "`a b` is not a field name",
                "expected exactly one thing that requests have in common"
            ]
        );
    }
}
