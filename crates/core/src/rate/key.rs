//! Keys: what requests that share a bucket have in common, as a keyed hash.

use std::hash::Hasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sha2::{Digest, Sha256};
use siphasher::sip128::{Hasher128, SipHasher13};

/// What the parts of a key hash to. However long they are, a key is 16 bytes; and without the secret it cannot be
/// found out which two share a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u128);

impl Key {
    /// Its bytes, to be told to those that may not learn the parts.
    pub const fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The half by which a table knows it; 0 is no key's.
    pub(super) const fn cell(self) -> u64 {
        let hash = self.0 as u64;
        if hash == 0 { 1 } else { hash }
    }

    /// A key that a table cannot tell from the one whose half this is.
    pub(super) const fn of_cell(hash: u64) -> Self {
        Self(hash as u128)
    }
}

/// What all gateways call a key: half of the SHA-256 of its parts (FIPS 180-4). They have no secret in common; that
/// two keys share a name nobody can bring about all the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedKey(pub [u8; 16]);

/// What becomes of a request that lacks a part of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// All such requests share a bucket, so that nothing is gained by leaving the part out.
    Share,
    /// The limit is not for it.
    Skip,
    /// It is refused.
    Deny,
}

/// Why a request has no key for a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unkeyed {
    /// The limit is not for it.
    Skip,
    /// It is to be refused.
    Deny,
}

/// The secret of the process, with which keys are hashed.
#[derive(Clone)]
pub struct Secret(SipHasher13);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Secret {
    /// From 16 random bytes.
    pub fn new(bytes: &[u8; 16]) -> Self {
        Self(SipHasher13::new_with_key(bytes))
    }

    /// A key that has no parts yet.
    pub fn key(&self) -> Parts {
        Parts(self.0)
    }
}

/// What hashes the parts of a key.
pub trait Hash {
    /// Go on with `bytes`.
    fn add(&mut self, bytes: &[u8]);

    /// Go on with a number.
    fn add_number(&mut self, number: u64);
}

impl Hash for SipHasher13 {
    fn add(&mut self, bytes: &[u8]) {
        self.write(bytes);
    }

    fn add_number(&mut self, number: u64) {
        self.write_u64(number);
    }
}

impl Hash for Sha256 {
    fn add(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }

    /// The same on every machine.
    fn add_number(&mut self, number: u64) {
        self.update(number.to_le_bytes());
    }
}

/// The parts of a key, one after the other.
///
/// They are hashed with SipHash-1-3 of 128 bits (Aumasson and Bernstein, *SipHash: a fast short-input PRF*, 2012).
/// The length goes before each part, so that `ab`, `c` is another key than `a`, `bc`.
#[derive(Debug, Clone)]
pub struct Parts<H = SipHasher13>(H);

impl Parts<Sha256> {
    /// A [`SharedKey`] that has no parts yet.
    pub fn shared() -> Self {
        Self(Sha256::new())
    }

    /// The key that they make.
    pub fn finish(self) -> SharedKey {
        let (mut half, whole) = ([0; 16], self.0.finalize());
        half.copy_from_slice(&whole[..16]);
        SharedKey(half)
    }
}

impl Parts {
    /// The key that they make.
    pub fn finish(&self) -> Key {
        Key(self.0.finish128().as_u128())
    }
}

impl<H: Hash> Parts<H> {
    /// The next part is `bytes`.
    pub fn part(&mut self, bytes: &[u8]) {
        // No part is so long that the sum would wrap: 0 is left for the one that is missing.
        self.0.add_number(bytes.len() as u64 + 1);
        self.0.add(bytes);
    }

    /// The next part is `bytes`; or `missing` says what follows.
    ///
    /// # Errors
    /// If the part is missing and such requests do not share a bucket.
    pub fn optional(&mut self, bytes: Option<&[u8]>, missing: Missing) -> Result<(), Unkeyed> {
        match (bytes, missing) {
            (Some(bytes), _) => self.part(bytes),
            // Another one than an empty part.
            (None, Missing::Share) => self.0.add_number(0),
            (None, Missing::Skip) => return Err(Unkeyed::Skip),
            (None, Missing::Deny) => return Err(Unkeyed::Deny),
        }
        Ok(())
    }

    /// The next part is the network of a client.
    pub fn client(&mut self, network: IpAddr) {
        match network {
            // Length and part in one word, as no part is so long.
            IpAddr::V4(address) => self.0.add_number(5 << 32 | u64::from(address.to_bits())),
            IpAddr::V6(address) => self.part(&address.octets()),
        }
    }
}

