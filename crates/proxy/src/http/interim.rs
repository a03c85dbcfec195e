//! Interim responses (1xx, RFC 9110 §15.2), passed on while the final one is awaited.

use std::rc::Rc;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use tidegate_core::failure::Failure;

/// Takes interim responses to a client.
pub trait Interim {
    /// Send one, as soon as the connection takes it.
    fn send(&self, status: StatusCode, headers: HeaderMap);
}

/// Where a request's interim responses go; absent: the client cannot take any (HTTP/1.0).
pub type InterimSink = Option<Rc<dyn Interim>>;

/// Most that the interim responses of one try may come to. They wait in memory for a client that does not
/// read, and an endpoint can send them without end.
const MOST: usize = 64 * 1024;
/// What a field, or a response without any, comes to besides its bytes (like RFC 9113 §10.5.1).
const OVERHEAD: usize = 32;

/// The interim responses of one try.
#[derive(Debug, Default)]
pub struct Interims {
    size: usize,
}

impl Interims {
    /// Whether there was one, which shows that the endpoint took the request.
    pub fn came(&self) -> bool {
        self.size > 0
    }

    /// Pass one on, unless it is `100 Continue`, which is between the endpoint and us: ours to the client was
    /// sent when its body was read.
    ///
    /// # Errors
    /// There are too many, or it switches to another protocol, which was not asked for here.
    pub fn pass(
        &mut self,
        sink: &InterimSink,
        status: StatusCode,
        mut headers: HeaderMap,
    ) -> Result<(), Failure> {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Failure::UpstreamProtocol);
        }
        let fields =
            headers.iter().map(|(name, value)| name.as_str().len() + value.len() + OVERHEAD);
        self.size += OVERHEAD + fields.sum::<usize>();
        if self.size > MOST {
            return Err(Failure::UpstreamHeaderTooLarge);
        }
        if let (Some(sink), true) = (sink, status != StatusCode::CONTINUE) {
            // RFC 9110 §8.6: it would speak of content that cannot come.
            headers.remove(CONTENT_LENGTH);
            sink.send(status, headers);
        }
        Ok(())
    }
}
