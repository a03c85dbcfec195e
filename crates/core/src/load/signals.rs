//! What a policy reads of an endpoint's load.

/// What a balancing policy reads of an endpoint beyond its requests in flight and its failures. What is not read
/// is not kept up to date: each signal costs something at the end of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signals(u8);

impl Signals {
    /// Nothing more.
    pub const NONE: Self = Self(0);
    /// The mean latency that jumps up ([`Load::peak`](super::Load::peak)).
    pub const PEAK: Self = Self(1);
    /// The latency at each level of load ([`Levels`](super::Levels)).
    pub const LEVELS: Self = Self(2);
    /// How many requests it works on at a time and how quick it is ([`Foreseen`](super::Foreseen)).
    pub const WORKERS: Self = Self(4);
    /// What it reports of its own load ([`Report`](super::Report)).
    pub const REPORTS: Self = Self(8);
    #[cfg(test)]
    pub(super) const ALL: Self = Self(15);

    /// These and `others`.
    #[must_use]
    pub const fn union(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether all of `others` are among these.
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// As a number, to be kept in an atomic.
    pub(super) const fn bits(self) -> u8 {
        self.0
    }

    /// What [`bits`](Self::bits) gave.
    pub(super) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }
}
