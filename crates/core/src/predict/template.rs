//! Path templates, learnt from the paths that come.
//!
//! A path is a sequence of segments, of which some are variables: `/users/17/orders`. What looks like an identifier
//! (a number, a UUID, hexadecimal digits, letters and digits in disorder) is a variable at once; another position of
//! a path when it has had some 64 different values. So `/c4` and `/c400` stay apart, and a client that makes paths up
//! ends in one template.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use zerocopy::{FromZeros, KnownLayout};

use super::branch::{below, numbered};
use super::keys::{Keys, Slot};
use super::zeroed::zeroed;
use crate::time::Moment;

/// Positions that are remembered.
const POSITIONS: usize = 1024;
/// Segments that are told apart; those beyond are one variable.
const DEEPEST: usize = 8;
/// Words of a position's bitmap of values.
pub(super) const WORDS: usize = 4;
/// Bits that 64 different values set in a bitmap of 256, by expectation: 256 (1 − e^(−64/256)) (linear counting:
/// Whang et al., TODS 1990).
const MANY: u32 = 57;
/// What stands for a variable in a key.
const VARIABLE: u64 = u64::MAX;
/// Bits of a moment that are left out here: time is told in 69 s.
const TICK: u32 = 36;
/// Segments shorter than this are not taken for random ones.
const LONG: usize = 16;
/// Changes between digits, small and capital letters in a segment that make it random.
const DISORDER: u32 = 4;

/// The path templates of one upstream.
#[derive(Debug)]
pub(super) struct Templates {
    keys: Keys,
    positions: Box<[Position]>,
}

/// A place in paths that begin alike: which values it had, as a bitmap of their hashes.
#[derive(Debug, Default, FromZeros, KnownLayout)]
struct Position {
    values: [AtomicU64; WORDS],
    seen: AtomicU32,
}

impl Templates {
    pub(super) fn new() -> Self {
        Self { keys: Keys::new(POSITIONS), positions: zeroed(POSITIONS) }
    }

    /// The key below `parent` of the template that `path` belongs to, as far as is known; its values are taken in.
    pub(super) fn key(&self, parent: u64, path: &str, now: Moment) -> u64 {
        let mut key = parent;
        let mut segments = path.as_bytes().split(|&byte| byte == b'/');
        for segment in segments.by_ref().take(DEEPEST) {
            // What stands before the first slash, and between two.
            if segment.is_empty() {
                continue;
            }
            let constant = below(key, segment);
            let variable = numbered(key, VARIABLE);
            let varies = is_identifier(segment) || self.varies(variable, constant, now);
            key = if varies { variable } else { constant };
        }
        if segments.next().is_some() { numbered(key, VARIABLE) } else { key }
    }

    /// The positions that are remembered: their keys, and the values that they had.
    pub(super) fn known(&self) -> Vec<(u64, [u64; WORDS])> {
        let values =
            |slot: usize| self.positions[slot].values.each_ref().map(|word| word.load(Relaxed));
        self.keys.all().map(|(key, slot)| (key, values(slot))).collect()
    }

    /// Go on from these [positions](Self::known), as if they were seen `now`.
    pub(super) fn restore(&self, positions: &[(u64, [u64; WORDS])], now: Moment) {
        for (key, values) in positions {
            if let Some(Slot::New(slot)) = self.keys.claim(*key, |_| None) {
                let position = &self.positions[slot];
                for (word, value) in position.values.iter().zip(values) {
                    word.store(*value, Relaxed);
                }
                position.seen.store((now.0 >> TICK) as u32, Relaxed);
            }
        }
    }

    /// Whether the position of this key has had many values, `value` among them. One that cannot be remembered has.
    fn varies(&self, key: u64, value: u64, now: Moment) -> bool {
        let tick = (now.0 >> TICK) as u32;
        let spare = |slot: usize| {
            let seen = self.positions[slot].seen.load(Relaxed);
            (seen + 1 < tick).then_some(seen as f32)
        };
        let position = match self.keys.claim(key, spare) {
            Some(Slot::Known(slot)) => &self.positions[slot],
            Some(Slot::New(slot)) => {
                let position = &self.positions[slot];
                position.values.iter().for_each(|word| word.store(0, Relaxed));
                position
            }
            None => return true,
        };
        if position.seen.load(Relaxed) != tick {
            position.seen.store(tick, Relaxed);
        }
        position.add(value);
        position.has_many()
    }
}