/// How much of an address tells one client from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefixes {
    /// Bits of an IPv4 address, at most 32.
    pub v4: u8,
    /// Bits of an IPv6 address, at most 128.
    pub v6: u8,
}

impl Default for Prefixes {
    /// IPv4 addresses whole, IPv6 as the /64 that a client is usually given (RFC 6177): the 2⁶⁴ addresses of
    /// one are one client's.
    fn default() -> Self {
        Self { v4: 32, v6: 64 }
    }
}

impl Prefixes {
    /// The first address of the network that stands for the client with this address. An IPv4 address in IPv6 clothes
    /// (`::ffff:192.0.2.1`) counts as IPv4.
    pub fn network(self, address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let others = u32::MAX.checked_shr(self.v4.into()).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & !others).into()
            }
            IpAddr::V6(address) => {
                let others = u128::MAX.checked_shr(self.v6.into()).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & !others).into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn key(parts: &[Option<&[u8]>]) -> Key {
        let mut key = Secret::new(b"0123456789abcdef").key();
        for part in parts {
            assert_eq!(key.optional(*part, Missing::Share), Ok(()));
        }
        key.finish()
    }

    fn network(address: &str) -> String {
        address.parse().map_or_else(
            |_| String::from("no address"),
            |address| Prefixes::default().network(address).to_string(),
        )
    }

    #[test]
    fn the_same_parts_make_the_same_key_and_another_secret_another() {
        let with = |secret: &[u8; 16]| {
            let mut key = Secret::new(secret).key();
            key.part(b"alice");
            key.finish()
        };
        assert_eq!(with(b"0123456789abcdef"), with(b"0123456789abcdef"));
        assert_ne!(with(b"0123456789abcdef"), with(b"0123456789abcdeg"));
    }

    #[test]
    fn parts_that_are_split_elsewhere_make_another_key() {
        let keys = [
            key(&[Some(b"ab"), Some(b"c")]),
            key(&[Some(b"a"), Some(b"bc")]),
            key(&[Some(b"abc")]),
            key(&[Some(b"abc"), Some(b"")]),
            key(&[Some(b""), Some(b"abc")]),
            key(&[Some(b"abc"), None]),
            key(&[None, Some(b"abc")]),
        ];
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
    }

    #[test]
    fn all_requests_that_lack_a_part_share_it() {
        assert_eq!(key(&[None]), key(&[None]));
        assert_ne!(key(&[None]), key(&[Some(b"")]));
    }

    #[test]
    fn a_request_without_a_part_may_have_no_key() {
        let mut key = Secret::new(b"0123456789abcdef").key();
        assert_eq!(key.optional(None, Missing::Skip), Err(Unkeyed::Skip));
        assert_eq!(key.optional(None, Missing::Deny), Err(Unkeyed::Deny));
        assert_eq!(key.optional(Some(b""), Missing::Deny), Ok(()));
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_the_first_half_of_an_ipv6_one() {
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("2001:db8:1:2::9"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn how_much_of_an_address_counts_can_be_said() {
        let prefixes = Prefixes { v4: 24, v6: 200 };
        assert_eq!(prefixes.network([192, 0, 2, 77].into()), IpAddr::from([192, 0, 2, 0]));
        assert_eq!(prefixes.network([1u16; 8].into()), IpAddr::from([1u16; 8]));
        let all = Prefixes { v4: 0, v6: 0 };
        assert_eq!(all.network([192, 0, 2, 77].into()), IpAddr::from([0; 4]));
        assert_eq!(all.network([1u16; 8].into()), IpAddr::from([0u16; 8]));
    }

    #[test]
    fn a_client_is_the_same_key_in_either_form_of_its_address() {
        let client = |address: IpAddr| {
            let mut key = Secret::new(b"0123456789abcdef").key();
            key.client(Prefixes::default().network(address));
            key.finish()
        };
        let v4 = std::net::Ipv4Addr::new(192, 0, 2, 1);
        assert_eq!(client(v4.into()), client(v4.to_ipv6_mapped().into()));
        assert_ne!(client(v4.into()), client(std::net::Ipv4Addr::new(192, 0, 2, 2).into()));
    }

    proptest! {
        #[test]
        fn other_parts_make_another_key(
            one in prop::collection::vec(prop::option::of(prop::collection::vec(0u8..3, 0..4)), 0..4),
            other in prop::collection::vec(prop::option::of(prop::collection::vec(0u8..3, 0..4)), 0..4),
        ) {
            let of = |parts: &[Option<Vec<u8>>]| {
                key(&parts.iter().map(|part| part.as_deref()).collect::<Vec<_>>())
            };
            prop_assert_eq!(one == other, of(&one) == of(&other));
        }
    }
}
