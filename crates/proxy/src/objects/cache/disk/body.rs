//! The body of a stored response that lies on disk, read some blocks at a time and checked before it is given on.

use std::fs::File;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tidegate_core::cache::evict::Id;
use tidegate_core::failure::Failure;
use tokio::sync::oneshot;

use super::access::{Access, Unread};
use super::layout::{BEGIN, BLOCK, Layout, sum};
use super::volume::Volume;
use crate::http::body::{Body, Frame, NextFrame, Source};

/// Blocks that are read, and so written, at once: each write wakes its client.
const AT_ONCE: u64 = 4;

/// A body that lies on disk.
#[derive(Debug)]
pub struct StoredBody {
    pub(super) volume: Arc<Volume>,
    pub(super) id: Id,
    pub(super) length: u64,
    /// What it is known by: under its id there may be another one by now.
    pub(super) body_id: u64,
    pub(super) sums: Box<[u64]>,
}

/// Its file.
#[derive(Debug)]
pub struct Opened {
    file: File,
    body_at: u64,
}

impl StoredBody {
    /// Its bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What it takes in memory.
    pub fn weight(&self) -> u64 {
        size_of::<Self>() as u64 + size_of_val(&*self.sums) as u64
    }

    /// Whether it is on disk still. That counts as a use.
    pub fn is_there(&self) -> bool {
        self.volume.use_once_more(self.id)
    }

    /// These bytes of it, as a body. It breaks off where it is not on disk any more.
    pub fn part(self: &Arc<Self>, range: Range<u64>) -> Body {
        if range.is_empty() {
            return Body::Empty;
        }
        Body::stream(Part { body: self.clone(), opened: None, range, coming: None })
    }

    /// Opens its file.
    pub(super) fn open(&self, access: Access<'_>) -> Result<Opened, Unread> {
        let file = access.find(self.id)?;
        let begin = access.read(&file, 0, BEGIN)?;
        let layout = Layout::read(&begin).ok_or(Unread::Broken)?;
        let is_it = (layout.body, layout.body_id) == (self.length, self.body_id);
        is_it.then(|| Opened { file, body_at: layout.body_at() }).ok_or(Unread::Broken)
    }

    /// These blocks of it, checked.
    fn blocks(
        &self,
        blocks: Range<u64>,
        opened: &Opened,
        access: Access<'_>,
    ) -> Result<Bytes, Unread> {
        let at = blocks.start * BLOCK;
        let length = (blocks.end * BLOCK).min(self.length) - at;
        let read = access.read(&opened.file, opened.body_at + at, length)?;
        let known = self.sums.get(blocks.start as usize..blocks.end as usize);
        let sums = read.chunks(BLOCK as usize).map(sum);
        let is_right = known.is_some_and(|known| sums.eq(known.iter().copied()));
        is_right.then_some(read).ok_or(Unread::Broken)
    }

    /// All of it, some blocks at a time.
    pub(super) fn pieces(
        &self,
        opened: &Opened,
        access: Access<'_>,
    ) -> impl Iterator<Item = Result<Bytes, Unread>> {
        let all = self.length.div_ceil(BLOCK);
        let begins = (0..all).step_by(AT_ONCE as usize);
        begins.map(move |begin| self.blocks(begin..all.min(begin + AT_ONCE), opened, access))
    }

    /// The blocks that begin with the one that has the first byte of `range`, as many as are read at once.
    fn read(
        &self,
        range: &Range<u64>,
        opened: Option<Arc<Opened>>,
        access: Access<'_>,
    ) -> Result<Blocks, Unread> {
        let opened = match opened {
            Some(opened) => opened,
            None => Arc::new(self.open(access)?),
        };
        let begin = range.start / BLOCK;
        let end = range.end.div_ceil(BLOCK).min(begin + AT_ONCE);
        let data = self.blocks(begin..end, &opened, access)?;
        Ok(Blocks { opened, begin: begin * BLOCK, data })
    }
}

/// Blocks that were read, and where the next ones are.
struct Blocks {
    opened: Arc<Opened>,
    /// Where they begin, in bytes from the beginning of the body.
    begin: u64,
    data: Bytes,
}

/// Some bytes of a body that are read some blocks at a time.
struct Part {
    body: Arc<StoredBody>,
    opened: Option<Arc<Opened>>,
    range: Range<u64>,
    coming: Option<oneshot::Receiver<Result<Blocks, Unread>>>,
}

impl Part {
    /// Have a thread read the next blocks.
    fn hand_over(&mut self) -> oneshot::Receiver<Result<Blocks, Unread>> {
        let (tell, coming) = oneshot::channel();
        let (body, opened, range) = (self.body.clone(), self.opened.take(), self.range.clone());
        // A body has one read that waits at the most.
        self.body.volume.queue.insist(move || {
            let read = body.read(&range, opened, Access::waiting(&*body.volume.store));
            // Its reader may have left.
            let _ = tell.send(read);
        });
        coming
    }

    fn give(&mut self, read: Result<Blocks, Unread>) -> NextFrame {
        match read {
            Ok(Blocks { opened, begin, data }) => {
                self.opened = Some(opened);
                let from = (self.range.start - begin) as usize;
                let to = (self.range.end - begin).min(data.len() as u64) as usize;
                self.range.start = begin + to as u64;
                Poll::Ready(Some(Ok(Frame::Data(data.slice(from..to)))))
            }
            Err(unread) => {
                self.body.volume.tell(self.body.id, &unread);
                Poll::Ready(Some(Err(Failure::Internal)))
            }
        }
    }
}

impl Source for Part {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        if self.range.is_empty() {
            return Poll::Ready(None);
        }
        let mut coming = match self.coming.take() {
            Some(coming) => coming,
            None => {
                let access = Access::at_once(&*self.body.volume.store);
                match self.body.read(&self.range, self.opened.clone(), access) {
                    Err(unread) if unread.is_for_thread() => self.hand_over(),
                    read => return self.give(read),
                }
            }
        };
        match Pin::new(&mut coming).poll(cx) {
            Poll::Pending => {
                self.coming = Some(coming);
                Poll::Pending
            }
            Poll::Ready(Ok(read)) => self.give(read),
            // No thread reads any more.
            Poll::Ready(Err(_)) => Poll::Ready(Some(Err(Failure::Internal))),
        }
    }

    fn is_end(&self) -> bool {
        self.range.is_empty()
    }
}
