//! An RPC that is counted when it has ended, which is when its trailers came.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Uri;
use tidegate_core::grpc::{Methods, read_status};
use tidegate_core::plan::GrpcStatus;

use super::metrics::GrpcMetrics;
use crate::http::body::{Body, Frame, NextFrame, Source};

/// How the RPCs of a route are counted.
#[derive(Debug)]
pub struct RpcCounts {
    /// The methods that are counted by name.
    pub methods: Methods,
    /// The counts.
    pub metrics: Arc<GrpcMetrics>,
}

/// An RPC under way. One that is dropped before its status is known was given up by its client.
pub struct CountedRpc {
    metrics: Arc<GrpcMetrics>,
    worker: usize,
    /// Where its method stands, if it is counted by name.
    target: Option<Uri>,
    /// Whether an endpoint answered it.
    answered: bool,
    status: Option<u8>,
}

impl CountedRpc {
    /// The RPC that asks `worker` for `target`.
    pub fn begin(counts: &RpcCounts, worker: usize, target: &Uri) -> Self {
        let target = counts.methods.name(target.path()).map(|_| target.clone());
        let metrics = counts.metrics.clone();
        Self { metrics, worker, target, answered: false, status: None }
    }

    /// It has ended with this status, which an endpoint `answered` with or the gateway.
    pub fn ends(mut self, status: u8, answered: bool) {
        (self.status, self.answered) = (Some(status), answered);
    }

    /// An endpoint answers it: it ends as the response with this body does.
    pub fn ends_with(mut self, body: Body) -> Body {
        self.answered = true;
        Body::stream(Counted { inner: body, rpc: self })
    }
}

impl Drop for CountedRpc {
    fn drop(&mut self) {
        let method = self.target.as_ref().and_then(|target| target.path().strip_prefix('/'));
        let status = self.status.unwrap_or(GrpcStatus::Cancelled.number());
        self.metrics.ended(self.worker, method, status, self.answered);
    }
}

struct Counted {
    inner: Body,
    rpc: CountedRpc,
}

impl Source for Counted {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let frame = ready!(self.inner.poll_frame(cx));
        match &frame {
            Some(Ok(Frame::Trailers(trailers))) => self.rpc.status = read_status(trailers),
            Some(Err(failure)) => self.rpc.status = Some(failure.meaning().grpc.number()),
            Some(Ok(Frame::Data(_))) | None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end(&self) -> bool {
        self.inner.is_end()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.inner.is_end() {
            // What clients make of a response that ends without a status.
            self.rpc.status.get_or_insert(GrpcStatus::Unknown.number());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use tidegate_core::failure::Failure;
    use tidegate_core::grpc::GRPC_STATUS;

    use super::*;
    use crate::account::exposition::Exposition;
    use crate::account::metrics::Metrics;
    use crate::http::body::testing::{channel, data, read};

    /// What the one RPC is counted as that `end` ends.
    fn counted(end: impl FnOnce(CountedRpc)) -> String {
        let metrics = Metrics::new(1);
        let methods = Methods::of("/shop.Orders/{method}").unwrap();
        let counts = RpcCounts { methods, metrics: metrics.grpc("shop") };
        end(CountedRpc::begin(&counts, 0, &Uri::from_static("/shop.Orders/Place?x")));
        let mut page = Exposition::default();
        metrics.families(&mut page);
        let text = page.into_text();
        let line = text.lines().find_map(|line| line.strip_prefix("tidegate_grpc_requests_total{"));
        line.unwrap().to_owned()
    }

    fn labels(method: &str, code: &str) -> String {
        format!("route=\"shop\",method=\"{method}\",code=\"{code}\"}} 1")
    }

    #[test]
    fn the_status_in_the_trailers_counts() {
        let line = counted(|rpc| {
            let (sender, body) = channel(2);
            let mut body = rpc.ends_with(body);
            let status = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("5"))]);
            sender.try_send(data("message")).unwrap();
            sender.try_send(Frame::Trailers(status)).unwrap();
            drop(sender);
            read(&mut body);
        });
        assert_eq!(line, labels("shop.Orders/Place", "not_found"));
    }

    #[test]
    fn an_rpc_that_its_client_gives_up_is_cancelled() {
        assert_eq!(counted(drop), labels("other", "cancelled"));
        let line = counted(|rpc| {
            let (_sender, body) = channel(1);
            read(&mut rpc.ends_with(body));
        });
        assert_eq!(line, labels("shop.Orders/Place", "cancelled"));
    }

    #[test]
    fn a_response_that_ends_without_a_status_is_of_unknown() {
        let line = counted(|rpc| drop(read(&mut rpc.ends_with(Body::full("message")))));
        assert_eq!(line, labels("shop.Orders/Place", "unknown"));
    }

    #[test]
    fn a_response_that_breaks_off_has_the_status_of_its_failure() {
        struct Breaks;
        impl Source for Breaks {
            fn poll_frame(&mut self, _: &mut Context<'_>) -> NextFrame {
                Poll::Ready(Some(Err(Failure::RequestTimeout)))
            }
            fn is_end(&self) -> bool {
                false
            }
        }
        let line = counted(|rpc| drop(read(&mut rpc.ends_with(Body::stream(Breaks)))));
        assert_eq!(line, labels("shop.Orders/Place", "deadline_exceeded"));
    }

    #[test]
    fn what_the_gateway_refuses_gives_no_method_a_name() {
        assert_eq!(counted(|rpc| rpc.ends(16, false)), labels("other", "unauthenticated"));
        assert_eq!(
            counted(|rpc| rpc.ends(16, true)),
            labels("shop.Orders/Place", "unauthenticated")
        );
    }
}
