#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cmp::Reverse;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use regex::Regex;
use serde_json::{Value, json};

use super::testing::route;
use super::{Found, RouteQuery, RouteTable};
use crate::plan::{Issue, Listener};

fn listener(name: &str) -> Listener {
    serde_json::from_value(json!({
        "name": name, "address": "127.0.0.1:0", "protocols": ["http1"], "trusted_proxies": [],
        "limits": {"connections": 1, "connections_per_client": 1, "header_bytes": 1, "header_count": 1,
                   "uri_length": 1, "streams": 1},
        "timeouts": {"handshake": 1, "header_read": 1, "request_body": 1, "write": 1, "idle": 1},
    }))
    .unwrap()
}

fn try_build(routes: &[Value]) -> Result<RouteTable, Vec<Issue>> {
    let routes: Vec<_> = routes.iter().cloned().map(route).collect();
    RouteTable::build(&routes, &[listener("web"), listener("secure")])
}

/// A table of routes that are given by their `match`; their names are their positions.
fn table(matches: &[Value]) -> RouteTable {
    let named = |(at, matches): (usize, &Value)| json!({"name": at.to_string(), "match": matches});
    try_build(&matches.iter().enumerate().map(named).collect::<Vec<_>>()).unwrap()
}

/// A request, by default `GET http://example.com/` on the first listener.
struct Request {
    listener: usize,
    host: &'static str,
    path: String,
    query: Option<&'static str>,
    method: Method,
    headers: HeaderMap,
}

fn get(path: &str) -> Request {
    Request {
        listener: 0,
        host: "example.com",
        path: path.into(),
        query: None,
        method: Method::GET,
        headers: HeaderMap::new(),
    }
}

impl Request {
    fn host(self, host: &'static str) -> Self {
        Self { host, ..self }
    }

    fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    fn query(self, query: &'static str) -> Self {
        Self { query: Some(query), ..self }
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    fn as_query(&self) -> RouteQuery<'_> {
        RouteQuery {
            listener: self.listener,
            host: self.host,
            path: &self.path,
            query: self.query,
            method: &self.method,
            headers: &self.headers,
        }
    }

    fn on(&self, table: &RouteTable) -> Option<usize> {
        table.find(&self.as_query()).map(|found| found.route)
    }
}

fn matches(condition: Value, request: &Request) -> bool {
    request.on(&table(&[condition])).is_some()
}

#[test]
fn a_prefix_matches_only_on_segment_borders() {
    for prefix in ["/v1", "/v1/"] {
        let table = table(&[json!({"path": {"prefix": prefix}})]);
        for path in ["/v1", "/v1/", "/v1/x", "/v1//x"] {
            let found = table.find(&get(path).as_query()).unwrap();
            assert_eq!(found.prefix, 3, "{prefix} {path}");
        }
        for path in ["/", "/v10", "/v", "/x/v1", "//v1", "/V1"] {
            assert_eq!(get(path).on(&table), None, "{prefix} {path}");
        }
    }
}

#[test]
fn the_more_specific_path_wins_whatever_the_order_of_the_file() {
    let paths = [
        json!({"exact": "/a/b"}),
        json!({"template": "/a/{x}"}),
        json!({"template": "/{x}/b"}),
        json!({"template": "/{x}/{y}"}),
        json!({"template": "/a/{*rest}"}),
        json!({"template": "/{*rest}"}),
        json!({"regex": "/a/b?.*"}),
        json!({"regex": "/[ab]/b"}),
        json!({"prefix": "/a/b"}),
        json!({"prefix": "/a"}),
        json!({"prefix": "/"}),
    ];
    // More segments come before fewer among templates with as many literals.
    let order = [0, 1, 2, 4, 3, 5, 6, 7, 8, 9, 10];
    for skipped in 0..order.len() {
        let left: Vec<_> =
            order[skipped..].iter().rev().map(|&at| json!({"path": paths[at]})).collect();
        assert_eq!(get("/a/b").on(&table(&left)), Some(left.len() - 1), "{:?}", left.last());
    }
}

