//! Operators of two values, which are applied to each pair: <https://onnx.ai/onnx/operators/>.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Div,
    Max,
    Min,
    Mul,
    Sub,
}

impl Binary {
    /// What is no number leads to one that is none.
    pub(super) fn apply(self, left: &[f32], right: &[f32], results: &mut [f32]) {
        let pairs = Pairs(left, right, results);
        match self {
            Self::Add => pairs.are(|x, y| x + y),
            Self::Div => pairs.are(|x, y| x / y),
            Self::Max => pairs.are(|x, y| if x > y || x.is_nan() { x } else { y }),
            Self::Min => pairs.are(|x, y| if x < y || x.is_nan() { x } else { y }),
            Self::Mul => pairs.are(|x, y| x * y),
            Self::Sub => pairs.are(|x, y| x - y),
        }
    }
}

/// The values on the left and the right, and where results go.
struct Pairs<'v>(&'v [f32], &'v [f32], &'v mut [f32]);

impl Pairs<'_> {
    fn are(self, result_of: impl Fn(f32, f32) -> f32) {
        for (result, (left, right)) in self.2.iter_mut().zip(self.0.iter().zip(self.1)) {
            *result = result_of(*left, *right);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_what_its_name_says() {
        let (left, right) = ([6.0, -1.0, 2.0], [3.0, 4.0, -0.5]);
        for (operator, expected) in [
            (Binary::Add, [9.0, 3.0, 1.5]),
            (Binary::Div, [2.0, -0.25, -4.0]),
            (Binary::Max, [6.0, 4.0, 2.0]),
            (Binary::Min, [3.0, -1.0, -0.5]),
            (Binary::Mul, [18.0, -4.0, -1.0]),
            (Binary::Sub, [3.0, -5.0, 2.5]),
        ] {
            let mut results = [0.0; 3];
            operator.apply(&left, &right, &mut results);
            assert_eq!(results, expected, "{operator:?}");
            for (left, right) in [(f32::NAN, 1.0), (1.0, f32::NAN)] {
                operator.apply(&[left], &[right], &mut results);
                assert!(results[0].is_nan(), "{operator:?} of {left} and {right}");
            }
        }
    }
}
