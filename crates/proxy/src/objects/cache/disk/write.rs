//! Writing: a stored response goes to disk.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tidegate_core::cache::evict::Id;
use tidegate_core::time::Moment;

use super::access::{Access, Unread};
use super::index::Ticket;
use super::layout::{self, Layout};
use super::{Disk, head, index};
use crate::net::clock;
use crate::objects::cache::content::Content;
use crate::objects::cache::entry::Entry;
use crate::objects::cache::room::Room;

impl Disk {
    /// Take `entry` in, which leaves memory, where that is worth it. What waits to be written takes its bytes of `room`.
    pub fn take(self: &Arc<Self>, entry: &Arc<Entry>, room: &Arc<Room>) {
        if self.volume.serves() && self.wants(entry) {
            self.write(entry, room, |_| ());
        }
    }

    /// Whether `entry`, whose body is in memory, is to be kept and is not yet.
    pub fn wants(&self, entry: &Entry) -> bool {
        matches!(entry.content, Content::Whole(_) | Content::Sliced(_))
            && !self.volume.index.lock().has_or_gets(id_of(entry))
            && is_worth_it(entry, clock::now())
            && self.admits(entry)
    }

    /// Have `entry` written by a thread; `written` gets its body on disk. False where too much waits for that.
    pub fn write(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        room: &Arc<Room>,
        written: impl FnOnce(Content) + Send + 'static,
    ) -> bool {
        let (id, mut taken) = (id_of(entry), room.nothing());
        let Some(held) = self.purges.hold(entry) else { return false };
        if !self.volume.serves() || !taken.take(entry.weight()) {
            return false;
        }
        let ticket = self.volume.index.lock().begin(id);
        let (disk, entry) = (self.clone(), entry.clone());
        let submitted = self.volume.queue.submit(move || {
            if let Some(content) = disk.write_now(&entry, id, ticket) {
                written(content);
            }
            // A purge that came meanwhile takes it.
            drop((held, taken));
        });
        if submitted.is_err() {
            self.volume.index.lock().end(id, ticket);
        }
        submitted.is_ok()
    }

    /// Write `entry` by a thread that may wait, where it is to be kept when the process ends.
    pub(super) fn take_now(self: &Arc<Self>, entry: &Arc<Entry>) {
        if self.wants(entry) {
            let id = id_of(entry);
            let ticket = self.volume.index.lock().begin(id);
            self.write_now(entry, id, ticket);
        }
    }

    /// Write `entry`, which was read from disk, as it is now, unless a newer one takes its place.
    pub(super) fn write_again(self: &Arc<Self>, id: Id, entry: &Entry) {
        let ticket = self.volume.index.lock().begin_again(id);
        if let Some(ticket) = ticket {
            self.write_now(entry, id, ticket);
        }
    }

    /// The body of `entry` on disk, once it is written; `None` where it was overtaken or that failed.
    fn write_now(self: &Arc<Self>, entry: &Entry, id: Id, ticket: Ticket) -> Option<Content> {
        let is_spared = self.purges.spare(entry, clock::now());
        let written = if is_spared { self.publish(entry, id, ticket) } else { Ok(None) };
        self.volume.index.lock().end(id, ticket);
        self.written.notify_all();
        written.unwrap_or_else(|unread| {
            self.volume.tell(id, &unread);
            None
        })
    }

    fn publish(
        self: &Arc<Self>,
        entry: &Entry,
        id: Id,
        ticket: Ticket,
    ) -> Result<Option<Content>, Unread> {
        let head = head::write(entry, &self.clock);
        let (length, sums) = match &entry.content {
            Content::Whole(pieces) => (pieces.length(), layout::sums(pieces.slices())),
            Content::OnDisk(body) => (body.length, body.sums.clone()),
            Content::Sliced(_) => (0, Default::default()),
            Content::Coming(_) | Content::Partial(_) => return Ok(None),
        };
        let layout = Layout::of(&head, length, &sums);
        let mut body = |out: &mut dyn Write| self.write_body(&entry.content, out);
        let draft =
            self.volume.store.write(&mut |out| layout.write(out, &head, &mut body, &sums))?;
        let publishing = self.volume.publishing.lock();
        if !self.volume.is_served.load(Relaxed) || !self.volume.index.lock().is_current(id, ticket)
        {
            return Ok(None);
        }
        let bytes = self.volume.store.publish(draft, id)?;
        let evicted = {
            let mut index = self.volume.index.lock();
            match index.end(id, ticket) {
                true => index.add(id, bytes),
                // It was overtaken while it was published.
                false => std::iter::once(id).collect(),
            }
        };
        let is_kept = !evicted.contains(&id);
        self.volume.count_evictions(evicted.len() - usize::from(!is_kept));
        let removed = evicted.into_iter().try_for_each(|id| self.volume.store.remove(id));
        drop(publishing);
        removed?;
        let stored = Content::OnDisk(Arc::new(self.body(id, &layout, sums)));
        Ok(is_kept.then_some(stored))
    }

    fn write_body(&self, content: &Content, out: &mut dyn Write) -> io::Result<()> {
        match content {
            Content::Whole(pieces) => pieces.slices().try_for_each(|piece| out.write_all(piece)),
            Content::OnDisk(body) => {
                let access = Access::waiting(&*self.volume.store);
                let failed = |unread| match unread {
                    Unread::Broken => io::Error::from(io::ErrorKind::NotFound),
                    Unread::Failed(error) => error,
                };
                let opened = body.open(access).map_err(failed)?;
                let mut pieces = body.pieces(&opened, access);
                pieces.try_for_each(|piece| out.write_all(&piece.map_err(failed)?))
            }
            Content::Coming(_) | Content::Partial(_) | Content::Sliced(_) => Ok(()),
        }
    }
}

/// The id of `entry`.
pub fn id_of(entry: &Entry) -> Id {
    index::id(entry.key.hash, &entry.key.text, &entry.vary)
}

/// Whether something may still come of it: it is fresh, or can be validated.
fn is_worth_it(entry: &Entry, now: Moment) -> bool {
    let fields = &entry.fields;
    entry.terms_now().is_fresh(now)
        || fields.contains(&http::header::ETAG)
        || fields.contains(&http::header::LAST_MODIFIED)
}
