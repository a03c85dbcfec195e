//! What is served now.

use std::sync::{Arc, Weak};

use super::Overtaken;
use super::change::{self, Prepared};
use crate::account::Accounts;
use crate::net::{Address, Binding, UdpSockets};
use crate::snapshot::{Listener, Snapshot};
use crate::upstream::live::LiveEndpoints;

/// What is served now.
pub(super) struct Serving {
    /// Counts commits, so that a prepared change that was overtaken is noticed.
    pub(super) generation: u64,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) listeners: Vec<Bound>,
    /// Sockets on which nothing listens any more, while connections on them end.
    parting: Vec<(Address, Weak<UdpSockets>)>,
}

/// A listener with a handle of each worker's socket, from which a worker that starts anew is given its own.
pub(super) struct Bound {
    pub(super) listener: Arc<Listener>,
    pub(super) binding: Binding,
}

/// What a commit leaves to be done with listeners, by id.
pub(super) struct Turnover {
    /// They are new.
    pub(super) opened: Vec<u64>,
    /// They are gone.
    pub(super) closed: Vec<u64>,
    /// What was served before: to be let go of when no worker decides by it any more, so that it is not the
    /// workers that take it apart.
    pub(super) before: Arc<Snapshot>,
}

impl Serving {
    /// Nothing but this.
    pub(super) fn begin(snapshot: Snapshot) -> Self {
        let (listeners, parting) = (Vec::new(), Vec::new());
        Self { generation: 0, snapshot: Arc::new(snapshot), listeners, parting }
    }

    /// Serve what was prepared, and mark what is served no more.
    pub(super) fn replace(
        &mut self,
        prepared: Prepared,
        live: &LiveEndpoints,
        accounts: &Accounts,
    ) -> Result<Turnover, Overtaken> {
        if self.generation != prepared.base {
            return Err(Overtaken);
        }
        self.generation += 1;
        let before = std::mem::replace(&mut self.snapshot, prepared.snapshot);
        change::take_over(&before, &self.snapshot, live, accounts);
        let mut old = std::mem::take(&mut self.listeners);
        let (mut opened, mut closed) = (Vec::new(), Vec::new());
        for wanted in prepared.listeners {
            let rights = wanted.settings.rights;
            wanted.listener.serve_by(wanted.settings);
            let id = wanted.listener.id;
            match old.iter().position(|bound| bound.listener.id == id) {
                Some(position) => self.listeners.push(old.swap_remove(position)),
                None => {
                    opened.push(id);
                    let listener = wanted.listener;
                    let mut binding = wanted.binding.unwrap_or_default();
                    if let Some(predecessor) = take_address(&mut old, &listener.address) {
                        closed.push(predecessor.listener.id);
                        listener.put_rights(rights);
                        let before = predecessor.binding.datagrams.clone();
                        binding = binding.join(predecessor.binding, listener.transports);
                        if binding.datagrams.is_none() {
                            self.part(&listener.address, before);
                        }
                    }
                    self.listeners.push(Bound { listener, binding });
                }
            }
        }
        closed.extend(old.iter().map(|bound| bound.listener.id));
        for Bound { listener, binding } in old {
            self.part(&listener.address, binding.datagrams);
        }
        Ok(Turnover { opened, closed, before })
    }

    /// Connections may be left on these sockets, on which nothing listens any more.
    fn part(&mut self, address: &Address, sockets: Option<Arc<UdpSockets>>) {
        let Some(sockets) = sockets else { return };
        self.parting.retain(|(other, sockets)| other != address && sockets.strong_count() > 0);
        self.parting.push((address.clone(), Arc::downgrade(&sockets)));
    }

    /// Sockets on which nothing listens any more, with connections on them, for those that listen there next.
    pub(super) fn parting(&self) -> Vec<(Address, Arc<UdpSockets>)> {
        let alive = |(address, sockets): &(Address, Weak<UdpSockets>)| {
            Some((address.clone(), sockets.upgrade()?))
        };
        self.parting.iter().filter_map(alive).collect()
    }
}

/// The listener of `address`, which goes over to another one with the connections that wait there.
fn take_address(listeners: &mut Vec<Bound>, address: &Address) -> Option<Bound> {
    let position = listeners.iter().position(|bound| bound.listener.address == *address)?;
    Some(listeners.swap_remove(position))
}
