//! gRPC: an RPC is answered as gRPC answers, and counted by its method.

use http::header::{
    CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRAILER,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use tidegate_core::grpc::{GRPC_STATUS, content_type, read_status, status_fields};
use tidegate_core::plan::GrpcStatus;

use crate::account::rpc::{CountedRpc, RpcCounts};
use crate::call::{Call, Transaction};
use crate::http::body::Body;

/// Fields of a response that describe the content that it loses.
const OF_CONTENT: [HeaderName; 4] = [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_LANGUAGE, TRAILER];

/// Begin to count an RPC, where the route counts them by method.
pub fn before(counts: Option<&RpcCounts>, call: &mut Call<'_>) {
    let Some(counts) = counts else { return };
    if content_type::is_grpc(&call.head.headers) {
        let worker = call.client.local.index();
        call.rpc = Some(Box::new(CountedRpc::begin(counts, worker, &call.head.uri)));
    }
}

/// Answer an RPC in gRPC, at its beginning or where the response breaks off, and count it when it has ended.
pub fn after(call: &mut Call<'_>, response: &mut Response<Body>) {
    let answered = !answer(call.transaction, &call.head.headers, response);
    let counted = call.rpc.take();
    if counted.is_none() && !call.time_left.is_rpc() {
        return;
    }
    match (read_status(response.headers()), counted) {
        (Some(status), Some(rpc)) => rpc.ends(status, answered),
        (Some(_), None) => {}
        (None, counted) => {
            let body = std::mem::take(response.body_mut());
            *response.body_mut() = match counted {
                Some(rpc) => rpc.ends_with(body).told_in_grpc(),
                None => body.told_in_grpc(),
            };
        }
    }
}

/// Make an answer that says by its HTTP status that an RPC failed one that says it in gRPC: a head with the status 200 in
/// which the gRPC status is (*gRPC over HTTP2*, Trailers-Only). It is the last step that changes a response, so that
/// metrics and logs have the HTTP status that tells what went wrong. Returns whether it was one.
pub fn answer(
    transaction: &Transaction<'_>,
    request: &HeaderMap,
    response: &mut Response<Body>,
) -> bool {
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    if !failed || !content_type::is_grpc(request) || response.headers().contains_key(GRPC_STATUS) {
        return false;
    }
    let told = match transaction.witnesses.record().failure {
        Some(failure) => failure.meaning().grpc_fields(),
        None => {
            let grpc = GrpcStatus::of_http(status.as_u16());
            status_fields(grpc, &format!("HTTP status {status}"))
        }
    };
    *response.status_mut() = StatusCode::OK;
    *response.body_mut() = Body::Empty;
    let headers = response.headers_mut();
    OF_CONTENT.iter().for_each(|name| drop(headers.remove(name)));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type::GRPC));
    told.into_iter().for_each(|(name, value)| drop(headers.insert(name, value)));
    true
}
