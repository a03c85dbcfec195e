//! How many connections each client address has.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use parking_lot::Mutex;

/// Locks that the addresses are spread over.
const SHARDS: usize = 16;

/// Open connections by client address. An address without a connection takes no memory.
#[derive(Debug, Default)]
pub struct Clients {
    shards: [Mutex<HashMap<IpAddr, u32>>; SHARDS],
    spread: RandomState,
}

impl Clients {
    /// Count a connection from `address`; false if it has `limit` already.
    pub fn admit(&self, address: IpAddr, limit: u32) -> bool {
        let mut shard = self.shard(address).lock();
        let open = shard.entry(address).or_default();
        if *open >= limit {
            return false;
        }
        *open += 1;
        true
    }

    /// A connection that was admitted ended.
    pub fn leave(&self, address: IpAddr) {
        let mut shard = self.shard(address).lock();
        if let Some(open) = shard.get_mut(&address) {
            *open -= 1;
            if *open == 0 {
                shard.remove(&address);
            }
        }
    }

    fn shard(&self, address: IpAddr) -> &Mutex<HashMap<IpAddr, u32>> {
        let hash = self.spread.hash_one(address) as usize;
        &self.shards[hash % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_client_is_admitted_up_to_its_limit_and_others_beside_it() {
        let clients = Clients::default();
        let (one, other) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        assert!(clients.admit(one, 2) && clients.admit(one, 2) && !clients.admit(one, 2));
        assert!(clients.admit(other, 1));
        clients.leave(one);
        assert!(clients.admit(one, 2));
    }

    #[test]
    fn a_client_that_left_takes_no_memory() {
        let clients = Clients::default();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        clients.admit(address, 1);
        clients.leave(address);
        assert!(clients.shards.iter().all(|shard| shard.lock().is_empty()));
    }
}
