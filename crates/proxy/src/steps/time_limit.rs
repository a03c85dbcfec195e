//! Time limit: how long the whole request may take.

use std::future::Future;
use std::pin::Pin;

use http::Response;
use tidegate_core::failure::Failure;
use tokio::time::timeout_at;

use crate::call::Call;
use crate::http::body::Body;
use crate::http::time_left::TimeLeft;
use crate::snapshot::Forward;

/// Steps under way. They are boxed once, so that what they come to is not copied on each level.
pub type Steps<'a> = Pin<Box<dyn Future<Output = Result<Response<Body>, Failure>> + 'a>>;

/// Find out until when the request must be over.
pub fn before<'a>(forward: &'a Forward, call: &mut Call<'a>) {
    let field = forward.deadline_header.as_ref();
    call.time_left = TimeLeft::of(&call.head.headers, call.is_rpc, forward.timeout, field);
}

/// Take the further `steps`, and let neither them nor the response take longer than there is time: the steps then fail.
pub fn around<'a>(time_left: TimeLeft<'_>, steps: Steps<'a>) -> Steps<'a> {
    let Some(deadline) = time_left.deadline() else { return steps };
    Box::pin(async move {
        let response = timeout_at(deadline, steps).await.map_err(|_| Failure::RequestTimeout)??;
        Ok(response.map(|body| body.timed(deadline, Failure::RequestTimeout)))
    })
}
