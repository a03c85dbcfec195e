//! Networks in the format ONNX, as far as a request can wait for them: some operators, on one row of features.

mod attributes;
mod binary;
mod graph;
mod layer;
mod linear;
mod operation;
mod operator;
pub(super) mod proto;
mod shape;
mod tensor;
#[cfg(test)]
mod testing;
mod unary;
mod walk;

use parking_lot::Mutex;
use prost::Message;
use tidegate_core::predict::features::Features;

use super::refusal::Refusal;
use walk::Walk;

/// Bytes of a network at most: what answers in time has far fewer.
const MOST: usize = 1 << 20;
/// Answers that can be given at once without memory being asked for.
const SPARE: usize = 64;

/// A network that can be asked.
#[derive(Debug)]
pub(super) struct Network {
    walk: Walk,
    /// Where the answer is among the walk's values.
    answer: usize,
    /// Values that were computed with before, to be used again.
    spare: Mutex<Vec<Box<[f32]>>>,
}

impl Network {
    pub(super) fn load(file: &[u8]) -> Result<Self, Refusal> {
        if file.len() > MOST {
            return Err(wrong(format!("has {} bytes: at most {MOST} are taken", file.len())));
        }
        let model = proto::Model::decode(file).map_err(|error| wrong(error.to_string()))?;
        let (walk, answer) = graph::walk(&model)?;
        Ok(Self { walk, answer, spare: Mutex::default() })
    }

    /// The answer. What is no number counts as 0: a network would hand it on to its answer.
    pub(super) fn answer(&self, features: &Features) -> f32 {
        let spare = self.spare.lock().pop();
        let mut values = spare.unwrap_or_else(|| self.walk.values());
        for (value, feature) in values[self.walk.features()].iter_mut().zip(features) {
            *value = if feature.is_nan() { 0.0 } else { *feature };
        }
        self.walk.take(&mut values);
        let answer = values[self.answer];
        let mut spare = self.spare.lock();
        if spare.len() < SPARE {
            spare.push(values);
        }
        answer
    }
}

fn wrong(what: impl Into<String>) -> Refusal {
    Refusal::Network(what.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use tidegate_core::predict::features::COUNT;

    use super::super::testing::{network, network_said};
    use super::*;

    #[test]
    fn a_network_answers_as_it_is_written() {
        for width in [1, 16, 33] {
            let network = Network::load(&network(width).encode_to_vec()).unwrap();
            for place in 0..COUNT {
                let mut features = [0.5; COUNT];
                features[place] = -3.0;
                let (answer, said) = (network.answer(&features), network_said(width)(&features));
                assert!((answer - said).abs() < 1e-4, "{width}: {answer} {said}");
            }
            assert_eq!(network.answer(&[f32::NAN; COUNT]), network.answer(&[0.0; COUNT]));
            assert_eq!(network.spare.lock().len(), 1);
        }
    }

    #[test]
    fn a_large_file_is_refused_before_it_is_read() {
        let refused = Network::load(&vec![0; MOST + 1]).err().map(|refusal| refusal.to_string());
        assert!(refused.unwrap_or_default().contains("at most 1048576"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn whatever_is_cut_off_or_changed_is_run_or_refused(
            length in 0..1_000_usize, changes in proptest::collection::vec((0..700_usize, any::<u8>()), 0..4),
        ) {
            let mut file = network(4).encode_to_vec();
            for (place, value) in changes {
                if let Some(byte) = file.get_mut(place) {
                    *byte = value;
                }
            }
            file.truncate(length.max(file.len() / 2));
            if let Ok(network) = Network::load(&file) {
                _ = network.answer(&[0.5; COUNT]);
            }
        }
    }
}
