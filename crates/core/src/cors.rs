//! CORS (the Fetch standard, <https://fetch.spec.whatwg.org/#http-cors-protocol>): which pages of other origins may
//! read a response, and what a browser is told that asks before it sends a request.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, request};

use crate::message::field::is_token;
use crate::message::web_origin::WebOrigins;
use crate::plan::{self, Issue};

/// What a response says to pages; of an upstream's own none is passed on.
const OF_RESPONSES: [HeaderName; 7] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
    HeaderName::from_static("access-control-allow-private-network"),
];
/// What a response depends on.
const VARIES: HeaderValue = HeaderValue::from_static("Origin");
/// What the answer to a preflight depends on.
const PREFLIGHT_VARIES: HeaderValue = HeaderValue::from_static(
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
);
const ANY: HeaderValue = HeaderValue::from_static("*");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// Which pages of other origins may read the responses of a route.
#[derive(Debug, Clone)]
pub struct Cors {
    origins: WebOrigins,
    methods: Allowed,
    headers: Allowed,
    expose: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
    credentials: bool,
}

/// What a page may use of methods or of fields.
#[derive(Debug, Clone)]
enum Allowed {
    /// These; `None`: no more than every page may.
    These(Option<HeaderValue>),
    /// All that it asks for.
    Any,
}

impl Cors {
    /// Reads the option `wanted`, which stands at `at`. What is wrong is added to `issues` and left out.
    pub fn build(wanted: &plan::Cors, at: &str, issues: &mut Vec<Issue>) -> Self {
        let mut list = |option: &str, words: &[String]| {
            if let Some(wrong) = words.iter().find(|word| !is_token(word)) {
                issues.push(Issue::new(format!("{at}.{option}"), format!("`{wrong}` is no name")));
            }
            HeaderValue::try_from(words.join(", ")).ok().filter(|list| !list.is_empty())
        };
        let is_any = |words: &[String]| words.iter().any(|word| word == "*");
        let mut allowed = |option: &str, words: &[String]| match is_any(words) {
            true => Allowed::Any,
            false => Allowed::These(list(option, words)),
        };
        let methods = allowed("methods", &wanted.methods);
        let headers = allowed("headers", &wanted.headers);
        let expose = list("expose", &wanted.expose);
        if wanted.credentials && wanted.origins.iter().any(|origin| origin == "*") {
            let wrong = "with `credentials` the origins must be named";
            issues.push(Issue::new(format!("{at}.origins"), wrong));
        }
        let max_age = wanted.max_age.map(|age| HeaderValue::from(age.duration().as_secs()));
        Self {
            origins: WebOrigins::new(&wanted.origins),
            methods,
            headers,
            expose,
            max_age,
            credentials: wanted.credentials,
        }
    }

    /// The fields of the answer to a preflight; `None` if the request is none.
    ///
    /// A page whose origin is not allowed gets those that allow nothing: its browser says why it does not go on.
    pub fn preflight(&self, request: &request::Parts) -> Option<HeaderMap> {
        let asked = &request.headers;
        let (origin, method) = (asked.get(ORIGIN)?, asked.get(ACCESS_CONTROL_REQUEST_METHOD)?);
        if request.method != Method::OPTIONS {
            return None;
        }
        let mut fields = HeaderMap::with_capacity(OF_RESPONSES.len());
        fields.insert(VARY, PREFLIGHT_VARIES);
        if self.allow(Some(origin), &mut fields) {
            let mut tell = |name: HeaderName, allowed: &Allowed, asked: Option<&HeaderValue>| {
                if let Some(value) = allowed.of(asked) {
                    fields.insert(name, value.clone());
                }
            };
            tell(ACCESS_CONTROL_ALLOW_METHODS, &self.methods, Some(method));
            let headers = asked.get(ACCESS_CONTROL_REQUEST_HEADERS);
            tell(ACCESS_CONTROL_ALLOW_HEADERS, &self.headers, headers);
            if let Some(age) = &self.max_age {
                fields.insert(ACCESS_CONTROL_MAX_AGE, age.clone());
            }
        }
        Some(fields)
    }

