//! An operation: an operator with what it is given, each of which is read once, and what it adds to the walk.

use std::ops::Range;

use super::super::refusal::Refusal;
use super::attributes::Attributes;
use super::binary::Binary;
use super::shape::Shape;
use super::tensor::{Tensor, Values};
use super::unary::Unary;
use super::walk::{Step, Walk};
use super::wrong;

/// What is computed of the features.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) shape: Shape,
    /// Where it is in the walk.
    pub(super) at: Range<usize>,
}

/// What an operator is given.
#[derive(Debug, Clone)]
pub(super) enum Input<'m> {
    Computed(Value),
    Constant(&'m Tensor),
}

impl Input<'_> {
    fn shape(&self) -> &Shape {
        match self {
            Self::Computed(value) => &value.shape,
            Self::Constant(tensor) => &tensor.shape,
        }
    }
}

/// A node that becomes steps.
pub(super) struct Operation<'m> {
    /// The operator's name.
    pub(super) of: &'m str,
    pub(super) attributes: Attributes<'m>,
    /// None was left out, or read.
    pub(super) inputs: Vec<Option<Input<'m>>>,
    pub(super) walk: &'m mut Walk,
}

impl<'m> Operation<'m> {
    /// Whether everything was read that is given.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        match self.inputs.iter().position(Option::is_some) {
            Some(place) => {
                Err(self.wrong(format!("has an input {place} that cannot be used here")))
            }
            None => self.attributes.check(),
        }
    }

    /// An input that depends on the features.
    pub(super) fn computed(&mut self, place: usize) -> Result<Value, Refusal> {
        match self.input(place) {
            Some(Input::Computed(value)) => Ok(value),
            _ => Err(self.wrong(format!("needs an input {place} that depends on the features"))),
        }
    }

    /// An input that may be left out, and must not depend on the features.
    fn constant(&mut self, place: usize) -> Result<Option<&'m Tensor>, Refusal> {
        match self.input(place) {
            None => Ok(None),
            Some(Input::Constant(tensor)) => Ok(Some(tensor)),
            Some(Input::Computed(_)) => Err(self
                .wrong(format!("needs a tensor as its input {place}: it depends on the features"))),
        }
    }

    /// A tensor of float32 that may be left out.
    pub(super) fn floats(
        &mut self,
        place: usize,
    ) -> Result<Option<(&'m Shape, &'m [f32])>, Refusal> {
        let Some(tensor) = self.constant(place)? else { return Ok(None) };
        Ok(Some((&tensor.shape, self.floats_of(tensor)?)))
    }

    /// One number that may be left out.
    pub(super) fn number(&mut self, place: usize) -> Result<Option<f32>, Refusal> {
        match self.floats(place)? {
            None => Ok(None),
            Some((_, [number])) => Ok(Some(*number)),
            Some((shape, _)) => Err(self
                .wrong(format!("needs one number as its input {place}, not a tensor of {shape}"))),
        }
    }

    /// Dimensions or axes that may be left out.
    pub(super) fn ints(&mut self, place: usize) -> Result<Option<&'m [i64]>, Refusal> {
        match self.constant(place)? {
            None => Ok(None),
            Some(Tensor { values: Values::Ints(ints), .. }) => Ok(Some(ints)),
            Some(_) => Err(self.wrong(format!("needs int64 as its input {place}"))),
        }
    }

    /// Apply an operator to each value of the first input.
    pub(super) fn unary(&mut self, operator: Unary) -> Result<Value, Refusal> {
        let Value { shape, at } = self.computed(0)?;
        let at = self.walk.step(Step::Unary(operator, at), shape.size())?;
        Ok(Value { shape, at })
    }

    /// Apply an operator to each pair of the values of both inputs.
    pub(super) fn binary(&mut self, operator: Binary) -> Result<Value, Refusal> {
        match self.inputs.len() {
            2 => self.fold(operator),
            count => Err(self.wrong(format!("needs two inputs, not {count}"))),
        }
    }

    /// Apply an operator to the first two inputs, to what it gives and the third, and so on.
    pub(super) fn fold(&mut self, operator: Binary) -> Result<Value, Refusal> {
        let mut result = self.input(0);
        for place in 1..self.inputs.len() {
            let (Some(left), Some(right)) = (result, self.input(place)) else {
                return Err(self.wrong("must not leave out an input"));
            };
            result = Some(Input::Computed(self.pair(operator, &left, &right)?));
        }
        match result {
            Some(Input::Computed(value)) => Ok(value),
            _ => Err(self.wrong("needs an input that depends on the features")),
        }
    }

    fn pair(
        &mut self,
        operator: Binary,
        left: &Input<'_>,
        right: &Input<'_>,
    ) -> Result<Value, Refusal> {
        let Some(shape) = left.shape().broadcast(right.shape()) else {
            let (left, right) = (left.shape(), right.shape());
            return Err(self
                .wrong(format!("has inputs of the shapes {left} and {right}, which do not fit")));
        };
        let (left, right) = (self.repeated(left, &shape)?, self.repeated(right, &shape)?);
        let at = self.walk.step(Step::Binary(operator, left, right), shape.size())?;
        Ok(Value { shape, at })
    }

    /// Where `input` is with a value for each of `shape`.
    fn repeated(&mut self, input: &Input<'_>, shape: &Shape) -> Result<Range<usize>, Refusal> {
        match input {
            Input::Constant(tensor) => {
                let (floats, places) = (self.floats_of(tensor)?, tensor.shape.places(shape));
                self.walk.hold(places.iter().map(|place| floats[*place]))
            }
            Input::Computed(value) if value.shape.size() == shape.size() => Ok(value.at.clone()),
            Input::Computed(value) => {
                let places = value.shape.places(shape);
                let places = places.iter().map(|place| value.at.start + place).collect();
                self.walk.step(Step::Repeat(places), shape.size())
            }
        }
    }

    /// `given` with another `shape`, which is none if its values do not fit it.
    pub(super) fn reshaped(&self, given: Value, shape: Option<Shape>) -> Result<Value, Refusal> {
        match shape {
            Some(shape) => Ok(Value { shape, ..given }),
            None => Err(self.wrong(format!("cannot be applied to the shape {}", given.shape))),
        }
    }

    fn floats_of<'t>(&self, tensor: &'t Tensor) -> Result<&'t [f32], Refusal> {
        match &tensor.values {
            Values::Floats(floats) => Ok(floats),
            Values::Ints(_) => Err(self.wrong("computes with float32, not with int64")),
        }
    }

    fn input(&mut self, place: usize) -> Option<Input<'m>> {
        self.inputs.get_mut(place).and_then(Option::take)
    }

    pub(super) fn wrong(&self, what: impl std::fmt::Display) -> Refusal {
        wrong(format!("`{}` {what}", self.of))
    }
}
