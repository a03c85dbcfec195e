//! How long a request may still take, and telling the endpoints.
//!
//! A service that knows how long its caller waits does not work on an answer that nothing waits for. A client can
//! only shorten what the route allows, so the word of any client is taken.

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tidegate_core::deadline;
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
}

impl<'a> TimeLeft<'a> {
    /// What the route's `limit` and the request's fields say: `grpc-timeout` of an RPC, and `field` where the route has one.
    pub fn of(
        headers: &HeaderMap,
        is_rpc: bool,
        limit: Option<Duration>,
        field: Option<&'a HeaderName>,
    ) -> Self {
        let grpc = is_rpc.then(|| headers.get(GRPC_TIMEOUT)).flatten();
        let grpc = grpc.and_then(deadline::read_grpc_timeout);
        let told = field.and_then(|name| headers.get(name)).and_then(deadline::read_millis);
        let shortest = [limit, grpc, told].into_iter().flatten().min();
        let deadline = shortest.and_then(|left| Instant::now().checked_add(left));
        Self { deadline, field, grpc: grpc.is_some() }
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
    use http::HeaderValue;

    use super::*;

    static FIELD: HeaderName = HeaderName::from_static("x-deadline-ms");

    fn fields(fields: &[(&HeaderName, &'static str)]) -> HeaderMap {
        let field =
            |&(name, value): &(&HeaderName, _)| (name.clone(), HeaderValue::from_static(value));
        fields.iter().map(field).collect()
    }

    /// Milliseconds from now until `time_left` is over.
    fn millis(time_left: TimeLeft<'_>) -> Option<u128> {
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        time_left.deadline().map(|deadline| left(deadline).as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn the_shortest_time_counts() {
        let request = fields(&[(&GRPC_TIMEOUT, "2S"), (&FIELD, "3000")]);
        let field = Some(&FIELD);
        let second = Some(Duration::from_secs(1));
        assert_eq!(millis(TimeLeft::of(&request, true, None, field)), Some(2_000));
        assert_eq!(millis(TimeLeft::of(&request, true, second, field)), Some(1_000));
        assert_eq!(millis(TimeLeft::of(&request, false, None, field)), Some(3_000), "no RPC");
        assert_eq!(millis(TimeLeft::of(&request, false, None, None)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn each_try_is_told_what_is_left_for_it() {
        let mut request = fields(&[(&GRPC_TIMEOUT, "2S"), (&FIELD, "9000")]);
        let time_left = TimeLeft::of(&request, true, None, Some(&FIELD));
        tokio::time::advance(Duration::from_millis(500)).await;
        time_left.announce(&mut request);
        assert_eq!(request[GRPC_TIMEOUT], "1500000u");
        assert_eq!(request[&FIELD], "1500");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_a_deadline_announces_none() {
        let mut request = HeaderMap::new();
        TimeLeft::of(&request, false, None, Some(&FIELD)).announce(&mut request);
        assert!(request.is_empty());
    }
}
