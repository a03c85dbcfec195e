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
    expires: i64,
    id_start: u32,
    id_length: u8,
    networks: u32,
}

/// Of a key that never ends.
const NEVER: i64 = i64::MAX;
/// Of a key that may come from anywhere.
const ANYWHERE: u32 = u32::MAX;

impl Entry {
    /// The key whose id is the last of `ids`, until `expires` in Unix seconds, limited to the list of networks with
    /// this index. `None` if there are more keys than indexes can tell apart.
    pub(super) fn new(
        hash: [u8; 32],
        identity: Arc<Identity>,
        ids: &str,
        id: &str,
        expires: Option<i64>,
        networks: Option<usize>,
    ) -> Option<Self> {
        Some(Self {
            hash,
            identity,
            expires: expires.unwrap_or(NEVER),
            id_start: u32::try_from(ids.len() - id.len()).ok()?,
            id_length: u8::try_from(id.len()).ok()?,
            networks: networks.map_or(Some(ANYWHERE), |index| u32::try_from(index).ok())?,
        })
    }

    /// Its id, of all `ids`.
    pub(super) fn id<'a>(&self, ids: &'a str) -> &'a str {
        let start = self.id_start as usize;
        &ids[start..start + usize::from(self.id_length)]
    }

    /// Whether its time is over.
    pub(super) const fn has_ended(&self, now: i64) -> bool {
        now >= self.expires
    }

    /// Which list of networks it is limited to; `None`: to none.
    pub(super) const fn networks(&self) -> Option<usize> {
        if self.networks == ANYWHERE { None } else { Some(self.networks as usize) }
    }
}

const _: () = assert!(size_of::<Entry>() == 64);
