//! The shape of tensors and of what is computed.

use std::fmt;

/// Dimensions at most.
const MOST_DIMENSIONS: usize = 4;
/// Values at most: as many as a file may have.
const MOST_VALUES: usize = 1 << 18;

/// Dimensions, of which none is 0. Without any it is that of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape(Vec<usize>);

impl Shape {
    /// None if there are too many dimensions or values.
    pub(super) fn new(dimensions: Vec<usize>) -> Option<Self> {
        let size = |size: usize, dimension: &usize| size.checked_mul(*dimension);
        let size = dimensions.iter().try_fold(1, size)?;
        let is_small = (1..=MOST_VALUES).contains(&size) && dimensions.len() <= MOST_DIMENSIONS;
        is_small.then_some(Self(dimensions))
    }

    /// That of one row of so many values.
    pub(super) fn row(count: usize) -> Self {
        Self(vec![1, count])
    }

    /// That of dimensions as they stand in files.
    pub(super) fn read(dimensions: &[i64]) -> Option<Self> {
        let dimension = |dimension: &i64| usize::try_from(*dimension).ok();
        Self::new(dimensions.iter().map(dimension).collect::<Option<_>>()?)
    }

    pub(super) fn dimensions(&self) -> &[usize] {
        &self.0
    }

    /// How many values there are.
    pub(super) fn size(&self) -> usize {
        self.0.iter().product()
    }

    /// The shape of what an operator gives for each pair of values, where dimensions of 1 are repeated:
    /// <https://github.com/onnx/onnx/blob/main/docs/Broadcasting.md>.
    pub(super) fn broadcast(&self, other: &Self) -> Option<Self> {
        let rank = self.0.len().max(other.0.len());
        let dimension = |place| match (self.at(place, rank), other.at(place, rank)) {
            (one, another) if one == another || another == 1 => Some(one),
            (1, another) => Some(another),
            _ => None,
        };
        Self::new((0..rank).map(dimension).collect::<Option<_>>()?)
    }

    /// For each value of the shape `to`, which this one is broadcast to, the place of the one that it repeats.
    pub(super) fn places(&self, to: &Self) -> Vec<usize> {
        let rank = to.0.len();
        let mut places = vec![0];
        for (dimension, count) in to.0.iter().enumerate() {
            let own = self.at(dimension, rank);
            let next = |place: &usize| {
                let first = place * own;
                (0..*count).map(move |index| first + if own == 1 { 0 } else { index })
            };
            places = places.iter().flat_map(next).collect();
        }
        places
    }

    /// The dimension at `place` of `rank`, of which the first are 1 where there are fewer.
    fn at(&self, place: usize, rank: usize) -> usize {
        (place + self.0.len()).checked_sub(rank).map_or(1, |place| self.0[place])
    }

    /// With these dimensions: −1 stands for what is left, and 0 for the dimension of before.
    pub(super) fn reshape(&self, to: &[i64]) -> Option<Self> {
        let known = |(place, dimension): (usize, &i64)| match dimension {
            -1 => Some(1),
            0 => self.0.get(place).copied(),
            given => usize::try_from(*given).ok(),
        };
        let mut dimensions = to.iter().enumerate().map(known).collect::<Option<Vec<_>>>()?;
        let size = Self::new(dimensions.clone())?.size();
        let mut open = to.iter().enumerate().filter(|(_, dimension)| **dimension == -1);
        if let Some((place, _)) = open.next() {
            dimensions[place] = self.size() / size;
        }
        let reshaped = Self::new(dimensions)?;
        (open.next().is_none() && reshaped.size() == self.size()).then_some(reshaped)
    }

    /// With two dimensions: those before `axis`, and those from it on.
    pub(super) fn flatten(&self, axis: i64) -> Option<Self> {
        let axis = self.axis(axis, self.0.len())?;
        let (before, behind) = self.0.split_at(axis);
        Self::new(vec![before.iter().product(), behind.iter().product()])
    }

