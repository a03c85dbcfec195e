//! A layer: sums of all its inputs, each with a weight, and a bias.

/// Sums that are made at once: they do not wait for one another.
const ABREAST: usize = 16;

/// A layer of a network.
#[derive(Debug)]
pub(super) struct Layer(Box<[Panel]>);

/// So many sums.
#[derive(Debug)]
struct Panel {
    biases: [f32; ABREAST],
    /// By input.
    weights: Box<[[f32; ABREAST]]>,
}

impl Layer {
    /// `weight` says what the weight of an input is in a sum.
    pub(super) fn new(inputs: usize, biases: &[f32], weight: impl Fn(usize, usize) -> f32) -> Self {
        let panel = |(place, biases): (usize, &[f32])| Panel {
            biases: padded(|lane| biases.get(lane).copied()),
            weights: (0..inputs)
                .map(|input| {
                    padded(|lane| {
                        (lane < biases.len()).then(|| weight(input, place * ABREAST + lane))
                    })
                })
                .collect(),
        };
        Self(biases.chunks(ABREAST).enumerate().map(panel).collect())
    }

    /// How many weights are held of a layer of this size.
    pub(super) const fn weights(inputs: usize, sums: usize) -> usize {
        inputs.saturating_mul(sums.next_multiple_of(ABREAST))
    }

    pub(super) fn apply(&self, given: &[f32], results: &mut [f32]) {
        for (panel, results) in self.0.iter().zip(results.chunks_mut(ABREAST)) {
            let mut sums = panel.biases;
            for (value, weights) in given.iter().zip(&panel.weights) {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum += value * weight;
                }
            }
            for (result, sum) in results.iter_mut().zip(sums) {
                *result = sum;
            }
        }
    }
}

/// What is missing is 0.
fn padded(value: impl Fn(usize) -> Option<f32>) -> [f32; ABREAST] {
    std::array::from_fn(|lane| value(lane).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_adds_up_its_inputs_by_their_weights() {
        for sums in [1, 2, ABREAST, ABREAST + 1, 3 * ABREAST - 1] {
            let biases: Vec<_> = (0..sums).map(|sum| sum as f32).collect();
            let layer = Layer::new(3, &biases, |input, sum| (10 * input + sum) as f32);
            let mut results = vec![f32::NAN; sums];
            layer.apply(&[1.0, 2.0, -1.0], &mut results);
            // sum + 1 · sum + 2 · (10 + sum) − (20 + sum)
            let expected: Vec<_> = (0..sums).map(|sum| 3.0 * sum as f32).collect();
            assert_eq!(results, expected);
        }
    }
}
