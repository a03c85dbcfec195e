//! Credentials that were believed, so that they need not be judged again for a while.

use std::fmt;
use std::hash::Hasher;
use std::num::NonZeroUsize;
use std::sync::Arc;

use parking_lot::RwLock;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::auth::Identity;

/// Credentials that compete for room with one another.
const WAYS: usize = 8;

/// The identities of credentials that were believed, by a keyed hash of theirs, shared by all workers.
///
/// The hash is SipHash-1-3 of 128 bits (Aumasson and Bernstein, *SipHash: a fast short-input PRF*, 2012). Its key is a
/// secret and no hash is ever shown: so what hashes like a credential of another cannot be found but by trying, one request a
/// try. A hash that is safe without a secret takes three times as long, which is most of what a token costs.
///
/// There is room for a fixed number. Which one goes when a new one finds none does not depend on anything that
/// clients could steer but with credentials that are genuine. Each group of eight has a lock of its own, which is held
/// while eight hashes are compared.
pub struct Remembered {
    groups: Box<[RwLock<Group>]>,
    secret: SipHasher13,
}

type Group = [Option<Entry>; WAYS];
type Hash = u128;

#[derive(Debug)]
struct Entry {
    hash: Hash,
    generation: u64,
    /// In the unit that `now` is given in.
    until: i64,
    identity: Arc<Identity>,
}

/// A credential that is not remembered: it may be, once it is believed.
#[derive(Debug)]
pub struct Miss {
    hash: Hash,
    generation: u64,
}

impl Remembered {
    /// Room for about `most` credentials, which are hashed with this `secret`: random bytes that no other knows.
    pub fn new(most: NonZeroUsize, secret: &[u8; 16]) -> Self {
        let groups = most.get().div_ceil(WAYS).next_power_of_two();
        Self {
            groups: (0..groups).map(|_| RwLock::default()).collect(),
            secret: SipHasher13::new_with_key(secret),
        }
    }

    /// The identity of `credential`, if it was believed by the keys and revocations of this `generation`, which is
    /// another one after each change of them. `now` is in whatever unit times are put in here.
    ///
    /// # Errors
    /// With what [`put`](Self::put) needs. The generation is to be read before keys and revocations are: so what
    /// was believed by those of before a change is not remembered after it.
    pub fn find(
        &self,
        credential: &[u8],
        generation: u64,
        now: i64,
    ) -> Result<Arc<Identity>, Miss> {
        let hash = self.hash(credential);
        let is_sought = |entry: &&Entry| {
            entry.hash == hash && entry.generation == generation && now < entry.until
        };
        let group = self.group(hash).read();
        match group.iter().flatten().find(is_sought) {
            Some(entry) => Ok(entry.identity.clone()),
            None => Err(Miss { hash, generation }),
        }
    }

    /// Remember that the credential of `miss` is of `identity`, until then.
    pub fn put(&self, miss: Miss, identity: Arc<Identity>, until: i64, now: i64) {
        let Miss { hash, generation } = miss;
        let mut group = self.group(hash).write();
        let is_free = |entry: &Option<Entry>| {
            entry.as_ref().is_none_or(|entry| {
                entry.hash == hash || entry.generation != generation || entry.until <= now
            })
        };
        // Else any: bytes that did not choose the group.
        let place = group.iter().position(is_free).unwrap_or((hash >> 64) as usize % WAYS);
        group[place] = Some(Entry { hash, generation, until, identity });
    }

    fn hash(&self, credential: &[u8]) -> Hash {
        let mut hasher = self.secret;
        hasher.write(credential);
        hasher.finish128().as_u128()
    }

    fn group(&self, hash: Hash) -> &RwLock<Group> {
        &self.groups[hash as usize & (self.groups.len() - 1)]
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").field("groups", &self.groups.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::auth::Claims;

    const NOW: i64 = 1_000;

    fn table(most: usize) -> Remembered {
        Remembered::new(NonZeroUsize::new(most).unwrap(), b"0123456789abcdef")
    }

    fn identity(subject: &str) -> Arc<Identity> {
        Arc::new(Identity {
            authenticator: "users".into(),
            subject: Some(subject.into()),
            claims: Claims::default(),
        })
    }

    fn put(table: &Remembered, token: &str, until: i64) {
        let miss = table.find(token.as_bytes(), 1, NOW).unwrap_err();
        table.put(miss, identity(token), until, NOW);
    }

    fn found(table: &Remembered, token: &str, now: i64) -> Option<Box<str>> {
        table.find(token.as_bytes(), 1, now).ok()?.subject.clone()
    }

    #[test]
    fn a_token_is_remembered_until_it_expires() {
        let table = table(10);
        put(&table, "one", NOW + 5);
        assert_eq!(found(&table, "one", NOW + 4).as_deref(), Some("one"));
        assert_eq!(found(&table, "one", NOW + 5), None);
        assert_eq!(found(&table, "two", NOW), None);
    }

    #[test]
    fn a_token_of_before_a_change_is_not_remembered_after_it() {
        let table = table(10);
        put(&table, "one", NOW + 5);
        assert!(table.find(b"one", 2, NOW).is_err());
        assert!(table.find(b"one", 1, NOW).is_ok());
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let table = table(100);
        let tokens: Vec<_> = (0..10_000).map(|number| number.to_string()).collect();
        tokens.iter().for_each(|token| put(&table, token, NOW + 5));
        let kept = tokens.iter().filter(|token| found(&table, token, NOW).is_some()).count();
        assert_eq!(kept, 128);
        assert!(found(&table, "9999", NOW).is_some(), "the last one is there");
    }

    #[test]
    fn those_that_have_expired_make_room_for_others() {
        let table = table(8);
        (0..8).for_each(|number| put(&table, &number.to_string(), NOW + i64::from(number > 0)));
        put(&table, "new", NOW + 5);
        (1..8).for_each(|number| assert!(found(&table, &number.to_string(), NOW).is_some()));
    }

    #[test]
    fn a_token_has_one_place() {
        let table = table(8);
        (0..20).for_each(|_| {
            let miss = Miss { hash: table.hash(b"one"), generation: 1 };
            table.put(miss, identity("one"), NOW + 5, NOW);
        });
        assert_eq!(table.groups[0].read().iter().flatten().count(), 1);
    }
}
