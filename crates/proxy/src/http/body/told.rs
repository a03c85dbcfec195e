//! Content of an RPC: where it breaks off, its reader is told why as gRPC tells it.

use std::task::Context;

use http::HeaderMap;
use tidegate_core::failure::Failure;

use super::{Body, NextFrame, Source};

struct Told {
    inner: Body,
}

impl Body {
    /// This body, with the status of gRPC as its last words.
    pub fn told_in_grpc(self) -> Self {
        if self.is_end() { self } else { Self::stream(Told { inner: self }) }
    }
}

impl Source for Told {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        self.inner.poll_frame(cx)
    }

    fn is_end(&self) -> bool {
        self.inner.is_end()
    }

    fn last_words(&self, failure: Failure) -> Option<HeaderMap> {
        Some(HeaderMap::from_iter(failure.meaning().grpc_fields()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tidegate_core::grpc::read_status;

    use super::super::testing::channel;
    use super::*;

    #[test]
    fn only_an_rpc_that_breaks_off_is_told_why() {
        let (_sender, body) = channel(1);
        assert_eq!(body.last_words(Failure::RequestTimeout), None);
        let trailers = body.told_in_grpc().last_words(Failure::RequestTimeout).unwrap();
        assert_eq!(read_status(&trailers), Some(4));
        assert!(matches!(Body::Empty.told_in_grpc(), Body::Empty));
    }
}