impl Position {
    fn add(&self, value: u64) {
        let word = &self.values[(value >> 6) as usize % WORDS];
        let bit = 1 << (value & 63);
        if word.load(Relaxed) & bit == 0 {
            word.fetch_or(bit, Relaxed);
        }
    }

    fn has_many(&self) -> bool {
        let bits: u32 = self.values.iter().map(|word| word.load(Relaxed).count_ones()).sum();
        bits >= MANY
    }
}

/// Whether a segment names one thing of many, by how it looks.
fn is_identifier(segment: &[u8]) -> bool {
    let first = segment[0];
    // Most segments are words: one byte decides for them, unless they are long.
    if segment.len() < 8 {
        return first.is_ascii_digit() && segment.iter().all(u8::is_ascii_digit);
    }
    let hex = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    segment.iter().all(hex) || (segment.len() >= LONG && is_random(segment))
}

/// Whether letters and digits alternate as they do in no word.
fn is_random(segment: &[u8]) -> bool {
    let (mut changes, mut last) = (0, None);
    for byte in segment {
        let kind = match byte {
            b'0'..=b'9' => 0,
            b'a'..=b'z' => 1,
            b'A'..=b'Z' => 2,
            b'-' | b'_' | b'.' | b'=' => continue,
            _ => return false,
        };
        changes += u32::from(last.replace(kind).is_some_and(|last| last != kind));
    }
    changes >= DISORDER
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_000_000_000);

    fn same(templates: &Templates, one: &str, other: &str) -> bool {
        templates.key(7, one, NOW) == templates.key(7, other, NOW)
    }

    #[test]
    fn what_looks_like_an_identifier_is_a_variable_at_once() {
        let templates = Templates::new();
        for (one, other) in [
            ("/users/17/orders", "/users/4/orders"),
            ("/u/0cc175b9c0f1b6a831c399e269772661", "/u/92eb5ffee6ae2fec3ad71c777531578f"),
            ("/u/6f9619ff-8b86-d011-b42d-00c04fc964ff", "/u/123e4567-e89b-12d3-a456-426614174000"),
            ("/s/dGhpcyBpcyBhIHRva2Vu9x", "/s/Zm9vYmFy4k2jR8sT1qWz"),
        ] {
            assert!(same(&templates, one, other), "{one} {other}");
        }
    }

    #[test]
    fn words_and_what_is_numbered_like_a_word_stay_apart() {
        let templates = Templates::new();
        for (one, other) in [
            ("/c4", "/c400"),
            ("/users", "/orders"),
            ("/annual-report-2023-final", "/annual-report-2024-final"),
            ("/users/1", "/users/1/orders"),
            ("/cafe", "/face"),
        ] {
            assert!(!same(&templates, one, other), "{one} {other}");
        }
    }

    #[test]
    fn a_position_with_many_values_is_a_variable_and_others_are_not() {
        let templates = Templates::new();
        (0..100).for_each(|n| _ = templates.key(7, &format!("/tag/x{n}y/posts"), NOW));
        assert!(same(&templates, "/tag/apple/posts", "/tag/pear/posts"));
        assert!(!same(&templates, "/tag/apple/posts", "/tag/apple/likes"));
        assert!(!same(&templates, "/tag", "/bag"));
    }

    #[test]
    fn slashes_more_or_less_are_the_same_path() {
        assert!(same(&Templates::new(), "/a//b/", "/a/b"));
    }

    #[test]
    fn paths_that_are_made_up_end_in_few_templates() {
        let templates = Templates::new();
        let mut random = crate::balance::SplitMix64::new(1);
        let mut made = || {
            let segment = |random: &mut crate::balance::SplitMix64| format!("z{}z", random.next());
            format!("/{}/{}/{}", segment(&mut random), segment(&mut random), segment(&mut random))
        };
        let known: std::collections::HashSet<u64> =
            (0..20_000).map(|_| templates.key(7, &made(), NOW)).collect();
        assert!(known.len() < 20_000 / 10, "{}", known.len());
        let late: std::collections::HashSet<u64> =
            (0..1_000).map(|_| templates.key(7, &made(), NOW)).collect();
        assert_eq!(late.len(), 1);
    }
}
