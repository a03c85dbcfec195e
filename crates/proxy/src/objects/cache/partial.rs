//! Parts of a body whose rest is not there (RFC 9111 §3.3).

use std::ops::Range;
use std::sync::Arc;

use tidegate_core::cache::gaps::{gaps, hull};
use tidegate_core::cache::range::{Parts, Selected};

use super::fill::Fill;
use super::pieces::Pieces;
use crate::http::body::Body;

/// Most parts of a body that are kept apart from each other.
const MOST: usize = 64;

/// Parts of a body.
#[derive(Debug, Clone)]
pub struct Partial {
    /// Bytes of the whole.
    length: u64,
    /// In their order; no two overlap.
    parts: Arc<[Part]>,
}

/// Parts of a body that were put together.
#[derive(Debug, Clone)]
pub enum Joined {
    /// They are all of it.
    Whole(Pieces),
    /// Some of it is not there.
    Parts(Partial),
}

#[derive(Debug, Clone)]
struct Part {
    range: Range<u64>,
    bytes: Bytes,
}

/// Where the bytes of a part are.
#[derive(Debug, Clone)]
enum Bytes {
    /// They are there.
    There(Pieces),
    /// They come in a body that begins at this byte of the whole.
    Coming(Arc<Fill>, u64),
}

impl Partial {
    /// Nothing yet of a body of so many bytes.
    pub fn nothing(length: u64) -> Self {
        Self { length, parts: Arc::new([]) }
    }

    /// The same, with what comes of this range.
    #[must_use]
    pub fn coming(&self, range: &Range<u64>, fill: &Arc<Fill>) -> Self {
        self.with(range, |_| Bytes::Coming(fill.clone(), range.start))
    }

    /// The same, with what it lacks of this range.
    fn with(&self, range: &Range<u64>, bytes: impl Fn(&Range<u64>) -> Bytes) -> Self {
        let part = |gap: Range<u64>| Part { bytes: bytes(&gap), range: gap };
        let mut parts = self.parts.to_vec();
        parts.extend(self.missing(range).into_iter().map(part));
        parts.sort_unstable_by_key(|part| part.range.start);
        Self { parts: parts.into(), ..*self }
    }

    /// Bytes of the whole.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What it lacks of `wanted`.
    pub fn missing(&self, wanted: &Range<u64>) -> Parts {
        gaps(self.parts.iter().map(|part| part.range.clone()), wanted)
    }

    /// What it lacks of what is `selected`, as one range; `None` where it lacks nothing.
    pub fn lacks(&self, selected: &Selected) -> Option<Range<u64>> {
        let missing: Parts = match selected {
            Selected::Whole => self.missing(&(0..self.length)),
            Selected::Parts(parts) => parts.iter().flat_map(|part| self.missing(part)).collect(),
            Selected::Unsatisfiable => Parts::new(),
        };
        hull(&missing)
    }

    /// Bytes that are there or come.
    pub fn held(&self) -> u64 {
        self.parts.iter().map(|part| part.range.end - part.range.start).sum()
    }

    /// What it takes in memory.
    pub fn weight(&self) -> u64 {
        let there = |part: &Part| match &part.bytes {
            Bytes::There(pieces) => pieces.weight(),
            Bytes::Coming(..) => 0,
        };
        size_of_val(&*self.parts) as u64 + self.parts.iter().map(there).sum::<u64>()
    }

    /// These bytes, as a body; `None` where it lacks some, or the first of what comes is gone.
    pub fn part(&self, range: &Range<u64>) -> Option<Body> {
        if !self.missing(range).is_empty() {
            return None;
        }
        let bodies = self.parts.iter().filter_map(|part| {
            let wanted = part.range.start.max(range.start)..part.range.end.min(range.end);
            let within = |begin: u64| wanted.start - begin..wanted.end - begin;
            (!wanted.is_empty()).then(|| match &part.bytes {
                Bytes::There(pieces) => Some(pieces.part(within(part.range.start))),
                Bytes::Coming(fill, begin) => fill.part(within(*begin)).map(Body::stream),
            })
        });
        let mut bodies = bodies.collect::<Option<Vec<_>>>()?;
        Some(if bodies.len() == 1 { bodies.remove(0) } else { Body::joined(bodies) })
    }

    /// The same, after all has come that was to come.
    pub fn come(&self) -> Joined {
        let there = |part: &Part| match &part.bytes {
            Bytes::There(pieces) => pieces.clone(),
            Bytes::Coming(fill, begin) => {
                fill.pieces().slice(part.range.start - begin..part.range.end - begin)
            }
        };
        let parts = self.parts.iter().map(|part| (part.range.clone(), there(part)));
        Self::of(self.length, parts)
    }

    /// What the two have together, which are of the same body and have nothing that comes.
    pub fn joined(&self, other: &Self) -> Joined {
        let mut all = self.clone();
        for part in &*other.parts {
            let Bytes::There(pieces) = &part.bytes else { continue };
            let begin = part.range.start;
            let bytes =
                |gap: &Range<u64>| Bytes::There(pieces.slice(gap.start - begin..gap.end - begin));
            all = all.with(&part.range, bytes);
        }
        let joined = all.come();
        match &joined {
            Joined::Parts(joined) if joined.parts.len() > MOST => Joined::Parts(self.clone()),
            _ => joined,
        }
    }

