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
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::task::Wake;

    use super::*;
    use crate::http::body::Body;
    use crate::http::body::testing::read;

    /// Notes that it was woken.
    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Relaxed);
        }
    }

    fn room(fill: &Fill) -> bool {
        fill.poll_room(&Context::from_waker(Waker::noop())).is_ready()
    }

    fn alone(fill: &Fill) -> bool {
        fill.poll_alone(&Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn all_readers_read_all_of_it_wherever_they_begin() {
        let fill = Fill::new(None);
        let mut early = Body::stream(fill.reader().unwrap());
        fill.push("one ".into());
        assert_eq!(read(&mut early), ("one ".into(), None));
        let mut late = Body::stream(fill.reader().unwrap());
        fill.push("two".into());
        fill.end(Ok(None));
        assert_eq!(read(&mut early), ("two".into(), Some(Ok(()))));
        assert_eq!(read(&mut late), ("one two".into(), Some(Ok(()))));
        assert_eq!(fill.pieces().length(), 7);
    }

    #[test]
    fn a_reader_never_takes_a_break_for_the_end() {
        let fill = Fill::new(Some(10));
        let mut body = Body::stream(fill.reader().unwrap());
        fill.push("one".into());
        fill.end(Err(Failure::UpstreamReset));
        fill.end(Ok(None));
        assert!(!body.is_end());
        assert_eq!(read(&mut body), ("one".into(), Some(Err(Failure::UpstreamReset))));
    }

    #[test]
    fn what_is_not_kept_comes_no_faster_than_the_slowest_reader_reads() {
        let fill = Fill::new(None);
        let (mut quick, mut slow) =
            (Body::stream(fill.reader().unwrap()), Body::stream(fill.reader().unwrap()));
        fill.pass();
        let piece = Bytes::from(vec![b'x'; 600 << 10]);
        fill.push(piece.clone());
        assert!(room(&fill));
        fill.push(piece);
        read(&mut quick);
        assert!(!room(&fill));
        read(&mut slow);
        assert!(room(&fill));
        assert!(fill.reader().is_none(), "its beginning is gone");
    }

    #[test]
    fn a_reader_that_holds_the_others_up_is_broken_off() {
        let fill = Fill::new(None);
        let (mut quick, mut slow) =
            (Body::stream(fill.reader().unwrap()), Body::stream(fill.reader().unwrap()));
        fill.pass();
        fill.push(Bytes::from(vec![b'x'; 2 << 20]));
        read(&mut quick);
        assert!(!room(&fill));
        fill.cut_slowest();
        assert!(room(&fill));
        assert_eq!(read(&mut slow).1, Some(Err(Failure::ClientGone)));
        fill.push("end".into());
        fill.end(Ok(None));
        assert_eq!(read(&mut quick), ("end".into(), Some(Ok(()))));
    }

    #[test]
    fn it_is_alone_when_all_readers_have_left_or_read_it() {
        let fill = Fill::new(None);
        assert!(alone(&fill));
        let (one, mut other) = (fill.reader().unwrap(), Body::stream(fill.reader().unwrap()));
        drop(one);
        assert!(!alone(&fill));
        fill.end(Ok(None));
        read(&mut other);
        assert!(alone(&fill));
        // Its place is another's by now.
        let _third = fill.reader().unwrap();
        drop(other);
        assert!(!alone(&fill));
    }

    #[test]
    fn a_reader_that_holds_nothing_up_may_take_its_time() {
        let fill = Fill::new(None);
        let mut readers = [0; 2].map(|_| Body::stream(fill.reader().unwrap()));
        fill.pass();
        fill.push(Bytes::from(vec![b'x'; 2 << 20]));
        assert!(!room(&fill));
        fill.cut_slowest();
        fill.end(Ok(None));
        assert!(readers.iter_mut().all(|reader| read(reader).1 == Some(Ok(()))));
    }

    #[test]
    fn the_writer_is_woken_when_the_last_reader_leaves_whatever_that_has_read() {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let cx = Context::from_waker(&waker);
        let fill = Fill::new(None);
        let mut reader = Body::stream(fill.reader().unwrap());
        fill.pass();
        fill.push("x".into());
        assert!(fill.poll_alone(&cx).is_pending());
        read(&mut reader);
        assert!(woken.0.swap(false, Relaxed), "there is room for more");
        assert!(fill.poll_alone(&cx).is_pending());
        drop(reader);
        assert!(woken.0.swap(false, Relaxed));
        assert!(fill.poll_alone(&cx).is_ready());
    }

    #[test]
    fn a_part_is_read_as_soon_as_it_is_there_and_its_reader_leaves() {
        let fill = Fill::new(Some(12));
        let mut parts =
            [0..2, 3..4, 2..9, 6..12, 11..12].map(|range| Body::stream(fill.part(range).unwrap()));
        fill.push("0123".into());
        let came = parts.each_mut().map(|part| read(part).0);
        assert_eq!(came, ["01", "3", "23", "", ""]);
        assert!(parts[0].is_end() && parts[1].is_end() && !parts[2].is_end());
        fill.push("4567".into());
        fill.push("8901".into());
        let late = Body::stream(fill.part(7..10).unwrap());
        for (mut part, rest) in
            parts.into_iter().skip(2).chain([late]).zip(["45678", "678901", "1", "789"])
        {
            assert_eq!(read(&mut part), (rest.into(), Some(Ok(()))));
        }
        assert!(alone(&fill), "all have left before it ended");
    }

    #[test]
    fn a_part_that_comes_late_holds_nothing_up_and_wakes_nothing_before() {
        let (fill, woken) = (Fill::new(Some(3 << 20)), Arc::new(Woken::default()));
        fill.pass();
        let mut tail = fill.part((2 << 20) + 1..3 << 20).unwrap();
        let waker = Waker::from(woken.clone());
        assert!(tail.poll_frame(&mut Context::from_waker(&waker)).is_pending());
        for _ in 0..2 {
            fill.push(Bytes::from(vec![b'x'; 1 << 20]));
            assert!(room(&fill) && !woken.0.load(Relaxed));
        }
        assert!(fill.part(0..1).is_none(), "the beginning is gone");
        assert!(fill.part(2 << 20..3 << 20).is_some());
        fill.push(Bytes::from(vec![b'y'; 1 << 20]));
        assert!(woken.0.load(Relaxed));
        assert_eq!(read(&mut Body::stream(tail)).0.len(), (1 << 20) - 1);
    }

    #[test]
    fn a_part_that_does_not_come_has_failed() {
        let (fill, other) = (Fill::new(Some(10)), Fill::new(Some(10)));
        let mut parts = [&fill, &other].map(|fill| Body::stream(fill.part(5..10).unwrap()));
        fill.push("0123456".into());
        fill.end(Ok(None));
        assert_eq!(read(&mut parts[0]), ("56".into(), Some(Err(Failure::UpstreamProtocol))));
        other.end(Err(Failure::UpstreamReset));
        assert_eq!(read(&mut parts[1]), (String::new(), Some(Err(Failure::UpstreamReset))));
    }

    #[test]
    fn what_broke_off_gets_no_new_readers() {
        let fill = Fill::new(Some(10));
        let reader = fill.reader();
        assert!(!fill.give_up(), "it is read");
        drop(reader);
        assert!(fill.give_up());
        assert!(fill.reader().is_none());
    }

    #[test]
    fn many_small_pieces_are_no_longer_a_window_than_a_large_one() {
        let fill = Fill::new(None);
        let reader = fill.reader();
        fill.pass();
        let pushed = (0..WINDOW).take_while(|_| room(&fill)).map(|_| fill.push("x".into())).count();
        assert!((pushed as u64) < WINDOW / PIECE, "{pushed}");
        drop(reader);
    }
}
