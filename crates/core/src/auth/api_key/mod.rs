//! API keys: those that an authenticator knows, found by the id in a key as it is presented.

mod entry;
mod file;
mod index;
mod written;

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use entry::Entry;
use index::Index;
use written::Written;

use super::{Identity, Refusal};

/// The keys of an authenticator. A key takes about 200 bytes, its identity included.
#[derive(Default)]
pub struct ApiKeys {
    entries: Box<[Entry]>,
    /// The ids that are too long for an entry, one after the other.
    ids: Box<str>,
    /// Where they are in `entries`.
    index: Index,
    /// Each list of networks that keys are limited to, once.
    networks: Box<[Box<[IpNet]>]>,
}

impl ApiKeys {
    /// Whose key is presented, by a request from `client`, `now` in Unix seconds.
    ///
    /// The secret is hashed, which hides how alike two are, and the hashes are compared in constant time. Ids are no
    /// secret. A key whose secret is wrong learns nothing of the one that it names.
    ///
    /// # Errors
    /// If the key is not one, is not known, has ended, or may not come from this address.
    pub fn find(
        &self,
        presented: &[u8],
        client: Option<IpAddr>,
        now: i64,
    ) -> Result<&Arc<Identity>, Refusal> {
        let written = Written::read(presented).map_err(Refusal::Invalid)?;
        let entry = self.named(written.id).ok_or(Refusal::UnknownKey)?;
        let hash: [u8; 32] = Sha256::digest(written.secret).into();
        if !bool::from(hash.ct_eq(&entry.hash)) {
            return Err(Refusal::Invalid("the secret of the API key is wrong"));
        }
        if entry.has_ended(now) {
            return Err(Refusal::Expired);
        }
        match entry.networks() {
            Some(networks) if !self.is_in(networks, client) => {
                Err(Refusal::Invalid("the API key may not come from this address"))
            }
            _ => Ok(&entry.identity),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn named(&self, id: &str) -> Option<&Entry> {
        let entry = |place| &self.entries[place as usize];
        self.index.find(id, |place| entry(place).is_named(id, &self.ids)).map(entry)
    }

    fn is_in(&self, networks: usize, client: Option<IpAddr>) -> bool {
        let Some(client) = client.map(|client| client.to_canonical()) else { return false };
        self.networks[networks].iter().any(|network| network.contains(&client))
    }
}

impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKeys").field("keys", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
