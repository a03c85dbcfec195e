//! Content whose trailers have no field that only the gateway may write.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tidegate_core::auth::GuardedFields;

use super::{Body, Frame, NextFrame, Source};

struct Guarded {
    inner: Body,
    fields: Arc<GuardedFields>,
}

impl Body {
    /// This body, without these fields in its trailers.
    pub fn guarded(self, fields: Arc<GuardedFields>) -> Self {
        Self::stream(Guarded { inner: self, fields })
    }
}

impl Source for Guarded {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let mut frame = ready!(self.inner.poll_frame(cx));
        if let Some(Ok(Frame::Trailers(trailers))) = &mut frame {
            self.fields.take_off_trailers(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end(&self) -> bool {
        self.inner.is_end()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::super::testing::{channel, data, read};
    use super::*;

    #[test]
    fn what_only_the_gateway_may_write_is_in_no_trailer() {
        let (sender, body) = channel(2);
        let fields = GuardedFields::new(&[HeaderName::from_static("x-user")], &[]);
        let mut body = body.guarded(Arc::new(fields));
        let mut trailers = HeaderMap::new();
        for name in ["x-user", "x_user", "sum"] {
            trailers.append(name, HeaderValue::from_static("mallory"));
        }
        sender.try_send(data("content ")).unwrap();
        sender.try_send(Frame::Trailers(trailers)).unwrap();
        drop(sender);
        let left = "content {\"sum\": \"mallory\"}";
        assert_eq!(read(&mut body), (left.into(), Some(Ok(()))));
    }
}
