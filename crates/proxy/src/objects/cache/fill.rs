//! A fill: a body that comes from an endpoint, read by all who asked for it while it comes.
//!
//! Its writer is on one worker, its readers may be on any. A reader never takes the writer's disappearance for the end:
//! what ends without having been whole has failed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use parking_lot::{Mutex, MutexGuard};
use slab::Slab;
use smallvec::SmallVec;
use tidegate_core::failure::Failure;

use super::content::Pieces;
use crate::http::body::{Frame, NextFrame, Source};

/// Bytes that the slowest reader of a body that is not kept may be behind its writer.
const WINDOW: u64 = 1 << 20;
/// The next piece of a reader that was broken off.
const CUT: usize = usize::MAX;

/// A body that comes.
#[derive(Debug)]
pub struct Fill {
    announced: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What came, without what was let go.
    pieces: VecDeque<Bytes>,
    /// Pieces that were let go.
    gone: usize,
    /// Bytes of them.
    gone_bytes: u64,
    /// Bytes that came.
    came: u64,
    /// Whether pieces are let go that all readers have.
    passes: bool,
    end: Option<Result<Option<HeaderMap>, Failure>>,
    readers: Slab<Reading>,
    writer: Option<Waker>,
}

/// How far a reader is.
#[derive(Debug)]
struct Reading {
    /// The next piece, counted from the body's beginning.
    next: usize,
    waker: Option<Waker>,
}

impl Fill {
    /// A body of as many bytes as its head has `announced`.
    pub fn new(announced: Option<u64>) -> Arc<Self> {
        Arc::new(Self { announced, state: Mutex::default() })
    }

    /// The bytes that its head has announced.
    pub fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// Bytes that came.
    pub fn came(&self) -> u64 {
        self.state.lock().came
    }

    /// What reads it from its beginning; `None` where that is gone.
    pub fn reader(self: &Arc<Self>) -> Option<Reader> {
        let mut state = self.state.lock();
        let key = (state.gone == 0).then(|| state.readers.insert(Reading { next: 0, waker: None }));
        key.map(|key| Reader { fill: self.clone(), key: Some(key) })
    }

    /// A piece came.
    pub fn push(&self, data: Bytes) {
        let mut state = self.state.lock();
        state.came += data.len() as u64;
        state.pieces.push_back(data);
        wake(state);
    }

    /// It is not kept: what all of its readers have is let go from now on, and it comes no faster than the slowest reads.
    pub fn pass(&self) {
        let mut state = self.state.lock();
        state.passes = true;
        state.let_go();
    }

    /// Ready when its readers are near enough for more to come. Else, and when the last reader leaves, the writer is
    /// woken.
    pub fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        state.writer = Some(cx.waker().clone());
        let is_far = state.passes && state.came - state.gone_bytes > WINDOW;
        if is_far { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Whether nothing reads it.
    pub fn is_alone(&self) -> bool {
        self.state.lock().readers.is_empty()
    }

    /// Break off the readers that hold the others up.
    pub fn cut_slowest(&self) {
        let mut state = self.state.lock();
        let gone = state.gone;
        for (_, reading) in state.readers.iter_mut().filter(|(_, reading)| reading.next == gone) {
            reading.next = CUT;
        }
        state.let_go();
        wake(state);
    }

    /// It is whole, and ended with these trailers, or it broke off.
    pub fn end(&self, end: Result<Option<HeaderMap>, Failure>) {
        let mut state = self.state.lock();
        state.end.get_or_insert(end);
        wake(state);
    }

    /// All that came, where nothing was let go.
    pub fn pieces(&self) -> Pieces {
        let state = self.state.lock();
        Pieces::new(state.pieces.iter().cloned().collect())
    }
}

impl State {
    /// A reader leaves.
    fn leave(&mut self, reader: Option<usize>) {
        if reader.and_then(|key| self.readers.try_remove(key)).is_none() {
            return;
        }
        self.let_go();
        if self.readers.is_empty()
            && let Some(writer) = self.writer.take()
        {
            writer.wake();
        }
    }

    /// Let go of what no reader needs.
    fn let_go(&mut self) {
        if !self.passes {
            return;
        }
        let slowest = self.readers.iter().map(|(_, reading)| reading.next).min();
        let slowest = slowest.unwrap_or(usize::MAX);
        while self.gone < slowest
            && let Some(piece) = self.pieces.pop_front()
        {
            self.gone += 1;
            self.gone_bytes += piece.len() as u64;
        }
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

/// Wake the readers that wait, without the lock.
fn wake(mut state: MutexGuard<'_, State>) {
    let waiting = state.readers.iter_mut().filter_map(|(_, reading)| reading.waker.take());
    let wakers: SmallVec<[Waker; 4]> = waiting.collect();
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
}

/// Reads a body that comes.
pub struct Reader {
    fill: Arc<Fill>,
    /// Its place among the readers; absent: it has read all.
    key: Option<usize>,
}

impl Source for Reader {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let mut guard = self.fill.state.lock();
        let state = &mut *guard;
        let Some(reading) = self.key.and_then(|key| state.readers.get_mut(key)) else {
            return Poll::Ready(None);
        };
        if reading.next == CUT {
            return Poll::Ready(Some(Err(Failure::ClientGone)));
        }
        if let Some(data) = state.pieces.get(reading.next - state.gone) {
            let data = data.clone();
            reading.next += 1;
            state.let_go();
            return Poll::Ready(Some(Ok(Frame::Data(data))));
        }
        match &state.end {
            None => {
                match &mut reading.waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
            Some(Err(failure)) => Poll::Ready(Some(Err(*failure))),
            Some(Ok(trailers)) => {
                let trailers = trailers.clone();
                state.leave(self.key.take());
                Poll::Ready(trailers.map(|fields| Ok(Frame::Trailers(fields))))
            }
        }
    }

    fn is_end(&self) -> bool {
        let state = self.fill.state.lock();
        self.key.and_then(|key| state.readers.get(key)).is_none_or(|reading| {
            let has_all = reading.next == state.gone + state.pieces.len();
            has_all && matches!(state.end, Some(Ok(None)))
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.fill.state.lock().leave(self.key.take());
    }
}