    /// Let the page at `origin` read a response with these fields, if it may, and nobody else by what they say.
    pub fn apply(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
        for name in &OF_RESPONSES {
            response.remove(name);
        }
        if !varies_by_origin(response) {
            response.append(VARY, VARIES);
        }
        if self.allow(origin, response)
            && let Some(expose) = &self.expose
        {
            response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
    }

    /// Say in `fields` that the page at `origin` may read the response, if it may.
    fn allow(&self, origin: Option<&HeaderValue>, fields: &mut HeaderMap) -> bool {
        let allowed = match origin {
            _ if self.origins.is_any() => ANY,
            Some(origin) if self.origins.contains(origin.as_bytes()) => origin.clone(),
            _ => return false,
        };
        fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if self.credentials {
            fields.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
        true
    }
}

impl Allowed {
    /// What a preflight is told that asks for `asked`. Browsers take a `*` for a name where there are credentials, and
    /// never for `Authorization`, so what is asked for is named.
    fn of<'a>(&'a self, asked: Option<&'a HeaderValue>) -> Option<&'a HeaderValue> {
        match self {
            Self::These(these) => these.as_ref(),
            Self::Any => asked.filter(|asked| are_names(asked.as_bytes())),
        }
    }
}

/// Whether this is a list of names.
fn are_names(list: &[u8]) -> bool {
    let names = || Some(str::from_utf8(list).ok()?.split(','));
    names().is_some_and(|mut names| names.all(|name| is_token(name.trim_ascii())))
}

/// Whether a response with these fields says that it depends on `Origin`, or on everything.
fn varies_by_origin(response: &HeaderMap) -> bool {
    let lists = response.get_all(VARY).iter();
    lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b',')).any(|name| {
        let name = name.trim_ascii();
        name == b"*" || name.eq_ignore_ascii_case(b"origin")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::Request;
    use serde_json::{Value, json};

    use super::*;

    const PAGE: &str = "https://app.example.com";

    fn cors(options: Value) -> Cors {
        let mut whole = json!({
            "origins": [PAGE], "methods": ["GET", "PUT"], "headers": [], "expose": [], "credentials": false
        });
        whole.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let mut issues = Vec::new();
        let cors = Cors::build(&serde_json::from_value(whole).unwrap(), "cors", &mut issues);
        assert_eq!(issues, []);
        cors
    }

    fn request(method: &str, fields: &[(&str, &str)]) -> request::Parts {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn preflight(cors: &Cors, origin: &str, method: &str, headers: &str) -> HeaderMap {
        let request = request(
            "OPTIONS",
            &[
                ("origin", origin),
                ("access-control-request-method", method),
                ("access-control-request-headers", headers),
            ],
        );
        cors.preflight(&request).unwrap()
    }

    fn applied(
        cors: &Cors,
        origin: Option<&'static str>,
        upstream: &[(&str, &str)],
    ) -> Vec<String> {
        let mut response = HeaderMap::new();
        for (name, value) in upstream {
            response.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        cors.apply(origin.map(HeaderValue::from_static).as_ref(), &mut response);
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let mut lines: Vec<_> = response.iter().map(line).collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_page_that_may_reads_the_response_and_another_does_not() {
        let cors = cors(json!({"expose": ["x-total", "x-page"], "credentials": true}));
        assert_eq!(
            applied(&cors, Some(PAGE), &[]),
            [
                "access-control-allow-credentials: true",
                "access-control-allow-origin: https://app.example.com",
                "access-control-expose-headers: x-total, x-page",
                "vary: Origin",
            ]
        );
        for other in [Some("https://evil.example"), Some("null"), None] {
            assert_eq!(applied(&cors, other, &[]), ["vary: Origin"], "{other:?}");
        }
    }

    #[test]
    fn what_the_upstream_says_itself_is_replaced_and_what_it_varies_by_stays() {
        let own = [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "x-secret"),
            ("vary", "accept-encoding"),
        ];
        let cors = cors(json!({}));
        assert_eq!(applied(&cors, None, &own), ["vary: Origin", "vary: accept-encoding"]);
        for varies in ["Accept, origin", "*"] {
            let line = format!("vary: {varies}");
            assert_eq!(applied(&cors, None, &[("vary", varies)]), [line]);
        }
    }

    #[test]
    fn all_origins_are_told_so_without_being_named() {
        let cors = cors(json!({"origins": ["*"]}));
        for origin in [Some(PAGE), Some("null"), None] {
            let lines = ["access-control-allow-origin: *", "vary: Origin"];
            assert_eq!(applied(&cors, origin, &[]), lines, "{origin:?}");
        }
    }

    #[test]
    fn a_preflight_is_told_what_the_page_may_do() {
        let cors = cors(json!({"headers": ["x-one", "authorization"], "max_age": 600_000}));
        let told = preflight(&cors, PAGE, "DELETE", "x-two");
        assert_eq!(told[ACCESS_CONTROL_ALLOW_ORIGIN], PAGE);
        assert_eq!(told[ACCESS_CONTROL_ALLOW_METHODS], "GET, PUT");
        assert_eq!(told[ACCESS_CONTROL_ALLOW_HEADERS], "x-one, authorization");
        assert_eq!(told[ACCESS_CONTROL_MAX_AGE], "600");
        assert!(told[VARY].to_str().unwrap().contains("Origin"));
    }

    #[test]
    fn where_anything_may_be_used_what_is_asked_for_is_named() {
        let cors = cors(json!({"methods": ["*"], "headers": ["*"], "credentials": true}));
        let told = preflight(&cors, PAGE, "PATCH", "authorization,x-any");
        assert_eq!(told[ACCESS_CONTROL_ALLOW_METHODS], "PATCH");
        assert_eq!(told[ACCESS_CONTROL_ALLOW_HEADERS], "authorization,x-any");
        let told = preflight(&cors, PAGE, "a b", "x;y");
        assert!(!told.contains_key(ACCESS_CONTROL_ALLOW_METHODS), "that is no method");
        assert!(!told.contains_key(ACCESS_CONTROL_ALLOW_HEADERS), "those are no names");
    }

    #[test]
    fn a_preflight_of_a_page_that_may_not_is_told_nothing() {
        let told = preflight(&cors(json!({})), "https://evil.example", "PUT", "x-one");
        assert_eq!(told.keys().collect::<Vec<_>>(), [VARY]);
    }

    #[test]
    fn only_an_options_request_that_asks_for_a_method_from_an_origin_is_a_preflight() {
        let (origin, method) = (("origin", PAGE), ("access-control-request-method", "PUT"));
        let cors = cors(json!({}));
        for (sent, fields) in
            [("OPTIONS", vec![origin]), ("OPTIONS", vec![method]), ("GET", vec![origin, method])]
        {
            assert!(cors.preflight(&request(sent, &fields)).is_none(), "{sent} {fields:?}");
        }
    }

    #[test]
    fn credentials_for_all_origins_and_names_that_are_none_are_mistakes() {
        let wanted = json!({
            "origins": ["*"], "methods": ["A B"], "headers": ["x:y"], "expose": [""], "credentials": true
        });
        let mut issues = Vec::new();
        Cors::build(&serde_json::from_value(wanted).unwrap(), "c", &mut issues);
        let paths: Vec<_> = issues.iter().map(|issue| issue.path.as_str()).collect();
        assert_eq!(paths, ["c.methods", "c.headers", "c.expose", "c.origins"]);
    }
}
