#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::testing::{Request, get, route, table, try_build};
use super::{Found, RouteTable};

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

proptest! {
    #[test]
    fn captures_are_parts_of_the_path(path in "(/[ab]{0,2}){1,5}") {
        let table = table(&[json!({"path": {"template": "/{x}/{*rest}"}})]);
        if let Some(Found { captures, .. }) = table.find(&get(&path).as_query()) {
            let text: Vec<_> = captures.iter(&path).map(|(_, text)| text).collect();
            prop_assert_eq!(format!("/{}", text.join("/")), path);
        }
    }
}

#[test]
fn a_table_serves_on_while_routes_match_and_are_told_of_alike() {
    let shared = Arc::new(route(json!({"name": "shared"})));
    let plain = json!({"name": "one", "match": {"path": {"prefix": "/v1"}}});
    let one = |option: &str, value: Value| {
        let mut options = plain.clone();
        options[option] = value;
        [shared.clone(), Arc::new(route(options))]
    };
    let before = one("timeout", json!(1_000));
    assert!(RouteTable::serves_both(&before, &one("timeout", json!(2_000))));
    assert!(!RouteTable::serves_both(&before, &one("match", json!({"path": {"prefix": "/v2"}}))));
    assert!(!RouteTable::serves_both(&before, &one("listeners", json!(["secure"]))));
    assert!(!RouteTable::serves_both(&before, &one("upstream", json!("other"))));
    assert!(!RouteTable::serves_both(&before, &one("name", json!("two"))));
    let [first, second] = before.clone();
    assert!(!RouteTable::serves_both(&before, &[second, first]));
    assert!(!RouteTable::serves_both(&before, &before[..1]));
}
