//! The content of a response as it comes on a stream, while the request's body may still be sent.

use std::task::{Context, Poll};

use super::pumped::Pumped;
use crate::http::body::{NextFrame, Source};
use crate::http::silence::Patient;
use crate::upstream::flight::Flight;

/// The content of a response; absent: there is none yet, or no more.
pub struct Arriving<I>(Option<I>);

impl<I: Patient> Arriving<I> {
    /// None yet.
    pub const NONE: Self = Self(None);

    /// What comes now.
    pub fn begin(&mut self, incoming: I) {
        self.0 = Some(incoming);
    }

    /// What comes, as long as more may.
    pub fn as_mut(&mut self) -> Option<&mut I> {
        self.0.as_mut()
    }

    /// The next piece, of which `flight` learns; meanwhile so much of the request was `pumped`.
    pub fn poll_frame(
        &mut self,
        flight: &mut Flight,
        pumped: Pumped,
        cx: &mut Context<'_>,
    ) -> NextFrame {
        let Some(incoming) = &mut self.0 else { return Poll::Ready(None) };
        if let Err(failure) = pumped.result {
            self.0 = None;
            return Poll::Ready(Some(Err(failure)));
        }
        if pumped.progressed {
            incoming.wait_anew();
        }
        let Poll::Ready(mut frame) = incoming.poll_frame(cx) else {
            flight.waits();
            return Poll::Pending;
        };
        match &mut frame {
            Some(Err(failure)) => {
                flight.failed(*failure);
                self.0 = None;
            }
            Some(Ok(frame)) => {
                flight.received(frame);
                self.finish_if_done(flight);
            }
            None => self.finish_if_done(flight),
        }
        Poll::Ready(frame)
    }

    /// Tell `flight` once the response is complete.
    pub fn finish_if_done(&self, flight: &mut Flight) {
        if self.is_end() {
            flight.completed();
        }
    }

    /// Whether nothing more comes.
    pub fn is_end(&self) -> bool {
        self.0.as_ref().is_none_or(Source::is_end)
    }
}
