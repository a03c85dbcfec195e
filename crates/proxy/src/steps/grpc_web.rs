//! gRPC-Web: an RPC of a client that reads no trailers goes on as one of gRPC, and its response comes back so.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TE, TRAILER};
use http::{HeaderValue, Response};
use tidegate_core::grpc::GRPC_STATUS;
use tidegate_core::grpc::web::{Format, WebRpc};

use crate::call::Call;
use crate::http::body::Body;
use crate::http::grpc_web::{from_web, to_web};

/// Make a request in gRPC-Web one in gRPC, where the route translates. All that comes after knows gRPC alone.
pub fn before(translates: bool, call: &mut Call<'_>) {
    if !translates {
        return;
    }
    let headers = &mut call.head.headers;
    let Some(rpc) = WebRpc::of(&call.head.method, headers) else { return };
    headers.insert(CONTENT_TYPE, rpc.content_type);
    headers.insert(TE, HeaderValue::from_static("trailers"));
    if rpc.request == Format::Text {
        headers.remove(CONTENT_LENGTH);
    }
    *call.body = from_web(std::mem::take(call.body), rpc.request);
    call.is_rpc = true;
    call.web_format = Some(rpc.response);
}

/// Make the response to such a request one in gRPC-Web.
#[inline]
pub fn after(call: &Call<'_>, response: &mut Response<Body>) {
    if let Some(format) = call.web_format {
        translate(format, response);
    }
}

/// A status that is in the head is there still: pages can read that.
#[inline(never)]
fn translate(format: Format, response: &mut Response<Body>) {
    let headers = response.headers_mut();
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| format.content_type(value));
    let Some(content_type) = content_type else { return };
    headers.insert(CONTENT_TYPE, content_type);
    headers.remove(CONTENT_LENGTH);
    headers.remove(TRAILER);
    let is_told = headers.contains_key(GRPC_STATUS);
    let body = std::mem::take(response.body_mut());
    *response.body_mut() = to_web(body, format, is_told);
}