#[test]
fn hosts_are_asked_from_the_most_specific_on() {
    let table = table(&[
        json!({"path": {"exact": "/"}}),
        json!({"hosts": ["*.com"]}),
        json!({"hosts": ["*.example.com"], "methods": ["GET"]}),
        json!({"hosts": ["api.example.com", "[::1]"], "path": {"prefix": "/v1"}}),
    ]);
    for (host, path, expected) in [
        ("API.example.com:80", "/v1/x", Some(3)),
        ("api.example.com", "/", Some(2)),
        ("a.b.example.com", "/", Some(2)),
        ("example.com", "/", Some(1)),
        ("example.org", "/", Some(0)),
        ("example.org", "/x", None),
        ("[::1]:8080", "/v1", Some(3)),
        ("", "/", Some(0)),
    ] {
        assert_eq!(get(path).host(host).on(&table), expected, "{host}{path}");
    }
    let post = get("/v2").host("api.example.com").method(Method::POST);
    assert_eq!(post.on(&table), Some(1));
}

#[test]
fn more_conditions_win_then_a_listener_then_the_order_of_the_file() {
    let field = |name: &str| json!({"name": name, "present": true});
    let routes = [
        json!({"name": "plain"}),
        json!({"name": "again"}),
        json!({"name": "listener", "listeners": ["secure"]}),
        json!({"name": "cookie", "match": {"cookies": [field("c")]}}),
        json!({"name": "query", "match": {"query": [field("q")]}}),
        json!({"name": "header", "match": {"headers": [field("x-a")]}}),
        json!({"name": "headers", "match": {"headers": [field("x-a"), field("x-b")]}}),
        json!({"name": "method", "match": {"methods": ["GET"]}}),
    ];
    let mut request = get("/").query("q").header("cookie", "c=1");
    request = request.header("x-a", "1").header("x-b", "1");
    request.listener = 1;
    for count in (3..=routes.len()).rev() {
        let table = try_build(&routes[..count]).unwrap();
        assert_eq!(request.on(&table), Some(count - 1));
    }
    assert_eq!(request.on(&try_build(&routes[..2]).unwrap()), Some(0));
    request.listener = 0;
    assert_eq!(request.on(&try_build(&routes[..3]).unwrap()), Some(0));
}

#[test]
fn headers_are_tested_by_any_of_their_values() {
    let request = get("/").header("x-env", "dev").header("x-env", "prod-2");
    for (test, expected) in [
        (json!({"exact": "dev"}), true),
        (json!({"exact": "prod"}), false),
        (json!({"prefix": "prod"}), true),
        (json!({"regex": "prod-\\d"}), true),
        (json!({"regex": "prod"}), false),
        (json!({"regex": "x|prod"}), false),
        (json!({"present": true}), true),
        (json!({"present": false}), false),
    ] {
        let mut condition = test.clone();
        condition["name"] = json!("X-Env");
        assert_eq!(matches(json!({"headers": [condition]}), &request), expected, "{test}");
    }
    assert!(matches(json!({"headers": [{"name": "x-b", "present": false}]}), &request));
}

#[test]
fn query_parameters_are_decoded() {
    let request = get("/").query("a%20b=c+d&flag&&e=%26&e=2");
    for (name, exact, expected) in [
        ("a b", "c d", true),
        ("flag", "", true),
        ("e", "&", true),
        ("e", "2", true),
        ("e", "3", false),
    ] {
        let condition = json!({"query": [{"name": name, "exact": exact}]});
        assert_eq!(matches(condition, &request), expected, "{name}");
    }
}

#[test]
fn cookies_are_found_in_every_cookie_field() {
    let request = get("/").header("cookie", "a=1; b=x=y").header("cookie", "c=; junk");
    for (name, exact, expected) in
        [("a", "1", true), ("b", "x=y", true), ("c", "", true), ("a", "x", false)]
    {
        let condition = json!({"cookies": [{"name": name, "exact": exact}]});
        assert_eq!(matches(condition, &request), expected, "{name}");
    }
    assert!(!matches(json!({"cookies": [{"name": "junk", "present": true}]}), &request));
}

#[test]
fn a_regex_takes_the_whole_path_and_gives_its_named_groups() {
    let table = table(&[json!({"path": {"regex": "/v(?P<major>\\d+)|/old"}})]);
    let found = table.find(&get("/v12").as_query()).unwrap();
    assert_eq!(found.captures.get("major", "/v12"), Some("12"));
    assert_eq!(found.prefix, 0);
    for path in ["/v12/", "/x/v12", "/old/x", "/x/old"] {
        assert_eq!(get(path).on(&table), None, "{path}");
    }
    assert_eq!(get("/old").on(&table), Some(0));
}

