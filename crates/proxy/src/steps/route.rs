//! Route: which route takes the request.

use http::Method;
use http::header::HOST;
use tidegate_core::failure::Failure;
use tidegate_core::route::{RouteQuery, normalize_path};

use crate::account::event::Event;
use crate::call::Call;
use crate::snapshot::Route;

/// Find the route. The path is then in the form that routes are matched against and upstreams get.
///
/// # Errors
/// If no route takes the request, or none could.
pub fn before<'a>(call: &mut Call<'a>) -> Result<&'a Route, Failure> {
    if call.head.method == Method::CONNECT {
        return Err(Failure::MethodNotSupported);
    }
    normalize(call)?;
    let listener = call.snapshot.listeners.get(call.client.listener.name.as_str());
    let found = call.snapshot.table.find(&RouteQuery {
        // A connection of a listener that is gone is served by the routes that serve any.
        listener: listener.copied().unwrap_or(usize::MAX),
        host: call.host(),
        path: call.head.uri.path(),
        query: call.head.uri.query(),
        method: &call.head.method,
        headers: &call.head.headers,
    });
    let Some(found) = found else {
        call.tell(&Event::RouteMissing { host: call.head.headers.get(HOST) });
        return Err(Failure::NoRoute);
    };
    let snapshot = call.snapshot;
    let route = &*snapshot.routes[found.route];
    call.tell(&Event::RouteChosen { id: route.id, metrics: &route.metrics });
    (call.found, call.route) = (found, Some(route));
    Ok(route)
}

fn normalize(call: &mut Call<'_>) -> Result<(), Failure> {
    let path = call.head.uri.path();
    if path == "*" {
        return Ok(());
    }
    let normal = normalize_path(path).map_err(|_| Failure::MalformedRequest)?;
    if normal != path {
        call.head.uri = call.target_with_path(&normal)?;
    }
    Ok(())
}
