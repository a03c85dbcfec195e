//! A body that is all there, in pieces which its readers share.

use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::http::body::{Body, Frame, NextFrame, Source};

/// Bytes of a piece at the most, where pieces are joined. A piece is one write, and each write wakes its client: in four
/// pieces this much takes nearly twice the processor time.
const PIECE: usize = 1 << 20;

/// A body in pieces, which its readers share.
#[derive(Debug, Clone)]
pub enum Pieces {
    /// Most are one, which needs no list.
    One(Piece),
    /// Those of a long one, or none.
    Many(Arc<[Piece]>),
}

/// Some bytes of a body.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Where it ends, in bytes from the beginning.
    end: u64,
    data: Bytes,
}

impl From<Vec<Piece>> for Pieces {
    fn from(mut pieces: Vec<Piece>) -> Self {
        match pieces.pop() {
            Some(only) if pieces.is_empty() => Self::One(only),
            last => {
                pieces.extend(last);
                Self::Many(pieces.into())
            }
        }
    }
}

impl From<Bytes> for Pieces {
    fn from(data: Bytes) -> Self {
        let end = data.len() as u64;
        if end > 0 { Self::One(Piece { end, data }) } else { Self::default() }
    }
}

impl Default for Pieces {
    fn default() -> Self {
        Self::Many(Arc::default())
    }
}

impl FromIterator<Bytes> for Pieces {
    fn from_iter<T: IntoIterator<Item = Bytes>>(came: T) -> Self {
        Self::new(came.into_iter().collect())
    }
}

impl Pieces {
    /// Of what came piece by piece. Small ones that follow one another are joined.
    pub fn new(mut came: Vec<Bytes>) -> Self {
        let (mut pieces, mut end, mut rest) = (Vec::new(), 0, &mut *came);
        while let Some(count) = joinable(rest) {
            let (first, after) = rest.split_at_mut(count);
            let data = match first {
                [only] => std::mem::take(only),
                several => several.concat().into(),
            };
            end += data.len() as u64;
            pieces.push(Piece { end, data });
            rest = after;
        }
        pieces.into()
    }

    fn all(&self) -> &[Piece] {
        match self {
            Self::One(piece) => std::slice::from_ref(piece),
            Self::Many(pieces) => pieces,
        }
    }

    /// All of `parts`, one after the other.
    pub fn joined(parts: &[Self]) -> Self {
        match parts {
            [only] => only.clone(),
            parts => Self::new(
                parts.iter().flat_map(|part| part.all()).map(|piece| piece.data.clone()).collect(),
            ),
        }
    }

    /// These bytes of it, which there must be. What is cut from a piece has an allocation of its own.
    pub fn slice(&self, range: Range<u64>) -> Self {
        if range == (0..self.length()) {
            return self.clone();
        }
        let mut part = Part { next: self.at(range.start), pieces: self.clone(), range };
        let mut slices = Vec::new();
        while let Some(data) = part.take() {
            let piece = &self.all()[part.next - 1].data;
            let is_cut = data.len() < piece.len();
            slices.push(if is_cut { Bytes::copy_from_slice(&data) } else { data });
        }
        Self::new(slices)
    }

    /// A copy that shares nothing with it.
    pub fn copied(&self) -> Self {
        let copy =
            |piece: &Piece| Piece { end: piece.end, data: Bytes::copy_from_slice(&piece.data) };
        self.all().iter().map(copy).collect::<Vec<_>>().into()
    }

    /// Its bytes.
    pub fn length(&self) -> u64 {
        self.all().last().map_or(0, |last| last.end)
    }

    /// What it takes in memory.
    pub fn weight(&self) -> u64 {
        self.length() + std::mem::size_of_val(self.all()) as u64
    }

    /// Its pieces.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        self.all().iter().map(|piece| &*piece.data)
    }

    /// These bytes of it, which there must be, as a body.
    pub fn part(&self, range: Range<u64>) -> Body {
        let mut part = Part { next: self.at(range.start), pieces: self.clone(), range };
        match part.take() {
            None => Body::Empty,
            Some(only) if part.range.is_empty() => Body::Full(only),
            Some(first) => {
                part.range.start -= first.len() as u64;
                part.next -= 1;
                Body::stream(part)
            }
        }
    }

    /// The place of the piece that has this byte.
    fn at(&self, byte: u64) -> usize {
        self.all().partition_point(|piece| piece.end <= byte)
    }
}

/// How many of the first pieces are joined into one; `None` where there are none.
fn joinable(pieces: &[Bytes]) -> Option<usize> {
    let ends = pieces.iter().scan(0, |end, piece| {
        *end += piece.len();
        Some(*end)
    });
    (!pieces.is_empty()).then(|| ends.take_while(|&end| end <= PIECE).count().max(1))
}

/// Some bytes of a body that are read one piece after the other.
struct Part {
    pieces: Pieces,
    next: usize,
    range: Range<u64>,
}

impl Part {
    fn take(&mut self) -> Option<Bytes> {
        if self.range.is_empty() {
            return None;
        }
        let Piece { end, data } = self.pieces.all().get(self.next)?;
        let begin = end - data.len() as u64;
        let from = (self.range.start - begin) as usize;
        let to = (self.range.end.min(*end) - begin) as usize;
        self.next += 1;
        self.range.start = begin + to as u64;
        Some(data.slice(from..to))
    }
}

impl Source for Part {
    fn poll_frame(&mut self, _: &mut Context<'_>) -> NextFrame {
        Poll::Ready(self.take().map(|data| Ok(Frame::Data(data))))
    }

    fn is_end(&self) -> bool {
        self.range.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::body::testing::read;

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|at| b'a' + (at % 23) as u8).collect()
    }

    proptest! {
        #[test]
        fn any_part_of_a_body_is_read_as_it_came(
            sizes in prop::collection::vec(1usize..800_000, 0..6),
            from in 0.0f64..1.0,
            to in 0.0f64..1.0,
        ) {
            let length: usize = sizes.iter().sum();
            let all = Bytes::from(text(length));
            let mut rest = all.clone();
            let pieces = Pieces::new(sizes.iter().map(|&size| rest.split_to(size)).collect());
            prop_assert_eq!(pieces.length(), length as u64);
            let (from, to) = (from.min(to) * length as f64, from.max(to) * length as f64);
            let (from, to) = (from as usize, to as usize);
            let mut body = pieces.part(from as u64..to as u64);
            prop_assert_eq!(body.is_end(), from == to);
            let (part, end) = read(&mut body);
            prop_assert_eq!(part.as_bytes(), &all[from..to]);
            prop_assert_eq!(end, Some(Ok(())));
            let cut = [0..from, from..to, to..length]
                .map(|range| pieces.slice(range.start as u64..range.end as u64));
            prop_assert_eq!(cut[1].slices().collect::<Vec<_>>().concat(), &all[from..to]);
            prop_assert_eq!(Pieces::joined(&cut).slices().collect::<Vec<_>>().concat(), &all[..]);
        }
    }

    #[test]
    fn small_pieces_are_joined() {
        let pieces = Pieces::new(vec![Bytes::from(text(10)); 320_000]);
        assert_eq!(pieces.length(), 3_200_000);
        assert_eq!(pieces.all().len(), 4);
        assert!(pieces.all().iter().all(|piece| piece.data.len() <= PIECE));
    }
}
