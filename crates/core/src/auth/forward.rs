//! Forward auth: what a service is asked of a request, and what follows from its answer.
//!
//! The question has the form that Traefik's ForwardAuth, nginx's `auth_request` with the fields that are usual there, and
//! Envoy's HTTP `ext_authz` give it, so that services which were written for these need no change.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Uri, Version, request};
use serde_json::{Map, Value};

use super::{Claims, Identity};
use crate::message::spelling::imitates;
use crate::plan::{self, ForwardMethod, Issue};
use crate::rewrite::settable_field;

/// The method of the request that is asked about.
const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
/// Its path and query.
const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
/// The method, as services for nginx read it.
const X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
/// Its path and query, as they read it.
const X_ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
/// The whole URL, as they read it.
const X_ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");

/// Fields that are about the content, which the service does not get, or about what its client has already: a service
/// that answers them would answer another question.
const LEFT_OUT: [HeaderName; 11] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
    header::TE,
    header::TRAILER,
];

/// Fields that tell what is asked about.
const QUESTION: [HeaderName; 5] =
    [X_FORWARDED_METHOD, X_FORWARDED_URI, X_ORIGINAL_METHOD, X_ORIGINAL_URI, X_ORIGINAL_URL];

/// Fields that any upstream gets, whichever the service is to have.
const TOLD: [HeaderName; 6] = [
    header::FORWARDED,
    header::HOST,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
];

/// What is asked, and what is taken from the answer.
#[derive(Debug)]
pub struct ForwardRule {
    /// Absent: that of the request.
    method: Option<Method>,
    path: PathAndQuery,
    appends_target: bool,
    /// Absent: all.
    send: Option<Vec<HeaderName>>,
    take: Vec<HeaderName>,
    subject: Option<HeaderName>,
    cache_by: Vec<Part>,
}

/// Something by which requests are told apart.
#[derive(Debug)]
enum Part {
    Field(HeaderName),
    Method,
    Authority,
    Path,
}

/// What follows from the status of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// The request may go on.
    Pass,
    /// The answer is the client's.
    Answer,
    /// The request itself is at fault (another 4xx), so that its client could have brought this about: it does not go on,
    /// whatever becomes of others of which nothing is found out.
    Declined,
    /// Nothing was found out.
    Failure,
}

impl Meant {
    /// What an answer with this status means. That something has not changed (304) says nothing of a request.
    pub fn by(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_MODIFIED => Self::Failure,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Answer,
            status if status.is_success() => Self::Pass,
            status if status.is_redirection() => Self::Answer,
            status if status.is_client_error() => Self::Declined,
            _ => Self::Failure,
        }
    }
}

impl ForwardRule {
    /// Reads the option `plan`, which stands at `at`. What is wrong is added to `issues` and left out.
    pub fn build(plan: &plan::ForwardAuth, at: &str, issues: &mut Vec<Issue>) -> Self {
        let mut note = |option: String, wrong: String| {
            issues.push(Issue::new(format!("{at}.{option}"), wrong))
        };
        let path = match PathAndQuery::try_from(&plan.path) {
            Ok(path) if path.as_str().starts_with('/') => path,
            _ => {
                note("path".into(), format!("`{}` is not the path of a target", plan.path));
                PathAndQuery::from_static("/")
            }
        };
        let mut names = |option: &str, names: &[String]| -> Vec<HeaderName> {
            let name = |(index, name): (usize, &String)| {
                let field = settable_field(name, "").map(|(name, _)| name);
                field.map_err(|wrong| note(format!("{option}.{index}"), wrong)).ok()
            };
            names.iter().enumerate().filter_map(name).collect()
        };
        let take = names("take_headers", &plan.take_headers);
        let send = plan.send_headers.as_ref().map(|send| names("send_headers", send));
        let subject =
            plan.subject.as_ref().map(|name| names("subject", std::slice::from_ref(name)));
        let part = |(index, text): (usize, &String)| {
            let part = Part::of(text);
            if part.is_none() {
                note(
                    format!("cache_by.{index}"),
                    format!("`{text}` is not the name of a header field"),
                );
            }
            part
        };
        let cache_by = plan.cache_by.iter().enumerate().filter_map(part).collect();
        Self {
            method: (plan.method == ForwardMethod::Get).then_some(Method::GET),
            path,
            appends_target: plan.append_target,
            send,
            take,
            subject: subject.into_iter().flatten().next(),
            cache_by,
        }
    }

    /// The fields of requests that are taken from the answer.
    pub fn taken(&self) -> &[HeaderName] {
        &self.take
    }

