//! How long a request may still take, and telling the endpoints.
//!
//! A service that knows how long its caller waits does not work on an answer that nothing waits for. A client can
//! only shorten what the route allows, so the word of any client is taken.

use std::time::Duration;

use http::{HeaderMap, HeaderName, Method, request};
use tidegate_core::deadline;
use tidegate_core::grpc::content_type::is_grpc;
use tokio::time::Instant;

/// As gRPC tells it.
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Until when a request must be over, and in which fields that is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeLeft<'a> {
    deadline: Option<Instant>,
    field: Option<&'a HeaderName>,
    /// Whether it is told as gRPC does.
    grpc: bool,
    is_rpc: bool,
}

impl<'a> TimeLeft<'a> {
    /// What the route's `limit` and the request itself say: `grpc-timeout`, and `field` where the route has one.
    pub fn of(
        head: &request::Parts,
        limit: Option<Duration>,
        field: Option<&'a HeaderName>,
    ) -> Self {
        // RPCs are all made by POST; others need not be looked at.
        let is_rpc = head.method == Method::POST && is_grpc(&head.headers);
        let grpc = is_rpc.then(|| head.headers.get(GRPC_TIMEOUT)).flatten();
        let grpc = grpc.and_then(deadline::read_grpc_timeout);
        let told = field.and_then(|name| head.headers.get(name)).and_then(deadline::read_millis);
        let shortest = [limit, grpc, told].into_iter().flatten().min();
        let deadline = shortest.and_then(|left| Instant::now().checked_add(left));
        Self { deadline, field, grpc: grpc.is_some(), is_rpc }
    }

    /// Whether the request is an RPC.
    pub fn is_rpc(&self) -> bool {
        self.is_rpc
    }

    /// When the request must be over; `None`: it may take as long as it likes.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long it may still take; `None`: as long as it likes.
    pub fn left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Whether the request may go on until `at`.
    pub fn allows(&self, at: Instant) -> bool {
        self.deadline.is_none_or(|deadline| at < deadline)
    }

    /// Tell the endpoint of a try that begins now.
    pub fn announce(&self, headers: &mut HeaderMap) {
        let Some(left) = self.left() else { return };
        if self.grpc {
            headers.insert(GRPC_TIMEOUT, deadline::write_grpc_timeout(left));
        }
        if let Some(name) = self.field {
            headers.insert(name, deadline::write_millis(left));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::header::CONTENT_TYPE;
    use http::{HeaderValue, Request};

    use super::*;

    static FIELD: HeaderName = HeaderName::from_static("x-deadline-ms");

    const RPC: (HeaderName, &str) = (CONTENT_TYPE, "application/grpc");

    fn head(method: Method, fields: &[(HeaderName, &'static str)]) -> request::Parts {
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = method;
        for (name, value) in fields {
            head.headers.insert(name, HeaderValue::from_static(value));
        }
        head
    }

    /// Milliseconds from now until `time_left` is over.
    fn millis(time_left: TimeLeft<'_>) -> Option<u128> {
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        time_left.deadline().map(|deadline| left(deadline).as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn the_shortest_time_counts() {
        let request = head(Method::POST, &[RPC, (GRPC_TIMEOUT, "2S"), (FIELD.clone(), "3000")]);
        let field = Some(&FIELD);
        assert_eq!(millis(TimeLeft::of(&request, None, field)), Some(2_000));
        assert_eq!(
            millis(TimeLeft::of(&request, Some(Duration::from_secs(1)), field)),
            Some(1_000)
        );
        let plain = head(Method::POST, &[(GRPC_TIMEOUT, "2S")]);
        assert_eq!(millis(TimeLeft::of(&plain, None, None)), None, "no RPC");
        let get = head(Method::GET, &[(FIELD.clone(), "3000")]);
        assert_eq!(millis(TimeLeft::of(&get, None, field)), Some(3_000));
        assert_eq!(millis(TimeLeft::of(&get, None, None)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn each_try_is_told_what_is_left_for_it() {
        let mut request = head(Method::POST, &[RPC, (GRPC_TIMEOUT, "2S"), (FIELD.clone(), "9000")]);
        let time_left = TimeLeft::of(&request, None, Some(&FIELD));
        tokio::time::advance(Duration::from_millis(500)).await;
        time_left.announce(&mut request.headers);
        assert_eq!(request.headers[GRPC_TIMEOUT], "1500000u");
        assert_eq!(request.headers[&FIELD], "1500");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_a_deadline_announces_none() {
        let mut request = head(Method::GET, &[]);
        TimeLeft::of(&request, None, Some(&FIELD)).announce(&mut request.headers);
        assert!(request.headers.is_empty());
    }
}
