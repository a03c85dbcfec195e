//! Where a store's server is.

use tidegate_core::plan::{Issue, Valkey};

use crate::net::Address;

/// Where a server is, or who tells.
#[derive(Debug)]
pub(super) enum Addresses {
    /// There.
    Server(Address),
    /// One of these tells.
    Sentinels(Vec<Address>),
}

impl Addresses {
    /// Those of a server whose options stand at `at`. What is wrong with them is added to `issues`.
    pub(super) fn read(wanted: &Valkey, at: &str, issues: &mut Vec<Issue>) -> Option<Self> {
        let mut read = |text: &str, option: String| {
            Address::parse(text).map_err(|wrong| issues.push(Issue::new(option, wrong))).ok()
        };
        match (&wanted.address, &wanted.sentinel) {
            (Some(address), None) => read(address, format!("{at}.address")).map(Self::Server),
            (None, Some(sentinel)) => {
                let addresses = sentinel.addresses.iter().enumerate().map(|(index, address)| {
                    read(address, format!("{at}.sentinel.addresses.{index}"))
                });
                addresses.collect::<Option<_>>().map(Self::Sentinels)
            }
            _ => {
                issues.push(Issue::new(at, "expected exactly one of address and sentinel"));
                None
            }
        }
    }
}
