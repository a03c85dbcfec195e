//! A key as it is kept.

use std::sync::Arc;

use super::super::Identity;

/// What is known of a key: as much as a line of the processor's cache holds.
#[repr(align(64))]
pub(super) struct Entry {
    /// SHA-256 of its secret.
    pub(super) hash: [u8; 32],
    /// Whose it is.
    pub(super) identity: Arc<Identity>,
    id: Id,
    /// In Unix seconds: until 2106.
    expires: u32,
    networks: u32,
}

/// Its id: in place where it is short, as the ids are that `tidegate key new` draws. So a key that is looked up is
/// one read of memory.
enum Id {
    Short {
        length: u8,
        bytes: [u8; SHORT],
    },
    /// Part of the text of all long ids.
    Long {
        length: u8,
        start: u32,
    },
}

const SHORT: usize = 14;
/// Of a key that never ends.
const NEVER: u32 = u32::MAX;
/// Of a key that may come from anywhere.
const ANYWHERE: u32 = u32::MAX;

impl Entry {
    /// The key of this id, which is added to `ids` if it is long, until `expires` in Unix seconds, limited to the list
    /// of networks with this index. `None` if there are more keys than can be told apart.
    pub(super) fn new(
        id: &str,
        hash: [u8; 32],
        identity: Arc<Identity>,
        expires: Option<i64>,
        networks: Option<usize>,
        ids: &mut String,
    ) -> Option<Self> {
        Some(Self {
            hash,
            identity,
            id: Id::new(id, ids)?,
            expires: expires.map_or(NEVER, |at| u32::try_from(at.max(0)).unwrap_or(NEVER)),
            networks: networks.map_or(Some(ANYWHERE), |index| u32::try_from(index).ok())?,
        })
    }

    /// Whether its id is this one; `ids` are all long ones.
    pub(super) fn is_named(&self, id: &str, ids: &str) -> bool {
        match &self.id {
            Id::Short { length, bytes } => bytes[..usize::from(*length)] == *id.as_bytes(),
            Id::Long { length, start } => {
                let start = *start as usize;
                ids[start..start + usize::from(*length)] == *id
            }
        }
    }

    /// Whether its time is over.
    pub(super) const fn has_ended(&self, now: i64) -> bool {
        self.expires != NEVER && now >= self.expires as i64
    }

    /// Which list of networks it is limited to; `None`: to none.
    pub(super) const fn networks(&self) -> Option<usize> {
        if self.networks == ANYWHERE { None } else { Some(self.networks as usize) }
    }
}

impl Id {
    fn new(id: &str, ids: &mut String) -> Option<Self> {
        let length = u8::try_from(id.len()).ok()?;
        if id.len() > SHORT {
            let start = u32::try_from(ids.len()).ok()?;
            ids.push_str(id);
            return Some(Self::Long { length, start });
        }
        let mut bytes = [0; SHORT];
        bytes[..id.len()].copy_from_slice(id.as_bytes());
        Some(Self::Short { length, bytes })
    }
}

const _: () = assert!(size_of::<Entry>() == 64);
