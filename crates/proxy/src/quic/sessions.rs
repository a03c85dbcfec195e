//! Sessions that clients go on with by early data (RFC 8446 §2.3).

use std::num::NonZeroU32;
use std::sync::Arc;

use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};
use tidegate_core::plan::{HeadSize, Listener};

/// Sessions remembered, for all workers together; a client has two.
const REMEMBERED: usize = 20_000;

/// What a listener remembers of its clients that may send early data. A session is given out once, so that what is sent
/// again is not taken again (RFC 8446 §8.1): the memory is that of all workers, and lives through reloads.
#[derive(Debug, Clone)]
pub struct EarlySessions {
    /// The sessions.
    pub memory: Arc<dyn StoresServerSessions>,
    promised: Promised,
}

/// What a client that sends early data goes by: what it was told when its session began, which has to hold still
/// (RFC 9000 §7.4.1, RFC 9114 §7.2.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Promised {
    streams: NonZeroU32,
    head: HeadSize,
}

impl EarlySessions {
    /// Those of a listener, where it takes early data: what it had `before`, as far as what clients were told holds.
    pub fn of(plan: &Listener, before: Option<&Self>) -> Option<Self> {
        let limits = &plan.limits;
        let promised = Promised { streams: limits.streams, head: limits.header_bytes };
        let new = || Self { memory: ServerSessionMemoryCache::new(REMEMBERED), promised };
        let kept = || before.filter(|before| before.promised == promised).cloned();
        plan.http3.early_data.then(|| kept().unwrap_or_else(new))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::testing;

    fn listener(early_data: bool, streams: NonZeroU32) -> Listener {
        let mut listener = Listener::clone(&testing::plan().listeners[0]);
        listener.http3.early_data = early_data;
        listener.limits.streams = streams;
        listener
    }

    #[test]
    fn sessions_stay_as_long_as_what_clients_were_told() {
        let (two, three) = (NonZeroU32::MIN.saturating_add(1), NonZeroU32::MIN.saturating_add(2));
        let first = EarlySessions::of(&listener(true, two), None);
        let stays = |sessions: Option<EarlySessions>| {
            let both = first.as_ref().zip(sessions.as_ref());
            both.is_some_and(|(one, other)| Arc::ptr_eq(&one.memory, &other.memory))
        };
        assert!(stays(EarlySessions::of(&listener(true, two), first.as_ref())));
        assert!(!stays(EarlySessions::of(&listener(true, three), first.as_ref())));
        assert!(EarlySessions::of(&listener(false, two), first.as_ref()).is_none());
    }
}
