//! What a network becomes: steps that are taken one after the other, each from values to values behind them.

use std::ops::Range;

use tidegate_core::predict::features::COUNT;

use super::super::refusal::Refusal;
use super::binary::Binary;
use super::layer::Layer;
use super::unary::Unary;
use super::wrong;

/// Values of all steps at most, and numbers that they are computed with.
const MOST_VALUES: usize = 1 << 14;
/// Weights of all layers at most: as many as a file may have, and four times what could answer in time.
const MOST_WEIGHTS: usize = 1 << 18;

/// Steps, and the values that they are taken with: the features first, then what is held for a step or is its result.
#[derive(Debug)]
pub(super) struct Walk {
    steps: Vec<(Step, Range<usize>)>,
    values: Vec<f32>,
    weights: usize,
}

/// How values are made of others; where these are.
#[derive(Debug)]
pub(super) enum Step {
    Layer(Layer, Range<usize>),
    Unary(Unary, Range<usize>),
    Binary(Binary, Range<usize>, Range<usize>),
    /// Some values, each of them as often as it is named by its place among all.
    Repeat(Box<[usize]>),
}

impl Walk {
    pub(super) fn new() -> Self {
        Self { steps: vec![], values: vec![0.0; COUNT], weights: 0 }
    }

    /// Where the features are.
    pub(super) fn features(&self) -> Range<usize> {
        0..COUNT
    }

    /// Hold these `values` for a step.
    pub(super) fn hold(
        &mut self,
        values: impl ExactSizeIterator<Item = f32>,
    ) -> Result<Range<usize>, Refusal> {
        let to = self.room(values.len())?;
        self.values[to.clone()].iter_mut().zip(values).for_each(|(place, value)| *place = value);
        Ok(to)
    }

    /// Take a `step` with so many results, which depend on values before.
    pub(super) fn step(&mut self, step: Step, results: usize) -> Result<Range<usize>, Refusal> {
        let to = self.room(results)?;
        self.steps.push((step, to.clone()));
        Ok(to)
    }

    /// Take a step through a layer, the weights of which are these.
    pub(super) fn layer(
        &mut self,
        of: Range<usize>,
        biases: &[f32],
        weight: impl Fn(usize, usize) -> f32,
    ) -> Result<Range<usize>, Refusal> {
        self.weights = self.weights.saturating_add(Layer::weights(of.len(), biases.len()));
        if self.weights > MOST_WEIGHTS {
            return Err(wrong(format!("its layers have more than {MOST_WEIGHTS} weights")));
        }
        let layer = Layer::new(of.len(), biases, weight);
        self.step(Step::Layer(layer, of), biases.len())
    }

    fn room(&mut self, count: usize) -> Result<Range<usize>, Refusal> {
        let first = self.values.len();
        if count > MOST_VALUES - first {
            return Err(wrong(format!("its operators give more than {MOST_VALUES} values")));
        }
        self.values.resize(first + count, 0.0);
        Ok(first..first + count)
    }

    /// Values to be taken along: those that are held are there, and features must be written.
    pub(super) fn values(&self) -> Box<[f32]> {
        self.values.as_slice().into()
    }

    /// Take all steps.
    pub(super) fn take(&self, values: &mut [f32]) {
        for (step, to) in &self.steps {
            let (before, behind) = values.split_at_mut(to.start);
            let results = &mut behind[..to.len()];
            match step {
                Step::Layer(layer, of) => layer.apply(&before[of.clone()], results),
                Step::Unary(operator, of) => operator.apply(&before[of.clone()], results),
                Step::Binary(operator, left, right) => {
                    operator.apply(&before[left.clone()], &before[right.clone()], results);
                }
                Step::Repeat(places) => {
                    results
                        .iter_mut()
                        .zip(places)
                        .for_each(|(result, place)| *result = before[*place]);
                }
            }
        }
    }
}
