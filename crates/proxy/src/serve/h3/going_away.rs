//! How a connection comes to its end: first the client learns that it should open no more streams, and when it must have
//! heard that, which ones come too late (RFC 9114 §5.2).

use std::task::Context;
use std::time::Duration;

use crate::net::deadline::Deadline;

/// The number of a stream that no client opens.
const ANY: u64 = (1 << 62) - 4;
/// What a client may take to hear of it and heed it: two round trips, but no less than a busy one needs to get to it …
const SHORTEST: Duration = Duration::from_millis(100);
/// … and no more than this, however slow its network is.
const LONGEST: Duration = Duration::from_secs(1);
/// Streams of requests have every fourth number (RFC 9000 §2.1).
const STEP: u64 = 4;

/// How far a connection is on its way to its end.
#[derive(Debug, Default)]
pub struct GoingAway {
    stage: Stage,
    deadline: Deadline,
    /// The index of the next stream of a request.
    next: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    Told,
    Final,
}

impl GoingAway {
    /// Whether the request on the stream of this index is taken.
    pub fn takes(&mut self, index: u64) -> bool {
        if self.stage != Stage::Final {
            self.next = self.next.max(index + 1);
        }
        index < self.next
    }

    /// Go on to the end, where a round trip takes so long. Returns the first stream that is refused, where the client is to
    /// be told one.
    pub fn poll(&mut self, cx: &mut Context<'_>, round_trip: Duration) -> Option<u64> {
        match self.stage {
            Stage::Open => {
                self.stage = Stage::Told;
                self.deadline.ensure((2 * round_trip).clamp(SHORTEST, LONGEST));
                let _ = self.deadline.poll_expired(cx);
                Some(ANY)
            }
            Stage::Told if self.deadline.poll_expired(cx).is_ready() => {
                self.stage = Stage::Final;
                Some(self.next * STEP)
            }
            Stage::Told | Stage::Final => None,
        }
    }

    /// Whether no request is taken any more.
    pub fn is_final(&self) -> bool {
        self.stage == Stage::Final
    }
}
