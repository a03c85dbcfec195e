//! Pouring: the body of a response that is stored, from its endpoint to all that read it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tidegate_core::failure::Failure;
use tokio::time::timeout;

use crate::account::metrics::FillResult;
use crate::http::body::{Body, Frame};
use crate::objects::cache::{AskedAt, Cache, Entry, Fill, Leading, PIECE, Taken};
use crate::upstream::admission::Permit;

/// A body that nothing reads any more is read on where it is not longer, or more than half of it came.
const SHORT: u64 = 1 << 20;
/// How long a reader may hold the others up.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body that is to be stored as it comes.
pub struct Pouring {
    /// Where it is stored.
    pub cache: Arc<Cache>,
    /// What is stored, with a body that comes.
    pub entry: Arc<Entry>,
    /// That body.
    pub fill: Arc<Fill>,
    /// Where it comes from.
    pub body: Body,
    /// What it takes of the room for fills; absent: it is not stored.
    pub taken: Option<Taken>,
    /// Purges that are made until it is stored take it.
    pub _asked_at: AskedAt,
    /// Its place before those that follow it, held as long as it comes.
    pub _leading: Option<Leading>,
    /// Its place among the requests that the upstream is busy with; absent: another has it.
    pub permit: Option<Permit>,
    /// The worker.
    pub worker: usize,
}

/// What came of a body.
enum End {
    Whole(Option<HeaderMap>),
    Failed(Failure),
    /// Nothing read it any more.
    GivenUp,
}

impl Pouring {
    /// Pour all of it, and store it where it is whole.
    pub async fn run(mut self) {
        let end = self.pour().await;
        // The endpoint is done with it.
        drop(self.permit.take());
        let result = match end {
            End::Whole(trailers) => self.complete(trailers),
            End::Failed(failure) => {
                self.fill.end(Err(failure));
                FillResult::Failed
            }
            End::GivenUp => FillResult::GivenUp,
        };
        self.cache.metrics.filled(self.worker, result);
    }

    async fn pour(&mut self) -> End {
        let mut trailers = None;
        loop {
            let room = poll_fn(|cx| self.fill.poll_room(cx));
            if timeout(PATIENCE, room).await.is_err() {
                self.fill.cut_slowest();
                continue;
            }
            match poll_fn(|cx| self.poll_frame(cx)).await {
                None => return End::GivenUp,
                Some(None) if self.breaks_its_word() => {
                    return End::Failed(Failure::UpstreamProtocol);
                }
                Some(None) => return End::Whole(trailers),
                Some(Some(Ok(Frame::Data(data)))) => self.push(data),
                Some(Some(Ok(Frame::Trailers(fields)))) => trailers = Some(fields),
                Some(Some(Err(failure))) => return End::Failed(failure),
            }
        }
    }

    /// The next frame; `None` once it is not worth the origin's trouble any more.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Option<Result<Frame, Failure>>>> {
        if self.fill.poll_alone(cx).is_ready() && !self.is_worth_it() && self.fill.give_up() {
            return Poll::Ready(None);
        }
        self.body.poll_frame(cx).map(Some)
    }

    /// Whether less came than was announced, or more: of a part the framing does not tell.
    fn breaks_its_word(&self) -> bool {
        self.fill.announced().is_some_and(|announced| announced != self.fill.came())
    }

    /// Whether it is read on where nothing reads it.
    fn is_worth_it(&self) -> bool {
        let (came, announced) = (self.fill.came(), self.fill.announced());
        let is_short = announced.is_some_and(|all| all <= SHORT || came > all / 2);
        self.taken.is_some() && is_short
    }

    fn push(&mut self, data: Bytes) {
        let fits = |came: u64| came + data.len() as u64 <= self.cache.plan.max_object.get();
        let length = data.len() as u64 + PIECE;
        let stays =
            fits(self.fill.came()) && self.taken.as_mut().is_some_and(|taken| taken.take(length));
        if stays {
            // As it was read it keeps the whole buffer that it came in.
            self.fill.push(Bytes::copy_from_slice(&data));
        } else {
            self.pass();
            self.fill.push(data);
        }
    }

    /// It is not stored: it is for those that read it.
    pub fn pass(&mut self) {
        self.taken = None;
        self.fill.pass();
    }

    /// It is whole: store it, where it still may be.
    fn complete(&mut self, trailers: Option<HeaderMap>) -> FillResult {
        let stored =
            self.taken.is_some().then(|| Arc::new(self.entry.with(self.entry.content.come())));
        let is_stored = stored.is_some();
        if let Some(entry) = stored {
            self.cache.put(entry);
        }
        self.fill.end(Ok(trailers));
        if is_stored { FillResult::Stored } else { FillResult::NotStored }
    }
}

impl Drop for Pouring {
    /// What its readers wait for comes no more, however this ended.
    fn drop(&mut self) {
        self.fill.end(Err(Failure::Internal));
    }
}