    /// Let a request go on with what was taken, as `identity` has it, and with no other value of these fields.
    pub fn add_to(&self, fields: &mut HeaderMap, identity: &Identity) {
        for name in &self.take {
            let taken = identity.claims.all().get(name.as_str()).and_then(Value::as_str);
            match taken.and_then(|text| HeaderValue::from_bytes(text.as_bytes()).ok()) {
                Some(value) => _ = fields.insert(name, value),
                None => _ = fields.remove(name),
            }
        }
    }

    /// The head of the question about a request that its client made by `scheme`; `None` if it cannot be asked. Who
    /// the client is, is told by the fields that any upstream gets.
    pub fn question(&self, asked: &request::Parts, scheme: &str) -> Option<request::Parts> {
        let (mut head, ()) = http::Request::new(()).into_parts();
        head.version = Version::HTTP_11;
        head.method = self.method.clone().unwrap_or_else(|| asked.method.clone());
        let target = asked.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        head.uri = self.target(target)?;
        head.headers = self.sent(&asked.headers);
        // Only HTTP/1.0 may leave it out; endpoints need one.
        let host = asked.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.filter(|host| !host.is_empty()).unwrap_or("localhost");
        head.headers.insert(header::HOST, HeaderValue::from_str(host).ok()?);
        let method = HeaderValue::from_str(asked.method.as_str()).ok()?;
        head.headers.insert(X_FORWARDED_METHOD, method.clone());
        head.headers.insert(X_ORIGINAL_METHOD, method);
        let uri = HeaderValue::from_str(target).ok()?;
        head.headers.insert(X_FORWARDED_URI, uri.clone());
        head.headers.insert(X_ORIGINAL_URI, uri);
        let url = HeaderValue::try_from(format!("{scheme}://{host}{target}")).ok()?;
        head.headers.insert(X_ORIGINAL_URL, url);
        Some(head)
    }

    fn target(&self, asked: &str) -> Option<Uri> {
        if !self.appends_target {
            return Some(self.path.clone().into());
        }
        let path = self.path.path().trim_end_matches('/');
        PathAndQuery::try_from(format!("{path}{asked}")).ok().map(Uri::from)
    }

    fn sent(&self, fields: &HeaderMap) -> HeaderMap {
        let mut sent = HeaderMap::with_capacity(fields.len() + 12);
        for (name, value) in
            fields.iter().filter(|(name, _)| !imitates(name, &TOLD) && !imitates(name, &QUESTION))
        {
            let is_asked_for = match &self.send {
                None => !LEFT_OUT.contains(name),
                Some(names) => TOLD.contains(name) || names.contains(name),
            };
            if is_asked_for {
                sent.append(name, value.clone());
            }
        }
        sent
    }

    /// What an answer that lets the request go on says of it. What is taken from it are its claims.
    pub fn identity(&self, authenticator: &Arc<str>, fields: &HeaderMap) -> Identity {
        let claims = self.take.iter().chain(&self.subject).filter_map(|name| {
            Some((name.as_str().to_owned(), Value::from(joined(fields, name)?)))
        });
        let subject = self.subject.as_ref().and_then(|name| joined(fields, name));
        Identity {
            authenticator: authenticator.clone(),
            subject: subject.map(Into::into),
            claims: Claims::new(claims.collect::<Map<_, _>>()),
        }
    }

    /// What requests have in common that get the same answer; nothing for one that carries none of the fields by
    /// which they are told apart, and so nothing to be known by.
    pub fn key(&self, asked: &request::Parts) -> Option<Vec<u8>> {
        let mut key = Vec::new();
        let mut is_known = false;
        for part in &self.cache_by {
            match part {
                Part::Field(name) => {
                    for value in asked.headers.get_all(name) {
                        is_known = true;
                        push(&mut key, value.as_bytes());
                    }
                }
                Part::Method => push(&mut key, asked.method.as_str().as_bytes()),
                Part::Authority => {
                    let host =
                        asked.headers.get(header::HOST).map_or(&b""[..], HeaderValue::as_bytes);
                    push(&mut key, host);
                }
                Part::Path => {
                    let target = asked.uri.path_and_query().map_or("/", PathAndQuery::as_str);
                    push(&mut key, target.as_bytes());
                }
            }
            // No value begins with this length: it tells where a part ends.
            key.extend_from_slice(&u32::MAX.to_le_bytes());
        }
        is_known.then_some(key)
    }
}

impl Part {
    fn of(text: &str) -> Option<Self> {
        match text {
            ":method" => Some(Self::Method),
            ":authority" => Some(Self::Authority),
            ":path" => Some(Self::Path),
            name => HeaderName::try_from(name).ok().map(Self::Field),
        }
    }
}

