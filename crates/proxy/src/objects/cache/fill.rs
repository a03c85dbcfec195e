//! A fill: a body that comes from an endpoint, read by all requests for it while it comes.
//!
//! Its writer is on one worker, its readers may be on any. A reader never takes the writer's disappearance for the end:
//! what ends without having been whole has failed.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use parking_lot::{Mutex, MutexGuard};
use slab::Slab;
use smallvec::SmallVec;
use tidegate_core::failure::Failure;

use super::pieces::Pieces;
use crate::http::body::{Frame, NextFrame, Source};

/// Bytes that the slowest reader of a body that is not kept may be behind its writer.
const WINDOW: u64 = 1 << 20;
/// What a piece takes in memory beside its bytes.
pub const PIECE: u64 = 64;
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
    /// Where that piece begins, in bytes.
    at: u64,
    /// The first byte that it wants.
    from: u64,
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

    /// What reads all of it; `None` where its beginning is gone, or it broke off.
    pub fn reader(self: &Arc<Self>) -> Option<Reader> {
        self.read(0, None)
    }

    /// What reads these bytes of it; `None` where the first is gone, or it broke off.
    pub fn part(self: &Arc<Self>, range: Range<u64>) -> Option<Reader> {
        self.read(range.start, Some(range.end))
    }

    fn read(self: &Arc<Self>, from: u64, to: Option<u64>) -> Option<Reader> {
        let mut state = self.state.lock();
        if from < state.gone_bytes || matches!(state.end, Some(Err(_))) {
            return None;
        }
        let mut reading = Reading { next: state.gone, at: state.gone_bytes, from, waker: None };
        state.pieces.iter().take_while(|piece| reading.skip(piece)).for_each(drop);
        let key = state.readers.insert(reading);
        Some(Reader { fill: self.clone(), key: Some(key), to })
    }

    /// A piece came.
    pub fn push(&self, data: Bytes) {
        let mut state = self.state.lock();
        let next = state.gone + state.pieces.len();
        let waiting = state.readers.iter_mut().filter(|(_, reading)| reading.next == next);
        let skipping = waiting.filter_map(|(_, reading)| reading.skip(&data).then_some(())).count();
        state.came += data.len() as u64;
        state.pieces.push_back(data);
        if skipping > 0 {
            state.let_go();
        }
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
        let held = state.came - state.gone_bytes + PIECE * state.pieces.len() as u64;
        let is_far = state.passes && held > WINDOW;
        if is_far { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Ready when nothing reads it any more. Else the writer is woken when the last reader leaves.
    pub fn poll_alone(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        state.writer = Some(cx.waker().clone());
        if state.readers.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Break it off, unless something reads it. Whether it did.
    pub fn give_up(&self) -> bool {
        let mut state = self.state.lock();
        let is_alone = state.readers.is_empty();
        if is_alone {
            state.end.get_or_insert(Err(Failure::ClientGone));
        }
        is_alone
    }

    /// Break off the readers that hold others up, which have all that came and wait for more.
    pub fn cut_slowest(&self) {
        let mut state = self.state.lock();
        let (gone, all) = (state.gone, state.gone + state.pieces.len());
        if state.readers.iter().all(|(_, reading)| reading.next != all) {
            return;
        }
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

impl Reading {
    /// Go on behind `piece`, which is its next one, where it wants nothing of it. Whether it did.
    fn skip(&mut self, piece: &Bytes) -> bool {
        let end = self.at + piece.len() as u64;
        let is_skipped = end <= self.from;
        if is_skipped {
            (self.next, self.at) = (self.next + 1, end);
        }
        is_skipped
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

/// Wake the readers that wait and need not wait on for their first byte, without the lock.
fn wake(mut state: MutexGuard<'_, State>) {
    let (came, is_over) = (state.came, state.end.is_some());
    let ready = state.readers.iter_mut().filter(|(_, reading)| is_over || reading.from < came);
    let waiting = ready.filter_map(|(_, reading)| reading.waker.take());
    let wakers: SmallVec<[Waker; 4]> = waiting.collect();
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
}

/// Reads a body that comes, or a part of it.
pub struct Reader {
    fill: Arc<Fill>,
    /// Its place among the readers; absent: it has read all that it wants.
    key: Option<usize>,
    /// Where what it wants ends; absent: where the body does, with its trailers.
    to: Option<u64>,
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
        if let Some(piece) = state.pieces.get(reading.next - state.gone) {
            let end = reading.at + piece.len() as u64;
            let from = reading.from.saturating_sub(reading.at) as usize;
            let left = self.to.map_or(0, |to| end.saturating_sub(to)) as usize;
            let data = piece.slice(from..piece.len() - left);
            (reading.next, reading.at) = (reading.next + 1, end);
            match self.to {
                Some(to) if to <= end => state.leave(self.key.take()),
                _ => state.let_go(),
            }
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
            // It is shorter than was announced.
            Some(Ok(_)) if self.to.is_some() => Poll::Ready(Some(Err(Failure::UpstreamProtocol))),
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
            has_all && self.to.is_none() && matches!(state.end, Some(Ok(None)))
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.fill.state.lock().leave(self.key.take());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
