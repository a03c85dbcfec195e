//! Loading: a stored response is made of what lies on disk.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;
use tidegate_core::cache::evict::Id;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::access::{Access, Unread};
use super::body::StoredBody;
use super::layout::{BLOCK, Layout, sum};
use super::{Disk, head, index};
use crate::net::clock;
use crate::objects::cache::content::Content;
use crate::objects::cache::entry::{Entry, Parts};
use crate::objects::cache::pieces::Pieces;
use crate::objects::cache::room::Room;
use crate::objects::under_way::Turn;

/// Bytes that are read of a file first: all of one whose body has one block.
const FIRST: u64 = BLOCK + (16 << 10);
/// How long a request waits for a disk.
const PATIENCE: Duration = Duration::from_secs(1);

/// Responses that lie on disk.
pub type Loaded = SmallVec<[Arc<Entry>; 1]>;

impl Disk {
    /// All variants of the key of this hash. A disk that is slow, or has much to do, has none.
    pub async fn load(self: &Arc<Self>, hash: u128) -> Loaded {
        if let Ok(loaded) = self.read_variants(hash, Access::at_once(&*self.volume.store)) {
            return loaded;
        }
        match self.loading.join(hash) {
            Turn::Behind(first) => {
                timeout(PATIENCE, first.word()).await.ok().flatten().unwrap_or_default()
            }
            Turn::First(first) => {
                let loaded = self.load_by_thread(hash).await;
                first.tell(loaded.clone());
                loaded
            }
        }
    }

    async fn load_by_thread(self: &Arc<Self>, hash: u128) -> Loaded {
        let (tell, told) = oneshot::channel();
        let disk = self.clone();
        let submitted = self.volume.queue.submit(move || {
            // What asked may have gone on without it.
            let _ = tell.send(disk.load_now(hash));
        });
        match submitted {
            Ok(()) => timeout(PATIENCE, told).await.ok().and_then(Result::ok).unwrap_or_default(),
            Err(_) => Loaded::new(),
        }
    }

    /// The same by a thread that may wait.
    pub fn load_now(self: &Arc<Self>, hash: u128) -> Loaded {
        self.read_variants(hash, Access::waiting(&*self.volume.store)).unwrap_or_default()
    }

    /// Those that can be read; an error where a thread must.
    fn read_variants(self: &Arc<Self>, hash: u128, access: Access<'_>) -> Result<Loaded, Unread> {
        let mut loaded = Loaded::new();
        if !self.is_believed() {
            return Ok(loaded);
        }
        let ids = self.volume.index.lock().variants(hash);
        for id in ids {
            match self.read(id, access) {
                Ok(entry) if self.purges.spare(&entry, clock::now()) => {
                    self.volume.use_once_more(id);
                    loaded.push(Arc::new(entry));
                }
                Ok(_) => self.volume.forget(id),
                Err(unread) if unread.is_for_thread() => return Err(unread),
                Err(unread) => self.volume.tell(id, &unread),
            }
        }
        Ok(loaded)
    }

    /// What lies under this id, checked but for a body of more than one block, which is checked as it is read.
    pub(super) fn read(self: &Arc<Self>, id: Id, access: Access<'_>) -> Result<Entry, Unread> {
        let file = access.find(id)?;
        let length = file.metadata()?.len();
        let first = access.read(&file, 0, length.min(FIRST))?;
        let layout = Layout::read(&first).filter(|layout| layout.length() == length);
        let layout = layout.ok_or(Unread::Broken)?;
        let bytes = OfFile { file: &file, first, access };
        let before_body = bytes.read(0, layout.body_at())?;
        let parts = layout.head(&before_body).and_then(|head| {
            head::read(head, &self.clock, clock::now()).filter(|parts| self.is_under(id, parts))
        });
        let mut parts = parts.ok_or(Unread::Broken)?;
        let after_body = bytes.read(layout.sums_at(), layout.sums_length())?;
        let sums = layout.sums(&after_body).ok_or(Unread::Broken)?;
        parts.content = match &*sums {
            // It has none, or lies in other entries.
            [] => parts.content,
            [only] => {
                let body = bytes.read(layout.body_at(), layout.body)?;
                (sum(&body) == *only).then_some(()).ok_or(Unread::Broken)?;
                Content::Whole(Bytes::copy_from_slice(&body).into())
            }
            _ => Content::OnDisk(Arc::new(self.body(id, &layout, sums))),
        };
        Ok(Entry::new(parts))
    }

    fn is_under(&self, id: Id, parts: &Parts) -> bool {
        index::id(parts.key.hash, &parts.key.text, &parts.vary) == id
    }

    pub(super) fn body(self: &Arc<Self>, id: Id, layout: &Layout, sums: Box<[u64]>) -> StoredBody {
        let Layout { body: length, body_id, .. } = *layout;
        StoredBody { volume: self.volume.clone(), id, length, body_id, sums }
    }

    /// Have a body read into memory, which takes its bytes of `room` meanwhile; `raised` gets it.
    pub fn raise(
        self: &Arc<Self>,
        body: &Arc<StoredBody>,
        room: &Arc<Room>,
        raised: impl FnOnce(Pieces) + Send + 'static,
    ) {
        let mut taken = room.nothing();
        if !self.volume.serves() || !taken.take(body.length) {
            return;
        }
        let (disk, body) = (self.clone(), body.clone());
        // Where too much waits it stays where it is.
        let _ = self.volume.queue.submit(move || {
            let access = Access::waiting(&*disk.volume.store);
            match body.open(access).and_then(|opened| body.pieces(&opened, access).collect()) {
                Ok(pieces) => raised(pieces),
                Err(unread) => disk.volume.tell(body.id, &unread),
            }
            drop(taken);
        });
    }
}

/// The bytes of a file, of which the first have been read.
struct OfFile<'a> {
    file: &'a File,
    first: Bytes,
    access: Access<'a>,
}

impl OfFile<'_> {
    fn read(&self, at: u64, length: u64) -> Result<Bytes, Unread> {
        match at + length <= self.first.len() as u64 {
            true => Ok(self.first.slice(at as usize..(at + length) as usize)),
            false => self.access.read(self.file, at, length),
        }
    }
}
