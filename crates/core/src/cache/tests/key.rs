//! Which requests get the same response.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fields;
use crate::cache::key::{Key, KeyRule, Url};

fn build(wanted: &Value) -> (KeyRule, Vec<String>) {
    let mut whole = json!({
        "query": {"allow": null, "deny": null, "sort": false}, "headers": [], "cookies": [], "route": false
    });
    for (option, value) in wanted.as_object().unwrap() {
        match value.as_object() {
            Some(inner) => whole[option].as_object_mut().unwrap().extend(inner.clone()),
            None => whole[option] = value.clone(),
        }
    }
    let mut issues = Vec::new();
    let plan = serde_json::from_value(whole).unwrap();
    let rule = KeyRule::build(&plan, "shop", "routes.0.cache.key", &mut issues);
    (rule, issues.iter().map(ToString::to_string).collect())
}

fn rule(wanted: &Value) -> KeyRule {
    let (rule, issues) = build(wanted);
    assert_eq!(issues, [""; 0]);
    rule
}

const PAGE: Url<'_> = Url { scheme: "https", host: "shop.example", path: "/a", query: None };

fn with_query(query: &str) -> Url<'_> {
    Url { query: Some(query), ..PAGE }
}

fn key(rule: &KeyRule, url: Url<'_>) -> Key {
    rule.key(&url, &fields::<&str>(&[]))
}

/// What of a query counts.
fn counted(wanted: &Value, query: &str) -> Option<String> {
    let key = key(&rule(&json!({"query": wanted})), with_query(query));
    Url::of_key(&key.text).unwrap().query.map(str::to_owned)
}

#[test]
fn a_url_is_its_scheme_host_path_and_query() {
    let rule = rule(&json!({}));
    assert!(rule.is_url_alone());
    let own = key(&rule, PAGE);
    assert_eq!((own.url, &own), (own.hash, &key(&rule, PAGE)));
    for other in [
        Url { scheme: "http", ..PAGE },
        Url { host: "shop.example:8443", ..PAGE },
        Url { host: "other.example", ..PAGE },
        Url { path: "/A", ..PAGE },
        Url { path: "/a/", ..PAGE },
        with_query(""),
        with_query("a"),
        with_query("a=1"),
    ] {
        let other = key(&rule, other);
        assert!(other.hash != own.hash && other.text != own.text && other.url != own.url);
    }
}

#[test]
fn the_case_of_a_host_and_the_port_of_its_scheme_make_no_other_url() {
    let rule = rule(&json!({}));
    for host in ["SHOP.example", "shop.example:443", "Shop.Example:"] {
        assert_eq!(key(&rule, Url { host, ..PAGE }), key(&rule, PAGE), "{host}");
    }
    let plain = Url { scheme: "http", ..PAGE };
    assert_ne!(key(&rule, Url { host: "shop.example:443", ..plain }), key(&rule, plain));
}

#[test]
fn the_key_of_an_ordinary_url_needs_no_allocation() {
    let url = with_query("page=2&order=price");
    assert!(!key(&rule(&json!({})), url).text.spilled());
}

#[test]
fn a_query_counts_as_it_was_asked() {
    for query in ["", "b=1&a=2", "a&&b=%20", "a=1&a=1", "&"] {
        assert_eq!(counted(&json!({}), query).as_deref(), Some(query));
    }
}

#[test]
fn a_list_says_which_parameters_count() {
    let allow = json!({"allow": ["id", "page*"]});
    assert_eq!(counted(&allow, "x=1&id=2&pages=3&page=4&ID=5").unwrap(), "id=2&pages=3&page=4");
    assert_eq!(counted(&allow, "x=1"), None);
    let deny = json!({"deny": ["utm_*", "fbclid"]});
    assert_eq!(counted(&deny, "utm_source=a&id=1&fbclid=2&utm_=&fb=3").unwrap(), "id=1&fb=3");
    assert_eq!(counted(&deny, "utm_source=a&&"), None);
    assert_eq!(counted(&json!({"deny": ["*"]}), "a=1&b"), None);
    assert_eq!(counted(&json!({"allow": []}), "a=1&b"), None);
}