#[test]
fn the_server_itself_is_asked_for_by_a_route_for_all_paths() {
    assert!(matches(json!({}), &get("*")));
    assert!(matches(json!({"path": {"prefix": "/"}}), &get("*")));
    assert!(!matches(json!({"path": {"template": "/{*all}"}}), &get("*")));
}

#[test]
fn patterns_in_the_configuration_are_normalized_like_requests() {
    assert!(matches(json!({"path": {"exact": "/%61/caf\u{e9}"}}), &get("/a/caf%C3%A9")));
    assert!(matches(json!({"path": {"prefix": "/a%2fb"}}), &get("/a%2Fb/c")));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let issues = try_build(&[
        json!({"match": {"path": {"regex": "/("}}}),
        json!({"match": {"path": {"template": "/v{n}"}, "hosts": ["ok.com", "a:80"]}}),
        json!({"match": {"path": {"prefix": "v1"}, "methods": ["GET", "G T", "get"]}}),
        json!({"match": {"path": {"exact": "/%4"}}, "listeners": ["web", "nope"]}),
        json!({"match": {"path": {"exact": "/", "prefix": "/"}}}),
        json!({"match": {"path": {}, "headers": [{"name": "a b", "regex": "("}]}}),
        json!({"match": {"query": [{"name": "q"}], "cookies": [{"name": "", "present": true}]}}),
        json!({"match": {"path": {"regex": "a)|(?:b"}}}),
    ])
    .unwrap_err();
    let paths: Vec<_> = issues.iter().map(|issue| issue.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "routes.0.match.path.regex",
            "routes.1.match.hosts.1",
            "routes.1.match.path.template",
            "routes.2.match.path.prefix",
            "routes.2.match.methods.1",
            "routes.2.match.methods.2",
            "routes.3.match.path.exact",
            "routes.3.listeners.1",
            "routes.4.match.path",
            "routes.5.match.path",
            "routes.5.match.headers.0.name",
            "routes.5.match.headers.0.regex",
            "routes.6.match.query.0",
            "routes.6.match.cookies.0.name",
            "routes.7.match.path.regex",
        ]
    );
}

#[test]
fn an_explanation_says_why_nearer_routes_do_not_match() {
    let table = try_build(&[
        json!({"name": "api", "match": {"hosts": ["api.example.com"]}}),
        json!({"name": "v1", "match": {"path": {"prefix": "/v1"}}}),
        json!({"name": "write", "match": {"path": {"prefix": "/v2"}, "methods": ["POST", "PUT"]}}),
        json!({"name": "env", "match": {
            "path": {"prefix": "/v2"}, "headers": [{"name": "x-env", "exact": "dev"}]}}),
        json!({"name": "tls", "match": {"path": {"prefix": "/v2"}}, "listeners": ["secure"]}),
        json!({"name": "item", "match": {"path": {"template": "/v2/{id}"}}}),
        json!({"name": "rest"}),
    ])
    .unwrap();
    let reasons = |request: &Request| -> Vec<(String, Option<String>)> {
        let explanation = table.explain(&request.as_query());
        explanation.considered.into_iter().map(|c| (c.route, c.reason)).collect()
    };
    let why = |route: &str, reason: &str| (route.to_owned(), Some(reason.to_owned()));
    assert_eq!(
        reasons(&get("/v2/x/y").header("x-env", "prod")),
        [
            why("api", "host example.com is not api.example.com"),
            why("item", "path /v2/x/y does not fit template /v2/{id}"),
            why("write", "method GET is not one of POST, PUT"),
            why("env", "header x-env has no value that is \"dev\""),
            why("tls", "it does not serve this listener"),
            why("v1", "path /v2/x/y is not under prefix /v1"),
            ("rest".to_owned(), None),
        ]
    );
    assert_eq!(reasons(&get("/v2/x/y"))[3], why("env", "header x-env is absent"));
    let explanation = table.explain(&get("/v2/7").as_query());
    assert_eq!(explanation.route.as_deref(), Some("item"));
    assert_eq!(explanation.captures["id"], "7");
}

