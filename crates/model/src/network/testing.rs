//! Nodes that are called by themselves.

use tidegate_core::predict::features::COUNT;

use super::super::testing::{node, tensor};
use super::attributes::Attributes;
use super::operation::{Input, Operation, Value};
use super::operator;
use super::proto::{self, Attribute, AttributeType, Node};
use super::shape::Shape;
use super::tensor::Tensor;
use super::walk::Walk;

/// What a node is given: the dimensions, and the values.
pub(super) enum Given<'t> {
    Computed(&'t [usize], &'t [f32]),
    Floats(&'t [usize], &'t [f32]),
    Ints(&'t [i64]),
    Nothing,
}

/// The dimensions and the values that `operator` gives, or why it cannot be run.
pub(super) fn called(
    operator: &str,
    attributes: &[Attribute],
    given: &[Given<'_>],
) -> Result<(Vec<usize>, Vec<f32>), String> {
    let called = Node { attribute: attributes.into(), ..node(operator, &[], "") };
    run(&called, given)
}

/// The same for a node that is of any domain.
pub(super) fn run(node: &Node, given: &[Given<'_>]) -> Result<(Vec<usize>, Vec<f32>), String> {
    let tensors: Vec<_> = given.iter().map(|given| read(given)).collect();
    let (mut features, mut inputs) = (vec![], vec![]);
    for (given, tensor) in given.iter().zip(&tensors) {
        inputs.push(match given {
            Given::Nothing => None,
            Given::Computed(dimensions, values) => {
                features.extend_from_slice(values);
                let at = features.len() - values.len()..features.len();
                let shape = Shape::new(dimensions.to_vec()).ok_or("a shape that is too large")?;
                Some(Input::Computed(Value { shape, at }))
            }
            Given::Floats(..) | Given::Ints(_) => tensor.as_ref().map(Input::Constant),
        });
    }
    assert!(features.len() <= COUNT, "what is computed takes the place of features");
    let mut walk = Walk::new();
    let attributes = Attributes::of(node);
    let mut operation = Operation { of: &node.op_type, attributes, inputs, walk: &mut walk };
    let called = operator::of(node).and_then(|operator| {
        let value = operator(&mut operation)?;
        operation.check()?;
        Ok(value)
    });
    let Value { shape, at } = called.map_err(|refusal| refusal.to_string())?;
    let mut values = walk.values();
    values[..features.len()].copy_from_slice(&features);
    walk.take(&mut values);
    Ok((shape.dimensions().to_vec(), values[at].to_vec()))
}

fn read(given: &Given<'_>) -> Option<Tensor> {
    let made = match given {
        Given::Floats(dimensions, values) => tensor("given", dimensions, values),
        Given::Ints(ints) => proto::Tensor {
            data_type: proto::ElementType::Int64 as i32,
            int64_data: ints.to_vec(),
            ..tensor("given", &[ints.len()], &[])
        },
        Given::Computed(..) | Given::Nothing => return None,
    };
    Tensor::read(&made).ok()
}

pub(super) fn float(name: &str, f: f32) -> Attribute {
    Attribute { f, ..attribute(name, AttributeType::Float) }
}

pub(super) fn int(name: &str, i: i64) -> Attribute {
    Attribute { i, ..attribute(name, AttributeType::Int) }
}

pub(super) fn floats(name: &str, floats: &[f32]) -> Attribute {
    Attribute { floats: floats.into(), ..attribute(name, AttributeType::Floats) }
}

pub(super) fn ints(name: &str, ints: &[i64]) -> Attribute {
    Attribute { ints: ints.into(), ..attribute(name, AttributeType::Ints) }
}

pub(super) fn text(name: &str, text: &str) -> Attribute {
    Attribute { s: text.into(), ..attribute(name, AttributeType::String) }
}

fn attribute(name: &str, kind: AttributeType) -> Attribute {
    Attribute { name: name.into(), r#type: kind as i32, ..Attribute::default() }
}
