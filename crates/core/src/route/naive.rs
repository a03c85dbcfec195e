//! The documented precedence once more, as plainly as can be, to hold the index against.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cmp::Reverse;

use http::Method;
use proptest::prelude::*;
use regex::Regex;
use serde_json::{Value, json};

use super::testing::{Request, get, try_build};

/// A route as a search through all of them reads it.
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
        listener in 0_usize..2, is_get: bool, header: bool,
    ) -> Request {
        let mut request = get(&path).host(host);
        request.listener = listener;
        if !is_get {
            request = request.method(Method::POST);
        }
        if header { request.header("x-a", "1") } else { request }
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
}
