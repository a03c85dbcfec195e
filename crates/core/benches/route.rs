//! What routing costs with 10, 1,000 and 10,000 routes.
//!
//! A service has a host of its own, or a prefix or an exact path below a shared host; the last route is a prefix that
//! takes what is left of the shared host.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tidegate_core::plan::Route;
use tidegate_core::route::{RouteQuery, RouteTable, normalize_path};

const SIZES: [usize; 3] = [10, 1_000, 10_000];

fn route(number: usize, host: &str, path: &Value) -> Route {
    let plan: Value = serde_json::from_str(include_str!("../tests/plan.json")).unwrap();
    let mut route: Route = serde_json::from_value(plan["routes"][0].clone()).unwrap();
    route.name = format!("route-{number}");
    route.matches.hosts = vec![host.into()];
    route.matches.path = serde_json::from_value(path.clone()).unwrap();
    route
}

fn routes(size: usize) -> Vec<Route> {
    let mut routes: Vec<_> = (0..size - 1)
        .map(|number| match number % 4 {
            0 => route(number, &format!("s{number}.example.com"), &json!({"prefix": "/"})),
            1 => route(number, "example.com", &json!({"exact": format!("/exact/{number}/items")})),
            2 => route(
                number,
                "example.com",
                &json!({"template": format!("/t{number}/{{id}}/items")}),
            ),
            _ => route(number, "example.com", &json!({"prefix": format!("/service-{number}/v1/")})),
        })
        .collect();
    routes.push(route(size, "example.com", &json!({"prefix": "/"})));
    routes
}

/// Two routes for every host, as in most small installations.
fn few(c: &mut Criterion) {
    let mut routes =
        [route(0, "x", &json!({"prefix": "/v1/"})), route(1, "x", &json!({"prefix": "/"}))];
    for route in &mut routes {
        route.matches.hosts.clear();
    }
    let table = RouteTable::build(&routes, &[]).unwrap();
    let headers = HeaderMap::new();
    let request = RouteQuery {
        listener: 0,
        host: "example.com:8080",
        path: "/v1/users/4711",
        query: None,
        method: &Method::GET,
        headers: &headers,
    };
    c.bench_function("find/2/prefix", |b| b.iter(|| table.find(black_box(&request))));
}

fn build(c: &mut Criterion) {
    let mut group = c.benchmark_group("build");
    group.sample_size(20);
    for size in SIZES {
        let routes = routes(size);
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| RouteTable::build(black_box(&routes), &[]).unwrap());
        });
    }
    group.finish();
}

fn find(c: &mut Criterion) {
    let headers = HeaderMap::new();
    for size in SIZES {
        let table = RouteTable::build(&routes(size), &[]).unwrap();
        let mut group = c.benchmark_group(format!("find/{size}"));
        for (name, host, path) in [
            ("host", "s4.example.com:8080", "/index.html"),
            ("exact", "example.com", "/exact/5/items"),
            ("template", "example.com", "/t6/4711/items"),
            ("prefix", "example.com", "/service-7/v1/users/4711"),
            ("catch_all", "example.com", "/nowhere/at/all"),
            ("miss", "www.example.org", "/service-7/v1/users/4711"),
        ] {
            let request = RouteQuery {
                listener: 0,
                host,
                path,
                query: None,
                method: &Method::GET,
                headers: &headers,
            };
            group.bench_function(name, |b| b.iter(|| table.find(black_box(&request))));
        }
        group.finish();
    }
}

/// 1,000 regexes, which begin with segments of their own or all alike.
fn regexes(c: &mut Criterion) {
    let headers = HeaderMap::new();
    for (name, beginning, path) in
        [("own_beginning", "/r", "/r500/v12/x"), ("same_beginning", "/[rs]", "/s500/v12/x")]
    {
        let regex = |number| json!({"regex": format!("{beginning}{number}/v[0-9]+/.*")});
        let routes: Vec<_> =
            (0..1_000).map(|number| route(number, "example.com", &regex(number))).collect();
        let table = RouteTable::build(&routes, &[]).unwrap();
        let request = RouteQuery {
            listener: 0,
            host: "example.com",
            path,
            query: None,
            method: &Method::GET,
            headers: &headers,
        };
        c.bench_function(&format!("regexes/1000/{name}"), |b| {
            b.iter(|| table.find(black_box(&request)).unwrap().route);
        });
    }
}

fn normalize(c: &mut Criterion) {
    let mut group = c.benchmark_group("normalize_path");
    for (name, path) in [
        ("normal", "/service-7/v1/users/4711.json"),
        ("to_change", "/service-7/%761/../v1/./users"),
    ] {
        group.bench_function(name, |b| b.iter(|| normalize_path(black_box(path)).unwrap().len()));
    }
    group.finish();
}

criterion_group!(benches, few, build, find, regexes, normalize);
criterion_main!(benches);
