//! Time limit: how long the whole request may take.

use std::future::Future;
use std::pin::Pin;

use tidegate_core::failure::Failure;
use tokio::time::timeout_at;

use super::Flow;
use crate::call::Call;
use crate::http::time_left::TimeLeft;
use crate::snapshot::Forward;

/// Find out until when the request must be over.
pub fn before<'a>(forward: &'a Forward, call: &mut Call<'a>) {
    let field = forward.deadline_header.as_ref();
    call.time_left = TimeLeft::of(call.head, forward.timeout, field);
}

/// Take the further `steps`, and let neither them nor the response take longer than there is time.
///
/// # Errors
/// If the time is over, or a step failed.
pub async fn around(
    time_left: TimeLeft<'_>,
    steps: Pin<Box<impl Future<Output = Result<Flow, Failure>>>>,
) -> Result<Flow, Failure> {
    let Some(deadline) = time_left.deadline() else { return steps.await };
    // Boxed, so that requests that may take as long as they like have no room for it.
    let flow =
        Box::pin(timeout_at(deadline, steps)).await.map_err(|_| Failure::RequestTimeout)??;
    Ok(match flow {
        Flow::Go => Flow::Go,
        Flow::Answer(response) => {
            Flow::Answer(response.map(|body| body.timed(deadline, Failure::RequestTimeout)))
        }
    })
}
