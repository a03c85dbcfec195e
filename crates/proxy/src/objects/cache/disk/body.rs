//! The body of a stored response that lies on disk, read block by block and checked before it is given on.

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

    /// One of its blocks, checked.
    pub(super) fn block(
        &self,
        number: u64,
        opened: &Opened,
        access: Access<'_>,
    ) -> Result<Bytes, Unread> {
        let at = number * BLOCK;
        let block = access.read(&opened.file, opened.body_at + at, BLOCK.min(self.length - at))?;
        let is_right = self.sums.get(number as usize).is_some_and(|&known| known == sum(&block));
        is_right.then_some(block).ok_or(Unread::Broken)
    }

    /// The blocks of it, one after the other.
    pub(super) fn blocks(
        &self,
        opened: &Opened,
        access: Access<'_>,
    ) -> impl Iterator<Item = Result<Bytes, Unread>> {
        (0..self.length.div_ceil(BLOCK)).map(move |number| self.block(number, opened, access))
    }

    fn read(
        &self,
        number: u64,
        opened: Option<Arc<Opened>>,
        access: Access<'_>,
    ) -> Result<Block, Unread> {
        let opened = match opened {
            Some(opened) => opened,
            None => Arc::new(self.open(access)?),
        };
        let data = self.block(number, &opened, access)?;
        Ok(Block { opened, data })
    }
}

/// A block that was read, and where the next one is.
struct Block {
    opened: Arc<Opened>,
    data: Bytes,
}

/// Some bytes of a body that are read one block after the other.
struct Part {
    body: Arc<StoredBody>,
    opened: Option<Arc<Opened>>,
    range: Range<u64>,
    coming: Option<oneshot::Receiver<Result<Block, Unread>>>,
}

impl Part {
    fn number(&self) -> u64 {
        self.range.start / BLOCK
    }

    /// Have a thread read the next block.
    fn hand_over(&mut self) -> oneshot::Receiver<Result<Block, Unread>> {
        let (tell, coming) = oneshot::channel();
        let (body, opened, number) = (self.body.clone(), self.opened.take(), self.number());
        // A body has one block that comes at the most.
        self.body.volume.queue.insist(move || {
            let read = body.read(number, opened, Access::waiting(&*body.volume.store));
            // Its reader may have left.
            let _ = tell.send(read);
        });
        coming
    }

    fn give(&mut self, read: Result<Block, Unread>) -> NextFrame {
        match read {
            Ok(Block { opened, data }) => {
                self.opened = Some(opened);
                let begin = self.number() * BLOCK;
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
                match self.body.read(self.number(), self.opened.clone(), access) {
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