    /// Without these dimensions, which are 1; without all that are 1 if none is said.
    pub(super) fn squeeze(&self, axes: Option<&[i64]>) -> Option<Self> {
        let axes = match axes {
            Some(axes) => axes
                .iter()
                .map(|axis| self.axis(*axis, self.0.len().checked_sub(1)?))
                .collect::<Option<Vec<_>>>()?,
            None => (0..self.0.len()).filter(|axis| self.0[*axis] == 1).collect(),
        };
        let left = self.0.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
        let left = left.map(|(_, dimension)| *dimension).collect();
        Self::new(left).filter(|squeezed| squeezed.size() == self.size())
    }

    /// The place that `axis` means, at most `most`; below 0 it is counted from the end.
    fn axis(&self, axis: i64, most: usize) -> Option<usize> {
        let from = if axis < 0 { i64::try_from(self.0.len()).ok()? } else { 0 };
        usize::try_from(axis.checked_add(from)?).ok().filter(|axis| *axis <= most)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dimensions: &[i64]) -> Option<Shape> {
        Shape::read(dimensions)
    }

    #[test]
    fn a_shape_has_few_dimensions_and_few_values() {
        for refused in
            [&[0, 3][..], &[-1, 4], &[1 << 40], &[i64::MAX, i64::MAX], &[1, 1, 1, 1, 1], &[1 << 19]]
        {
            assert_eq!(shape(refused), None, "{refused:?}");
        }
        assert_eq!(shape(&[]).map(|one| one.size()), Some(1));
        assert_eq!(shape(&[2, 3]).map(|six| six.size()), Some(6));
    }

    #[test]
    fn dimensions_of_one_are_repeated() {
        for (one, another, both) in [
            (&[1, 3][..], &[3][..], Some(&[1, 3][..])),
            (&[2, 1], &[3], Some(&[2, 3])),
            (&[], &[1, 4], Some(&[1, 4])),
            (&[1, 3], &[2], None),
            (&[1 << 10, 1], &[1 << 10], None),
        ] {
            let broadcast = |one: &[i64], another| shape(one)?.broadcast(&shape(another)?);
            assert_eq!(broadcast(one, another), both.and_then(shape), "{one:?} {another:?}");
            assert_eq!(broadcast(another, one), both.and_then(shape), "{another:?} {one:?}");
        }
        let places = |one: &[i64], to| Some(shape(one)?.places(&shape(to)?));
        assert_eq!(places(&[3], &[2, 3]), Some(vec![0, 1, 2, 0, 1, 2]));
        assert_eq!(places(&[2, 1], &[2, 3]), Some(vec![0, 0, 0, 1, 1, 1]));
        assert_eq!(places(&[], &[1, 2]), Some(vec![0, 0]));
    }

    #[test]
    fn what_is_reshaped_has_the_same_values() {
        for (from, to, reshaped) in [
            (&[1, 6][..], &[2, 3][..], Some(&[2, 3][..])),
            (&[1, 6], &[-1, 2], Some(&[3, 2])),
            (&[1, 6], &[0, -1], Some(&[1, 6])),
            (&[1, 6], &[], None),
            (&[1, 1], &[], Some(&[])),
            (&[1, 6], &[-1, -1], None),
            (&[1, 6], &[4, -1], None),
            (&[1, 6], &[1, 6, 0], None),
            (&[1, 6], &[-2, -3], None),
            (&[1, 6], &[i64::MAX, i64::MAX], None),
        ] {
            let found = shape(from).and_then(|from| from.reshape(to));
            assert_eq!(found, reshaped.and_then(shape), "{from:?} {to:?}");
        }
    }

    #[test]
    fn dimensions_are_joined_and_dropped_by_their_place_from_either_end() {
        let flat = |axis| shape(&[1, 2, 3])?.flatten(axis);
        assert_eq!(flat(0), shape(&[1, 6]));
        assert_eq!(flat(2), shape(&[2, 3]));
        assert_eq!(flat(-2), shape(&[1, 6]));
        assert_eq!(flat(3), shape(&[6, 1]));
        assert_eq!((flat(4), flat(-4), flat(i64::MIN)), (None, None, None));
        let squeezed = |axes| shape(&[1, 2, 1])?.squeeze(axes);
        assert_eq!(squeezed(None), shape(&[2]));
        assert_eq!(squeezed(Some(&[-1][..])), shape(&[1, 2]));
        assert_eq!(squeezed(Some(&[1][..])), None);
        assert_eq!(squeezed(Some(&[3][..])), None);
    }
}
