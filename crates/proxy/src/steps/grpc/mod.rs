//! gRPC: an RPC is answered as gRPC answers, and counted by its method.

mod content;

use http::header::{CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, TRAILER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use tidegate_core::grpc::{GRPC_STATUS, content_type, is_rpc, read_status, status_fields};
use tidegate_core::plan::GrpcStatus;

use self::content::of_rpc;
use crate::account::rpc::{CountedRpc, RpcCounts};
use crate::call::{Call, Transaction};
use crate::http::body::Body;
use crate::http::partial_head::PartialHead;

/// Fields of a response that describe the content that it loses.
const OF_CONTENT: [HeaderName; 4] = [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_LANGUAGE, TRAILER];

/// Begin to count an RPC, where the route counts them by method.
pub fn before(counts: Option<&RpcCounts>, call: &mut Call<'_>) {
    if let (Some(counts), true) = (counts, call.is_rpc) {
        let worker = call.client.local.index();
        call.rpc = Some(Box::new(CountedRpc::begin(counts, worker, call.head.uri.path())));
    }
}

/// Answer an RPC in gRPC, at its beginning or where the response breaks off, and count it when it has ended. It stands
/// after all steps that look at the HTTP status: metrics and logs have the one that tells what went wrong.
#[inline]
pub fn after(call: &mut Call<'_>, response: &mut Response<Body>) {
    if call.is_rpc {
        after_rpc(call, response);
    }
}

#[inline(never)]
fn after_rpc(call: &mut Call<'_>, response: &mut Response<Body>) {
    tell_failure(call.transaction, response);
    let counted = call.rpc.take();
    match read_status(response.headers()) {
        Some(status) => counted.into_iter().for_each(|mut counted| counted.note_status(status)),
        None => {
            let body = std::mem::take(response.body_mut());
            *response.body_mut() = of_rpc(body, counted);
        }
    }
}

/// Answer in gRPC what was refused unread, if it was an RPC as far as it is known.
pub fn refuse(
    transaction: &Transaction<'_>,
    known: &PartialHead<'_>,
    response: &mut Response<Body>,
) {
    if let (Some(method), Some(fields)) = (known.method, known.headers)
        && is_rpc(method, fields)
    {
        tell_failure(transaction, response);
    }
}

/// Make a response that says by its HTTP status that an RPC failed one that says it in gRPC: a head with the status 200 in
/// which the gRPC status is (*gRPC over HTTP2*, Trailers-Only).
fn tell_failure(transaction: &Transaction<'_>, response: &mut Response<Body>) {
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    if !failed || response.headers().contains_key(GRPC_STATUS) {
        return;
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
}