/// Append a value behind its length, so that no two lists of values look alike.
fn push(key: &mut Vec<u8>, value: &[u8]) {
    key.extend_from_slice(&(value.len() as u32).to_le_bytes());
    key.extend_from_slice(value);
}

/// The values of a field as one (RFC 9110 §5.3); nothing where there is none, or one that is no text.
fn joined(fields: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values = fields.get_all(name).iter().map(|value| str::from_utf8(value.as_bytes()).ok());
    let values = values.collect::<Option<Vec<_>>>().filter(|values| !values.is_empty())?;
    Some(values.join(", "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::Request;
    use serde_json::json;

    use super::*;

    fn rule(given: Value) -> ForwardRule {
        let (rule, issues) = read(given);
        assert!(issues.is_empty(), "{issues:?}");
        rule
    }

    fn read(given: Value) -> (ForwardRule, Vec<String>) {
        let mut whole = json!({
            "upstream": "authz", "path": "/", "append_target": false, "method": "get", "timeout": 1000,
            "take_headers": [], "cache_by": [], "on_failure": "deny",
            "retry": crate::plan::testing::plan()["routes"][0]["retry"],
        });
        whole.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        let mut issues = Vec::new();
        let plan = serde_json::from_value(whole).unwrap();
        let rule = ForwardRule::build(&plan, "f", &mut issues);
        (rule, issues.into_iter().map(|issue| issue.path).collect())
    }

    fn asked(fields: &[(&'static str, &'static str)]) -> request::Parts {
        let (mut head, ()) = Request::post("/orders?id=7")
            .header("host", "shop.example")
            .body(())
            .unwrap()
            .into_parts();
        for (name, value) in fields {
            head.headers.append(*name, HeaderValue::from_static(value));
        }
        head
    }

    fn question(rule: &ForwardRule, fields: &[(&'static str, &'static str)]) -> request::Parts {
        rule.question(&asked(fields), "https").unwrap()
    }

    #[test]
    fn an_answer_lets_a_request_go_on_answers_it_or_says_nothing_of_it() {
        for (statuses, meant) in [
            (&[200, 202, 204, 206, 299][..], Meant::Pass),
            (&[301, 302, 303, 307, 308, 401, 403], Meant::Answer),
            (&[400, 404, 407, 413, 429, 431], Meant::Declined),
            (&[101, 304, 500, 503, 599, 600, 999], Meant::Failure),
        ] {
            for &status in statuses {
                assert_eq!(Meant::by(StatusCode::from_u16(status).unwrap()), meant, "{status}");
            }
        }
    }

    #[test]
    fn a_question_names_the_request_by_the_fields_that_services_read() {
        let head = question(&rule(json!({"path": "/check?deep=1"})), &[("cookie", "s=1")]);
        assert_eq!((head.method, head.uri.to_string()), (Method::GET, "/check?deep=1".into()));
        for (name, value) in [
            ("host", "shop.example"),
            ("cookie", "s=1"),
            ("x-forwarded-method", "POST"),
            ("x-forwarded-uri", "/orders?id=7"),
            ("x-original-method", "POST"),
            ("x-original-uri", "/orders?id=7"),
            ("x-original-url", "https://shop.example/orders?id=7"),
        ] {
            assert_eq!(head.headers[name], value);
        }
    }

    #[test]
    fn no_field_of_the_request_imitates_what_the_question_tells() {
        let forged = [("x_forwarded_uri", "/public"), ("X-Original_Url", "/"), ("x_tenant", "a")];
        let forged = forged.map(|(name, value)| (name.to_ascii_lowercase().leak() as &str, value));
        let head = question(&rule(json!({})), &forged);
        let odd: Vec<_> = head.headers.keys().filter(|name| name.as_str().contains('_')).collect();
        assert_eq!(odd, ["x_tenant"]);
    }

    #[test]
    fn a_question_may_have_the_requests_own_method_and_target() {
        let own = rule(json!({"path": "/authz/", "append_target": true, "method": "original"}));
        let head = question(&own, &[]);
        assert_eq!(
            (head.method, head.uri.to_string()),
            (Method::POST, "/authz/orders?id=7".into())
        );
    }

    #[test]
    fn a_question_has_a_host_though_the_request_has_none() {
        let mut nowhere = asked(&[]);
        nowhere.headers.remove("host");
        let head = rule(json!({})).question(&nowhere, "http").unwrap();
        assert_eq!(head.headers["host"], "localhost");
    }

    #[test]
    fn what_is_said_of_the_content_and_of_a_stored_answer_is_not_asked() {
        let fields = [
            ("content-length", "5"),
            ("content-type", "text/plain"),
            ("if-none-match", "\"a\""),
            ("range", "bytes=0-1"),
            ("te", "trailers"),
            ("x-original-url", "https://evil.example/"),
        ];
        let head = question(&rule(json!({})), &fields);
        for name in ["content-length", "if-none-match", "range", "te"] {
            assert!(!head.headers.contains_key(name), "{name}");
        }
        assert_eq!(head.headers["content-type"], "text/plain");
        let urls: Vec<_> = head.headers.get_all("x-original-url").iter().collect();
        assert_eq!(urls, ["https://shop.example/orders?id=7"]);
    }

    #[test]
    fn only_the_fields_that_are_named_are_sent_where_some_are() {
        let named = rule(json!({"send_headers": ["Authorization"]}));
        let head =
            question(&named, &[("authorization", "Bearer a"), ("cookie", "s=1"), ("via", "1.1 a")]);
        assert!(head.headers.contains_key("authorization") && head.headers.contains_key("via"));
        assert!(!head.headers.contains_key("cookie"));
    }

    #[test]
    fn what_is_taken_from_an_answer_is_what_is_known_of_the_request() {
        let rule =
            rule(json!({"take_headers": ["X-User", "x-groups", "x-none"], "subject": "x-mail"}));
        let mut fields = HeaderMap::new();
        for (name, value) in [
            ("x-user", "ann"),
            ("x-groups", "a"),
            ("x-groups", "b"),
            ("x-mail", "ann@example.org"),
            ("x-other", "1"),
        ] {
            fields.append(name, HeaderValue::from_static(value));
        }
        fields.append("x-none", HeaderValue::from_bytes(b"\xff").unwrap());
        let identity = rule.identity(&"central".into(), &fields);
        assert_eq!(identity.subject.as_deref(), Some("ann@example.org"));
        assert_eq!(identity.claims.all().get("x-user"), Some(&json!("ann")));
        assert_eq!(identity.claims.all().get("x-groups"), Some(&json!("a, b")));
        assert_eq!(identity.claims.all().get("x-none"), None);
        assert_eq!(identity.claims.all().get("x-other"), None);
        let mut goes_on = HeaderMap::new();
        for name in ["x-user", "x-none", "x-mail", "x-other"] {
            goes_on.append(name, HeaderValue::from_static("mallory"));
        }
        rule.add_to(&mut goes_on, &identity);
        let value = |name: &str| goes_on.get(name).map(|value| value.to_str().unwrap());
        assert_eq!((value("x-user"), value("x-groups")), (Some("ann"), Some("a, b")));
        assert_eq!((value("x-none"), value("x-mail")), (None, Some("mallory")));
    }

    #[test]
    fn requests_are_told_apart_by_every_part_and_value() {
        let rule = rule(
            json!({"cache_by": ["cookie", "authorization", ":method", ":authority", ":path"]}),
        );
        let key = |fields: &[(&'static str, &'static str)]| rule.key(&asked(fields));
        let one = key(&[("cookie", "a")]).unwrap();
        assert_eq!(key(&[("cookie", "a"), ("accept", "x")]), Some(one.clone()));
        for other in [
            &[("cookie", "b")][..],
            &[("authorization", "a")],
            &[("cookie", "a"), ("cookie", "")],
            &[("cookie", "a"), ("authorization", "")],
        ] {
            assert_ne!(key(other), Some(one.clone()), "{other:?}");
        }
        let mut elsewhere = asked(&[("cookie", "a")]);
        elsewhere.uri = Uri::from_static("/orders?id=8");
        assert_ne!(rule.key(&elsewhere), Some(one));
    }

    #[test]
    fn a_request_that_carries_nothing_to_be_known_by_is_like_no_other() {
        let rule = rule(json!({"cache_by": ["cookie", ":path"]}));
        assert_eq!(rule.key(&asked(&[])), None);
    }

    #[test]
    fn mistakes_are_told_at_their_place() {
        let (_, issues) = read(json!({
            "path": "check", "take_headers": ["x-user", "connection", "a b"], "send_headers": ["host"],
            "subject": "", "cache_by": ["cookie", ":scheme"],
        }));
        assert_eq!(
            issues,
            [
                "f.path",
                "f.take_headers.1",
                "f.take_headers.2",
                "f.send_headers.0",
                "f.subject.0",
                "f.cache_by.1"
            ]
        );
    }
}
