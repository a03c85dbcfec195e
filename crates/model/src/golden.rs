//! Golden vectors: inputs, and what the library that trained a model said of them.

use tidegate_core::predict::features::{COUNT, Features, Schema};

use super::refusal::Refusal;

/// Vectors that a model comes with.
const VECTORS: usize = 256;
/// Numbers of a vector: the features, and the answer.
const WIDTH: usize = COUNT + 1;
/// How far an answer may be off, absolutely and relatively.
const TOLERANCE: f32 = 1e-4;
/// What an input never is, but for a mistake.
const ODD: [f32; 3] = [f32::NAN, 1e30, -1e30];

/// Inputs, and what was said of them.
#[derive(Debug)]
pub(super) struct Golden(Vec<(Features, f32)>);

impl Golden {
    pub(super) fn read(file: &[u8]) -> Result<Self, Refusal> {
        let expected = VECTORS * WIDTH * size_of::<f32>();
        if file.len() != expected {
            let wrong = format!("has {} bytes: expected {expected}", file.len());
            return Err(Refusal::Vectors(wrong));
        }
        let vectors: Vec<_> = numbers(file)
            .as_chunks::<WIDTH>()
            .0
            .iter()
            .map(|row| (std::array::from_fn(|place| row[place]), row[COUNT]))
            .collect();
        let is_finite = |(inputs, said): &(Features, f32)| {
            inputs.iter().chain([said]).all(|number| number.is_finite())
        };
        if !vectors.iter().all(is_finite) {
            return Err(Refusal::Vectors("has a number that is not finite".into()));
        }
        Ok(Self(vectors))
    }

    /// The inputs.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Features> + Clone {
        self.0.iter().map(|(inputs, _)| inputs)
    }

    /// Whether `answer` says what was said.
    pub(super) fn check(&self, answer: impl Fn(&Features) -> f32) -> Result<(), Refusal> {
        for (row, (inputs, said)) in self.0.iter().enumerate() {
            let (answer, said) = (answer(inputs), *said);
            // What is no number is not near.
            let is_near = (answer - said).abs() <= TOLERANCE + TOLERANCE * said.abs();
            if !is_near {
                return Err(Refusal::Golden { row, answer, said });
            }
        }
        Ok(())
    }

    /// Whether `answer` is finite whatever any input is.
    pub(super) fn probe(&self, answer: impl Fn(&Features) -> f32) -> Result<(), Refusal> {
        let Some(usual) = self.inputs().next() else { return Ok(()) };
        for (place, feature) in Schema::current().features.iter().enumerate() {
            for value in ODD {
                let mut inputs = *usual;
                inputs[place] = value;
                let answer = answer(&inputs);
                if !answer.is_finite() {
                    return Err(Refusal::NotFinite { feature: feature.name, value, answer });
                }
            }
        }
        Ok(())
    }
}

/// Numbers as they stand in files: little-endian, and as many as are whole.
pub(super) fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::golden;
    use super::*;

    fn sum(inputs: &Features) -> f32 {
        inputs.iter().sum()
    }

    #[test]
    fn answers_that_are_near_pass_and_others_are_told_with_their_vector() {
        let golden = Golden::read(&golden(sum)).unwrap();
        assert_eq!(golden.check(sum), Ok(()));
        assert_eq!(golden.check(|inputs| sum(inputs) + 5e-5), Ok(()));
        let off = golden.check(|inputs| sum(inputs) + if inputs[0] > 0.9 { 1.0 } else { 0.0 });
        assert!(matches!(off, Err(Refusal::Golden { row: 1.., .. })), "{off:?}");
        assert!(matches!(golden.check(|_| f32::NAN), Err(Refusal::Golden { row: 0, .. })));
    }

    #[test]
    fn vectors_are_as_many_as_they_must_be_and_numbers() {
        let whole = golden(sum);
        for length in [0, whole.len() - 1, whole.len() - 4] {
            assert!(matches!(Golden::read(&whole[..length]), Err(Refusal::Vectors(_))));
        }
        assert!(matches!(Golden::read(&golden(|_| f32::NAN)), Err(Refusal::Vectors(_))));
    }

    #[test]
    fn an_answer_that_is_no_number_is_told_with_the_input_that_led_to_it() {
        let golden = Golden::read(&golden(sum)).unwrap();
        assert_eq!(golden.probe(|_| 1.0), Ok(()));
        let refused = golden.probe(sum).unwrap_err().to_string();
        assert!(refused.contains("where `expected` is NaN"), "{refused}");
        let squared = golden
            .probe(|inputs| inputs.iter().map(|x| if x.is_nan() { 0.0 } else { x * x }).sum());
        assert!(squared.unwrap_err().to_string().contains("is 1000000000000000000000000000000"));
    }
}