#[test]
fn names_of_parameters_are_compared_as_origins_read_them() {
    let deny = json!({"deny": ["utm_*", "a b"]});
    assert_eq!(counted(&deny, "%75tm%5Fsource=x&a+b=1&a%20b&id=%31").unwrap(), "id=%31");
}

#[test]
fn the_order_of_parameters_counts_unless_they_are_sorted() {
    let sort = json!({"sort": true});
    assert_eq!(counted(&sort, "b=1&a=2&&c").unwrap(), "a=2&b=1&c");
    assert_eq!(
        counted(&sort, "a=2&b&a=1").unwrap(),
        "a=2&a=1&b",
        "the first value of a name stays so"
    );
    assert_eq!(counted(&sort, "%61=2&b&a=1").unwrap(), "%61=2&a=1&b");
    assert_eq!(counted(&json!({"sort": true, "deny": ["b"]}), "c&b&a").unwrap(), "a&c");
}

#[test]
fn chosen_fields_and_cookies_count_and_no_other() {
    let rule = rule(&json!({"headers": ["X-Tenant"], "cookies": ["plan"]}));
    assert!(!rule.is_url_alone());
    let with = |sent: &[(&str, &str)]| rule.key(&PAGE, &fields(sent));
    let own = with(&[("x-tenant", "1"), ("cookie", "plan=pro")]);
    assert_eq!(own, with(&[("x-other", "1"), ("cookie", "a=b; plan=pro"), ("x-tenant", "1")]));
    for other in [
        &[][..],
        &[("x-tenant", "1")],
        &[("x-tenant", ""), ("cookie", "plan=pro")],
        &[("x-tenant", "1"), ("x-tenant", "1"), ("cookie", "plan=pro")],
        &[("x-tenant", "1"), ("cookie", "plan=pro; plan=pro")],
        &[("x-tenant", "1"), ("cookie", "Plan=pro")],
    ] {
        let other = with(other);
        assert!(other.hash != own.hash && other.text != own.text && other.url == own.url);
    }
}

#[test]
fn the_order_in_which_fields_are_configured_makes_no_other_key() {
    let sent = fields(&[("a", "1"), ("b", "2"), ("cookie", "c=3; d=4")]);
    let one = rule(&json!({"headers": ["a", "b"], "cookies": ["c", "d"]}));
    let other = rule(&json!({"headers": ["B", "a", "b"], "cookies": ["d", "c", "d"]}));
    assert_eq!(one.key(&PAGE, &sent), other.key(&PAGE, &sent));
}

#[test]
fn a_route_counts_where_that_is_wanted_and_leaves_the_url_as_it_is() {
    let (own, all) = (rule(&json!({"route": true})), rule(&json!({})));
    assert!(!own.is_url_alone());
    let (own, all) = (key(&own, PAGE), key(&all, PAGE));
    assert!(own.url == all.url && own.hash != all.hash);
}

#[test]
fn what_cannot_be_a_part_is_refused() {
    for (wanted, issue) in [
        (json!({"query": {"allow": ["a"], "deny": ["b"]}}), "query: give `allow` or `deny`"),
        (json!({"query": {"allow": ["a", "a*b"]}}), "query.allow.1: `a*b` has a `*`"),
        (json!({"query": {"deny": ["**"]}}), "query.deny.0: `**` has a `*`"),
        (json!({"headers": ["a b"]}), "headers.0: `a b` is not the name of a header"),
        (json!({"headers": ["a", "Connection"]}), "headers.1: `connection` belongs to one"),
        (json!({"headers": ["te"]}), "headers.0: `te` belongs to one connection"),
        (json!({"cookies": ["a;b"]}), "cookies.0: `a;b` is not the name of a cookie"),
    ] {
        let (_, issues) = build(&wanted);
        assert_eq!(issues.len(), 1, "{issues:?}");
        let begins = format!("routes.0.cache.key.{issue}");
        assert!(issues[0].starts_with(&begins), "{} and not {begins}", issues[0]);
    }
}

fn part() -> impl Strategy<Value = String> {
    // Bytes of lengths and tags are among them.
    prop::collection::vec(
        prop::sample::select(vec!['\0', '\u{1}', '\u{2}', 'a', 'h', ':', '/', '?']),
        0..4,
    )
    .prop_map(String::from_iter)
}

