//! What a cache finds on its disk is read as it was written, or not at all.

use std::time::{Duration, UNIX_EPOCH};

use tidegate_core::time::Moment;

use crate::objects::cache::Entry;
use crate::objects::cache::disk::clock::DiskClock;
use crate::objects::cache::disk::layout::{self, BLOCK, Layout};
use crate::objects::cache::disk::{head, purge_log};

/// What is older than a file can say is as old as it can: 584 years.
const LONGEST: Duration = Duration::from_nanos(u64::MAX);

/// A file of a stored response, or a head without a file, or a file of purges.
pub fn cache_file(bytes: &[u8]) {
    if let Some(head) = checked(bytes) {
        is_same_again(head);
    }
    // Bytes that are found by trying seldom have the right sums: here they need none.
    is_same_again(bytes);
    if let Some(told) = purge_log::told(bytes) {
        assert!(told.purges.iter().all(|purge| purge.number <= told.last));
    }
}

/// The head in a file that is as it was written.
fn checked(file: &[u8]) -> Option<&[u8]> {
    let layout = Layout::read(file)?;
    let part = |at: u64, length: u64| {
        let at = usize::try_from(at).ok()?;
        file.get(at..at.checked_add(usize::try_from(length).ok()?)?)
    };
    let head = layout.head(part(0, layout.body_at())?)?;
    let sums = layout.sums(part(layout.sums_at(), layout.sums_length())?)?;
    let blocks = part(layout.body_at(), layout.body)?.chunks(BLOCK as usize);
    assert_eq!(sums.len(), blocks.len(), "each block has a sum");
    let is_right = blocks.zip(&sums).all(|(block, &known)| layout::sum(block) == known);
    is_right.then_some(head)
}

/// What is read of a head is read again once it was written.
fn is_same_again(head: &[u8]) {
    let now = Moment(1_000_000_000);
    let clock = DiskClock::new(UNIX_EPOCH + Duration::from_secs(1_795_694_400), now, 0);
    let Some(parts) = head::read(head, &clock, now) else { return };
    let entry = Entry::new(parts);
    let again = head::read(&head::write(&entry, &clock), &clock, now).map(Entry::new);
    assert!(again.is_some_and(|again| {
        (&again.key, again.status, again.fields.map())
            == (&entry.key, entry.status, entry.fields.map())
            && (&again.vary, &again.tags, again.asked_at)
                == (&entry.vary, &entry.tags, entry.asked_at)
            && again.terms.age(now) >= entry.terms.age(now).min(LONGEST)
    }));
}