    /// A body of these parts, of which those are put together that touch each other.
    fn of(length: u64, parts: impl Iterator<Item = (Range<u64>, Pieces)>) -> Joined {
        let mut runs: Vec<(Range<u64>, Vec<Pieces>)> = Vec::new();
        for (range, pieces) in parts {
            match runs.last_mut() {
                Some((last, all)) if last.end == range.start => {
                    last.end = range.end;
                    all.push(pieces);
                }
                _ => runs.push((range, vec![pieces])),
            }
        }
        let mut parts = runs.into_iter().map(|(range, pieces)| {
            let pieces = Pieces::joined(&pieces);
            Part { range, bytes: Bytes::There(pieces) }
        });
        let parts: Arc<[Part]> = parts.by_ref().collect();
        match &*parts {
            [Part { range, bytes: Bytes::There(all) }] if *range == (0..length) => {
                Joined::Whole(all.clone())
            }
            _ => Joined::Parts(Self { length, parts }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::body::testing::read;

    const LENGTH: u64 = 100;

    fn text() -> bytes::Bytes {
        (0..LENGTH).map(|at| b'a' + (at % 23) as u8).collect()
    }

    /// With what came of this range, piece by piece.
    fn add(content: &Joined, range: &Range<u64>, piece: usize) -> Joined {
        let Joined::Parts(partial) = content else { panic!("it is whole") };
        let fill = Fill::new(None);
        let coming = partial.coming(range, &fill);
        let came = text().slice(range.start as usize..range.end as usize);
        came.chunks(piece).for_each(|piece| fill.push(bytes::Bytes::copy_from_slice(piece)));
        fill.end(Ok(None));
        coming.come()
    }

    fn whole_or(content: &Joined, range: &Range<u64>) -> Option<String> {
        match content {
            Joined::Parts(partial) => partial.part(range),
            Joined::Whole(pieces) => Some(pieces.part(range.clone())),
        }
        .map(|mut body| read(&mut body).0)
    }

    fn held(joined: &Joined) -> u64 {
        match joined {
            Joined::Parts(partial) => partial.held(),
            Joined::Whole(pieces) => pieces.length(),
        }
    }

    proptest! {
        #[test]
        fn parts_are_put_together_as_they_are_of_the_whole(
            came in prop::collection::vec((0..LENGTH, 1u64..40, 1usize..20), 1..8),
            (from, count) in (0..LENGTH, 1u64..40),
            splits in any::<bool>(),
        ) {
            let nothing = Joined::Parts(Partial::nothing(LENGTH));
            let (mut one, mut other, mut is_held) = (nothing.clone(), nothing, [false; LENGTH as usize]);
            for (number, (from, count, piece)) in came.iter().enumerate() {
                let range = *from..LENGTH.min(from + count);
                let to = if splits && number % 2 == 1 { &mut other } else { &mut one };
                if matches!(to, Joined::Parts(_)) {
                    *to = add(to, &range, *piece);
                }
                is_held[range.start as usize..range.end as usize].fill(true);
            }
            let all = match (&one, &other) {
                (Joined::Parts(one), Joined::Parts(other)) => one.joined(other),
                (Joined::Whole(_), _) => one,
                _ => other,
            };
            let wanted = from..LENGTH.min(from + count);
            let (from, to) = (wanted.start as usize, wanted.end as usize);
            let right = is_held[from..to].iter().all(|held| *held).then(|| {
                String::from_utf8(text()[from..to].to_vec()).unwrap()
            });
            prop_assert_eq!(whole_or(&all, &wanted), right);
            prop_assert_eq!(held(&all), is_held.iter().filter(|held| **held).count() as u64);
            prop_assert_eq!(matches!(all, Joined::Whole(_)), is_held.iter().all(|held| *held));
        }
    }

    #[test]
    fn what_is_there_and_what_comes_are_read_as_one() {
        let held = add(&Joined::Parts(Partial::nothing(LENGTH)), &(10..20), 3);
        let Joined::Parts(held) = held else { panic!("it is a part") };
        let fill = Fill::new(Some(90));
        let coming = held.coming(&(5..95), &fill);
        assert!(held.part(&(5..20)).is_none() && coming.part(&(4..20)).is_none());
        let mut body = coming.part(&(8..22)).unwrap();
        let (text, right) = (text(), |range: Range<usize>| text().slice(range));
        fill.push(right(5..21));
        assert_eq!(read(&mut body), (String::from_utf8(text[8..21].to_vec()).unwrap(), None));
        fill.end(Err(tidegate_core::failure::Failure::UpstreamReset));
        assert!(matches!(read(&mut body).1, Some(Err(_))));
    }

    #[test]
    fn no_more_parts_than_are_told_apart_are_kept() {
        let mut all = Partial::nothing(10_000);
        for number in 0..2 * MOST as u64 {
            let bytes =
                |_: &Range<u64>| Bytes::There([bytes::Bytes::from("x")].into_iter().collect());
            let newer = Partial::nothing(10_000).with(&(2 * number..2 * number + 1), bytes);
            let Joined::Parts(joined) = newer.joined(&all) else { panic!("it is a part") };
            assert!(
                joined.parts.len() <= MOST && joined.part(&(2 * number..2 * number + 1)).is_some()
            );
            all = joined;
        }
    }
}