/// A request: scheme, host and path, query, values of the field `h`, value of the cookie `a`.
type Asked = ([String; 3], Option<String>, Vec<String>, Option<String>);

fn asked() -> impl Strategy<Value = Asked> {
    (
        [part(), part(), part()],
        prop::option::of(part()),
        prop::collection::vec("[ah,]{0,2}", 0..3),
        prop::option::of("[ah]{0,2}"),
    )
}

fn key_of(rule: &KeyRule, asked: &Asked) -> Key {
    let ([scheme, host, path], query, values, cookie) = asked;
    let mut sent: Vec<_> = values.iter().map(|value| ("h", value.clone())).collect();
    sent.extend(cookie.iter().map(|value| ("cookie", format!("a={value}"))));
    rule.key(&Url { scheme, host, path, query: query.as_deref() }, &fields(&sent))
}

/// The same without what does not count.
fn counting(asked: &Asked) -> Asked {
    let ([scheme, host, path], query, values, cookie) = asked.clone();
    let host = host.strip_suffix(':').unwrap_or(&host).to_owned();
    ([scheme, host, path], query, values, cookie)
}

proptest! {
    #[test]
    fn requests_that_differ_in_what_counts_have_other_keys(one in asked(), other in asked()) {
        let rule = rule(&json!({"headers": ["h"], "cookies": ["a"]}));
        let (one_key, other_key) = (key_of(&rule, &one), key_of(&rule, &other));
        prop_assert_eq!(counting(&one) == counting(&other), one_key.text == other_key.text);
        prop_assert_eq!(one_key.text == other_key.text, one_key.hash == other_key.hash);
        let url = Url::of_key(&one_key.text).unwrap();
        prop_assert_eq!((url.scheme, url.path, url.query), (&*one.0[0], &*one.0[2], one.1.as_deref()));
    }

    #[test]
    fn a_url_is_read_from_no_bytes_without_an_end(bytes in prop::collection::vec(0u8..4, 0..64)) {
        let _ = Url::of_key(&bytes);
    }

    #[test]
    fn any_query_is_counted_once_and_for_all(query in "[ab%+&=*\u{e9}]{0,12}") {
        for wanted in [json!({"sort": true}), json!({"deny": ["a*"]}), json!({"allow": ["b"], "sort": true})] {
            let once = counted(&wanted, &query);
            prop_assert_eq!(once.as_deref().and_then(|once| counted(&wanted, once)), once.clone());
        }
    }
}

#[test]
fn nothing_that_counts_hides_behind_a_semicolon() {
    let deny = json!({"deny": ["utm_*"]});
    assert_eq!(counted(&deny, "utm_a=1;b=2&c=3"), Some("utm_a=1;b=2&c=3".to_owned()));
    assert_eq!(counted(&deny, "utm_a=1;utm_b=2&c=3"), Some("c=3".to_owned()));
    let allow = json!({"allow": ["page"]});
    assert_eq!(counted(&allow, "x=1;page=2"), Some("x=1;page=2".to_owned()));
    assert_eq!(counted(&allow, "x=1;y=2"), None);
}

#[test]
fn slices_have_keys_of_their_own_which_begin_as_that_of_the_whole() {
    let url = Url { scheme: "http", host: "shop.example", path: "/film", query: Some("q=1") };
    let other = Url { path: "/other", ..url };
    let rule = rule(&json!({}));
    let [key, other] = [url, other].map(|url| rule.key(&url, &fields::<&str>(&[])));
    let slices = [key.slice(1, 0), key.slice(1, 1), key.slice(2, 0), other.slice(1, 0)];
    for (index, slice) in slices.iter().enumerate() {
        assert_eq!(slice.asked(), if index == 3 { other.asked() } else { key.asked() });
        assert_eq!(slice.url, if index == 3 { other.url } else { key.url });
        assert!(slices.iter().filter(|each| each.hash == slice.hash).count() == 1);
        assert_eq!(slices[0].is_slice_beside(slice), index < 2, "{index}");
    }
}