#[test]
fn an_explanation_is_bounded_to_the_nearest() {
    let routes: Vec<_> = (0..100).map(|n| json!({"path": {"exact": format!("/a/{n}")}})).collect();
    let explanation = table(&routes).explain(&get("/a/9x").as_query());
    assert_eq!(explanation.route, None);
    assert_eq!(explanation.considered.len(), 20);
    assert!(explanation.considered.iter().any(|considered| considered.route == "9"));
}

#[test]
fn rows_stand_in_order_of_precedence() {
    let table = try_build(&[
        json!({"name": "rest"}),
        json!({"name": "api", "match": {
            "hosts": ["*.a.com", "b.com"], "path": {"regex": "/x.*"}, "methods": ["GET", "PUT"],
            "headers": [{"name": "X-A", "present": false}], "query": [{"name": "q", "prefix": "1"}],
            "cookies": [{"name": "c", "regex": "\\d"}]}, "listeners": ["web"]}),
        json!({"name": "old", "match": {"path": {"exact": "/old"}}, "upstream": null,
               "respond": {"status": 410, "headers": {}, "body": ""}}),
    ])
    .unwrap();
    let rows = serde_json::to_value(table.rows()).unwrap();
    assert_eq!(
        rows,
        json!([
            {"route": "api", "hosts": ["*.a.com", "b.com"], "path": "~ /x.*", "action": "upstream app",
             "conditions": ["method GET, PUT", "header x-a is absent", "query parameter q begins with \"1\"",
                            "cookie c matches \\d", "listener web"]},
            {"route": "old", "hosts": ["*"], "path": "= /old", "conditions": [], "action": "respond 410"},
            {"route": "rest", "hosts": ["*"], "path": "/*", "conditions": [], "action": "upstream app"},
        ])
    );
}

/// A route as the naive matcher below reads it.
#[derive(Debug, Clone)]
struct Naive {
    hosts: Vec<&'static str>,
    path: (&'static str, &'static str),
    get: bool,
    header: bool,
    secure: bool,
}

/// Kinds of paths, and for regexes how many literal segments they begin with.
const PATHS: [(&str, &str); 24] = [
    ("any", ""),
    ("exact", "/"),
    ("exact", "/a"),
    ("exact", "/a/b"),
    ("exact", "/a/"),
    ("template", "/{x}"),
    ("template", "/a/{x}"),
    ("template", "/{x}/b"),
    ("template", "/{x}/{y}"),
    ("template", "/a/{*r}"),
    ("template", "/{*r}"),
    ("template", "/{x}/b/{*r}"),
    ("template", "/{x}//b"),
    ("regex 0", "/[ab]"),
    ("regex 0", ".*b"),
    ("regex 0", "/(a|b)/b"),
    ("regex 1", "/a/.*"),
    ("regex 1", "/a/b+"),
    ("regex 2", "/a/b/.+"),
    ("prefix", "/"),
    ("prefix", "/a"),
    ("prefix", "/b/"),
    ("prefix", "/a/b"),
    ("prefix", "/a//"),
];

impl Naive {
    fn plan(&self) -> Value {
        let (kind, text) = self.path;
        let kind = kind.split(' ').next().unwrap();
        let path = if kind == "any" { json!(null) } else { json!({kind: text}) };
        let headers =
            if self.header { json!([{"name": "x-a", "present": true}]) } else { json!([]) };
        json!({
            "match": {"hosts": self.hosts, "path": path, "headers": headers,
                      "methods": if self.get { json!(["GET"]) } else { json!([]) }},
            "listeners": if self.secure { json!(["secure"]) } else { json!([]) },
        })
    }

    fn host_rank(&self, host: &str) -> Option<(u8, Reverse<usize>)> {
        let fits = |pattern: &&str| match pattern.strip_prefix('*') {
            Some(suffix) => host.ends_with(suffix).then_some((1, Reverse(suffix.len()))),
            None => (host == *pattern).then_some((0, Reverse(0))),
        };
        let any = self.hosts.is_empty().then_some((2, Reverse(0)));
        self.hosts.iter().filter_map(fits).chain(any).min()
    }

