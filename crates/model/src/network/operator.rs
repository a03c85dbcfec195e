//! What can be run of the operators of ONNX, and what each becomes: <https://onnx.ai/onnx/operators/>.

use super::super::refusal::Refusal;
use super::binary::Binary;
use super::linear::{gemm, linear_regressor, matmul};
use super::operation::{Operation, Value};
use super::proto::Node;
use super::unary::Unary;

/// Adds the steps of an operation to the walk. Answers with what it gives.
pub(super) type Operator = fn(&mut Operation<'_>) -> Result<Value, Refusal>;

/// Operators that can be run.
const OPERATORS: [(&str, Operator); 29] = [
    ("Abs", |operation| operation.unary(Unary::Abs)),
    ("Add", |operation| operation.binary(Binary::Add)),
    ("Cast", cast),
    ("Clip", clip),
    ("Div", |operation| operation.binary(Binary::Div)),
    ("Elu", |operation| {
        let alpha = operation.attributes.float("alpha", 1.0)?;
        operation.unary(Unary::Elu { alpha })
    }),
    ("Erf", |operation| operation.unary(Unary::Erf)),
    ("Exp", |operation| operation.unary(Unary::Exp)),
    ("Flatten", flatten),
    ("Gemm", gemm),
    ("HardSigmoid", |operation| {
        let alpha = operation.attributes.float("alpha", 0.2)?;
        let beta = operation.attributes.float("beta", 0.5)?;
        operation.unary(Unary::HardSigmoid { alpha, beta })
    }),
    ("Identity", |operation| operation.computed(0)),
    ("LeakyRelu", |operation| {
        let alpha = operation.attributes.float("alpha", 0.01)?;
        operation.unary(Unary::LeakyRelu { alpha })
    }),
    ("Log", |operation| operation.unary(Unary::Log)),
    ("MatMul", matmul),
    ("Max", |operation| operation.fold(Binary::Max)),
    ("Min", |operation| operation.fold(Binary::Min)),
    ("Mul", |operation| operation.binary(Binary::Mul)),
    ("Neg", |operation| operation.unary(Unary::Neg)),
    ("Relu", |operation| operation.unary(Unary::Relu)),
    ("Reshape", reshape),
    ("Selu", |operation| {
        let alpha = operation.attributes.float("alpha", 1.673_263_2)?;
        let gamma = operation.attributes.float("gamma", 1.050_701)?;
        operation.unary(Unary::Selu { alpha, gamma })
    }),
    ("Sigmoid", |operation| operation.unary(Unary::Sigmoid)),
    ("Softplus", |operation| operation.unary(Unary::Softplus)),
    ("Softsign", |operation| operation.unary(Unary::Softsign)),
    ("Sqrt", |operation| operation.unary(Unary::Sqrt)),
    ("Squeeze", squeeze),
    ("Sub", |operation| operation.binary(Binary::Sub)),
    ("Tanh", |operation| operation.unary(Unary::Tanh)),
];
/// Those of the domain `ai.onnx.ml`.
const CLASSICAL: [(&str, Operator); 1] = [("LinearRegressor", linear_regressor)];
/// How `Cast` names float32.
const FLOAT: i64 = 1;

/// The operator of `node`.
pub(super) fn of(node: &Node) -> Result<Operator, Refusal> {
    let known: &[(&str, Operator)] = match node.domain.as_str() {
        "" | "ai.onnx" => &OPERATORS,
        "ai.onnx.ml" => &CLASSICAL,
        _ => &[],
    };
    if let Some((_, operator)) = known.iter().find(|(name, _)| *name == node.op_type) {
        return Ok(*operator);
    }
    let name = [node.domain.as_str(), &node.op_type].join(" ").trim().to_owned();
    let expected = [
        OPERATORS.map(|(name, _)| name).join(", "),
        CLASSICAL.map(|(name, _)| format!("ai.onnx.ml {name}")).join(", "),
    ];
    Err(Refusal::Operator(name, expected.join(" or ")))
}

fn cast(operation: &mut Operation<'_>) -> Result<Value, Refusal> {
    // How numbers are rounded that do not fit: float32 fits.
    operation.attributes.int("saturate", 1)?;
    match operation.attributes.int("to", 0)? {
        FLOAT => operation.computed(0),
        _ => Err(operation.wrong("can be run to float32 alone")),
    }
}

/// The bounds are inputs from version 11 on.
fn clip(operation: &mut Operation<'_>) -> Result<Value, Refusal> {
    let (least, most) = (
        operation.attributes.float("min", f32::MIN)?,
        operation.attributes.float("max", f32::MAX)?,
    );
    let (lower, upper) =
        (operation.number(1)?.unwrap_or(least), operation.number(2)?.unwrap_or(most));
    operation.unary(Unary::Clip { lower, upper })
}

fn flatten(operation: &mut Operation<'_>) -> Result<Value, Refusal> {
    let axis = operation.attributes.int("axis", 1)?;
    let given = operation.computed(0)?;
    let shape = given.shape.flatten(axis);
    operation.reshaped(given, shape)
}

fn reshape(operation: &mut Operation<'_>) -> Result<Value, Refusal> {
    let given = operation.computed(0)?;
    let Some(to) = operation.ints(1)? else {
        return Err(operation.wrong("has no input for its shape"));
    };
    // Then a 0 is one, and there are no values.
    let is_empty = operation.attributes.int("allowzero", 0)? != 0 && to.contains(&0);
    let shape = if is_empty { None } else { given.shape.reshape(to) };
    operation.reshaped(given, shape)
}

/// The axes are an input from version 13 on.
fn squeeze(operation: &mut Operation<'_>) -> Result<Value, Refusal> {
    let given = operation.computed(0)?;
    let axes = operation.attributes.ints("axes")?;
    let axes = operation.ints(1)?.or(axes);
    let shape = given.shape.squeeze(axes);
    operation.reshaped(given, shape)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Given::{self, Computed, Floats, Ints, Nothing};
    use super::super::testing::{called, float, int, ints};

    const ROW: Given<'_> = Computed(&[1, 3], &[-2.0, 0.5, 4.0]);

    fn row(values: [f32; 3]) -> Result<(Vec<usize>, Vec<f32>), String> {
        Ok((vec![1, 3], values.to_vec()))
    }

    #[test]
    fn an_operator_of_one_value_is_applied_to_each_with_its_attributes() {
        assert_eq!(called("Abs", &[], &[ROW]), row([2.0, 0.5, 4.0]));
        assert_eq!(called("Relu", &[], &[ROW]), row([0.0, 0.5, 4.0]));
        assert_eq!(called("Identity", &[], &[ROW]), row([-2.0, 0.5, 4.0]));
        assert_eq!(called("LeakyRelu", &[], &[ROW]), row([-0.02, 0.5, 4.0]));
        assert_eq!(called("LeakyRelu", &[float("alpha", 0.25)], &[ROW]), row([-0.5, 0.5, 4.0]));
        assert_eq!(called("HardSigmoid", &[], &[ROW]), row([0.2 * -2.0 + 0.5, 0.6, 1.0]));
        let hard = [float("alpha", 0.25), float("beta", 0.25)];
        assert_eq!(called("HardSigmoid", &hard, &[ROW]), row([0.0, 0.375, 1.0]));
        let low = Computed(&[1], &[f32::MIN]);
        assert_eq!(called("Elu", &[], &[low]), Ok((vec![1], vec![-1.0])));
        let low = Computed(&[1], &[f32::MIN]);
        assert_eq!(called("Elu", &[float("alpha", 3.0)], &[low]), Ok((vec![1], vec![-3.0])));
        let low = Computed(&[1], &[f32::MIN]);
        assert_eq!(called("Selu", &[], &[low]), Ok((vec![1], vec![-1.758_099_3])));
        let (selu, low) = ([float("alpha", 2.0), float("gamma", 3.0)], Computed(&[1], &[f32::MIN]));
        assert_eq!(called("Selu", &selu, &[low]), Ok((vec![1], vec![-6.0])));
    }

    #[test]
    fn an_operator_of_two_values_repeats_what_is_smaller() {
        let column = || Floats(&[2, 1], &[10.0, 20.0]);
        let both = Ok((vec![2, 3], vec![8.0, 10.5, 14.0, 18.0, 20.5, 24.0]));
        assert_eq!(called("Add", &[], &[ROW, column()]), both);
        assert_eq!(called("Add", &[], &[column(), ROW]), both);
        assert_eq!(called("Sub", &[], &[Floats(&[], &[1.0]), ROW]), row([3.0, 0.5, -3.0]));
        assert_eq!(called("Mul", &[], &[ROW, Computed(&[1, 1], &[2.0])]), row([-4.0, 1.0, 8.0]));
        assert_eq!(
            called("Div", &[], &[ROW, Floats(&[3], &[2.0, 2.0, 8.0])]),
            row([-1.0, 0.25, 0.5])
        );
        assert_eq!(
            called("Add", &[], &[ROW, Computed(&[3], &[1.0, 2.0, 3.0])]),
            row([-1.0, 2.5, 7.0])
        );
    }

    #[test]
    fn the_least_and_the_most_are_of_any_number_of_inputs() {
        let more = || [Floats(&[], &[0.0]), Floats(&[3], &[-1.0, 1.0, 1.0]), ROW];
        assert_eq!(called("Max", &[], &more()), row([0.0, 1.0, 4.0]));
        assert_eq!(called("Min", &[], &more()), row([-2.0, 0.0, 0.0]));
        assert_eq!(called("Min", &[], &[ROW]), row([-2.0, 0.5, 4.0]));
    }

    #[test]
    fn bounds_are_attributes_or_inputs() {
        let (zero, one) = (|| Floats(&[], &[0.0]), || Floats(&[1], &[1.0]));
        assert_eq!(
            called("Clip", &[float("min", 0.0), float("max", 1.0)], &[ROW]),
            row([0.0, 0.5, 1.0])
        );
        assert_eq!(called("Clip", &[], &[ROW, zero(), one()]), row([0.0, 0.5, 1.0]));
        assert_eq!(called("Clip", &[], &[ROW, Nothing, one()]), row([-2.0, 0.5, 1.0]));
        assert_eq!(called("Clip", &[], &[ROW]), row([-2.0, 0.5, 4.0]));
    }

    #[test]
    fn what_is_reshaped_keeps_its_values() {
        let values = vec![-2.0, 0.5, 4.0];
        let shaped = |dimensions: &[usize]| Ok((dimensions.to_vec(), values.clone()));
        assert_eq!(called("Cast", &[int("to", 1)], &[ROW]), shaped(&[1, 3]));
        assert_eq!(called("Reshape", &[], &[ROW, Ints(&[-1])]), shaped(&[3]));
        assert_eq!(called("Reshape", &[], &[ROW, Ints(&[0, 3, 1])]), shaped(&[1, 3, 1]));
        assert_eq!(called("Flatten", &[], &[ROW]), shaped(&[1, 3]));
        assert_eq!(called("Flatten", &[int("axis", 2)], &[ROW]), shaped(&[3, 1]));
        assert_eq!(called("Squeeze", &[], &[ROW]), shaped(&[3]));
        assert_eq!(called("Squeeze", &[], &[ROW, Ints(&[-2])]), shaped(&[3]));
        assert_eq!(called("Squeeze", &[ints("axes", &[0])], &[ROW]), shaped(&[3]));
    }

    #[test]
    fn what_cannot_be_run_is_told_with_its_operator() {
        let why = |operator, attributes: &[_], given: &[_]| {
            called(operator, attributes, given).err().unwrap_or_default()
        };
        let mut graph = int("alpha", 1);
        graph.r#type = 5;
        let mut meant = float("alpha", 1.0);
        meant.ref_attr_name = "other".into();
        for (wrong, refused) in [
            ("`Elu` has no value of the type FLOAT", why("Elu", &[int("alpha", 1)], &[ROW])),
            ("`Elu` has no value of the type FLOAT", why("Elu", &[graph], &[ROW])),
            ("`Elu` has no value of the type FLOAT", why("Elu", &[meant], &[ROW])),
            ("`Tanh` has the attribute `alpha`", why("Tanh", &[float("alpha", 1.0)], &[ROW])),
            ("`alpha`", why("Elu", &[float("alpha", 1.0), float("alpha", 2.0)], &[ROW])),
            ("`Tanh` needs an input 0 that", why("Tanh", &[], &[Floats(&[1], &[1.0])])),
            ("`Tanh` has an input 1 that", why("Tanh", &[], &[ROW, Floats(&[1], &[1.0])])),
            ("`Add` needs two inputs, not 1", why("Add", &[], &[ROW])),
            ("`Add` needs two inputs, not 3", why("Add", &[], &[ROW, ROW, ROW])),
            ("`Add` must not leave out an input", why("Add", &[], &[ROW, Nothing])),
            (
                "shapes [1, 3] and [2], which do not",
                why("Add", &[], &[ROW, Floats(&[2], &[1.0, 2.0])]),
            ),
            ("`Add` computes with float32", why("Add", &[], &[ROW, Ints(&[1])])),
            ("`Max` needs an input that", why("Max", &[], &[])),
            (
                "`Clip` needs one number as its input 1",
                why("Clip", &[], &[ROW, Floats(&[2], &[0.0, 1.0])]),
            ),
            ("`Clip` needs a tensor as its input 2", why("Clip", &[], &[ROW, Nothing, ROW])),
            ("`Cast` can be run to float32", why("Cast", &[int("to", 7)], &[ROW])),
            ("`Reshape` has no input for its shape", why("Reshape", &[], &[ROW])),
            (
                "`Reshape` needs int64 as its input 1",
                why("Reshape", &[], &[ROW, Floats(&[1], &[3.0])]),
            ),
            (
                "`Reshape` cannot be applied to the shape [1, 3]",
                why("Reshape", &[], &[ROW, Ints(&[2, -1])]),
            ),
            ("`Reshape` cannot", why("Reshape", &[int("allowzero", 1)], &[ROW, Ints(&[0, 3])])),
            ("`Flatten` cannot", why("Flatten", &[int("axis", 3)], &[ROW])),
            ("`Squeeze` cannot", why("Squeeze", &[], &[ROW, Ints(&[1])])),
        ] {
            assert!(refused.contains(wrong), "{wrong}: {refused}");
        }
    }
}