    fn path_fits(&self, path: &str) -> bool {
        let (kind, text) = self.path;
        let below = text.strip_suffix('/').unwrap_or(text);
        let regex = match &kind[..3] {
            "any" => return true,
            "pre" if text == "/" => return true,
            "exa" => return path == text,
            "pre" => format!("{}(/.*)?", regex::escape(below)),
            "tem" => text.replace("{*r}", ".*").replace("{x}", "[^/]+").replace("{y}", "[^/]+"),
            _ => text.to_owned(),
        };
        Regex::new(&format!("^({regex})$")).unwrap().is_match(path)
    }

    fn path_rank(&self) -> Vec<isize> {
        let (kind, text) = self.path;
        let segments: Vec<_> = text.split('/').skip(1).collect();
        let fewer = |counted: usize| -(isize::try_from(counted).unwrap());
        match kind {
            "exact" => vec![0],
            "template" => {
                let rest = text.contains('*');
                let captured = |segment: &&str| segment.starts_with('{');
                let literals = segments.iter().filter(|s| !captured(s)).count();
                let mut rank = vec![1, fewer(literals), fewer(segments.len() - usize::from(rest))];
                rank.push(isize::from(rest));
                rank.extend(segments.iter().map(|s| isize::from(captured(s))));
                rank
            }
            "any" => vec![3, 0],
            "prefix" => vec![3, fewer(text.strip_suffix('/').unwrap_or(text).len())],
            regex => vec![2, -regex[6..].parse::<isize>().unwrap()],
        }
    }

    /// Its place in the documented order for a request, if it takes it.
    fn place(&self, request: &Request) -> Option<impl Ord + use<>> {
        let host = self.host_rank(request.host)?;
        let takes = self.path_fits(&request.path)
            && (!self.get || request.method == Method::GET)
            && (!self.header || request.headers.contains_key("x-a"))
            && (!self.secure || request.listener == 1);
        let conditions = (Reverse(self.get), Reverse(self.header), Reverse(self.secure));
        takes.then(|| (host, self.path_rank(), conditions))
    }
}

prop_compose! {
    fn naive()(
        hosts in prop::sample::subsequence(vec!["a.x.com", "x.com", "*.x.com", "*.com"], 0..3),
        path in prop::sample::select(PATHS.to_vec()),
        get: bool, header: bool, secure: bool,
    ) -> Naive {
        Naive { hosts, path, get, header, secure }
    }
}

prop_compose! {
    fn request()(
        host in prop::sample::select(vec!["a.x.com", "b.x.com", "x.com", "y.com", "org", ""]),
        path in "(\\*|/|(/|/a|/b|/c){1,4})",
        listener in 0_usize..2, get: bool, header: bool,
    ) -> Request {
        let mut request = self::get(&path).host(host);
        request.listener = listener;
        if !get {
            request = request.method(Method::POST);
        }
        if header { request.header("x-a", "1") } else { request }
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_query().fmt(f)
    }
}

proptest! {
    #[test]
    fn the_index_finds_what_a_naive_search_finds(
        routes in prop::collection::vec(naive(), 0..24),
        requests in prop::collection::vec(request(), 1..24),
    ) {
        let table = try_build(&routes.iter().map(Naive::plan).collect::<Vec<_>>()).unwrap();
        for request in requests {
            let placed = routes.iter().enumerate().filter_map(|(at, r)| Some((r.place(&request)?, at)));
            let expected = placed.min().map(|(_, at)| at);
            prop_assert_eq!(request.on(&table), expected, "{:?}", request);

            let explanation = table.explain(&request.as_query());
            prop_assert_eq!(explanation.route.is_some(), expected.is_some());
            let taken = explanation.considered.iter().filter(|considered| considered.matched).count();
            prop_assert_eq!(taken, usize::from(expected.is_some()));
        }
    }

    #[test]
    fn captures_are_parts_of_the_path(path in "(/[ab]{0,2}){1,5}") {
        let table = table(&[json!({"path": {"template": "/{x}/{*rest}"}})]);
        if let Some(Found { captures, .. }) = table.find(&get(&path).as_query()) {
            let text: Vec<_> = captures.iter(&path).map(|(_, text)| text).collect();
            prop_assert_eq!(format!("/{}", text.join("/")), path);
        }
    }
}
