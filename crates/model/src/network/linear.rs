//! Operators that become a layer.

use super::super::refusal::Refusal;
use super::operation::{Operation, Value};
use super::shape::Shape;

/// A row times a matrix, or a vector.
pub(super) fn matmul(operation: &mut Operation<'_>) -> Result<Value, Refusal> {
    let given = operation.computed(0)?;
    let (inputs, sums, weights) = match operation.floats(1)? {
        Some((shape, weights)) => match shape.dimensions() {
            [inputs, sums @ ..] if sums.len() <= 1 => (*inputs, sums, weights),
            _ => return Err(operation.wrong("needs a matrix or a vector as its second input")),
        },
        None => return Err(operation.wrong("needs a second input")),
    };
    let before = match given.shape.dimensions() {
        [before @ .., last] if *last == inputs && given.shape.size() == inputs => before,
        _ => return Err(unfit(operation, &given, inputs)),
    };
    let count = sums.first().copied().unwrap_or(1);
    let weight = |input, sum| weights[input * count + sum];
    let at = operation.walk.layer(given.at.clone(), &vec![0.0; count], weight)?;
    let shape = Shape::new([before, sums].concat());
    operation.reshaped(Value { at, ..given }, shape)
}

/// `alpha` · row · matrix + `beta` · biases.
pub(super) fn gemm(operation: &mut Operation<'_>) -> Result<Value, Refusal> {
    let (alpha, beta) =
        (operation.attributes.float("alpha", 1.0)?, operation.attributes.float("beta", 1.0)?);
    let is_column = operation.attributes.int("transA", 0)? != 0;
    let is_by_sum = operation.attributes.int("transB", 0)? != 0;
    let given = operation.computed(0)?;
    let matrix = operation.floats(1)?.map(|(shape, weights)| (shape.dimensions(), weights));
    let (inputs, sums, weights) = match matrix {
        Some(([sums, inputs], weights)) if is_by_sum => (*inputs, *sums, weights),
        Some(([inputs, sums], weights)) => (*inputs, *sums, weights),
        _ => return Err(operation.wrong("needs a matrix as its second input")),
    };
    let row = if is_column { [inputs, 1] } else { [1, inputs] };
    if given.shape.dimensions() != row {
        return Err(unfit(operation, &given, inputs));
    }
    let shape = Shape::row(sums);
    let biases = match operation.floats(2)? {
        None => vec![0.0; sums],
        Some((own, biases)) if own.broadcast(&shape).as_ref() == Some(&shape) => {
            own.places(&shape).iter().map(|place| beta * biases[*place]).collect()
        }
        Some((own, _)) => {
            return Err(operation.wrong(format!("has {sums} sums, and biases of the shape {own}")));
        }
    };
    let weight = |input, sum| {
        alpha * weights[if is_by_sum { sum * inputs + input } else { input * sums + sum }]
    };
    let at = operation.walk.layer(given.at, &biases, weight)?;
    Ok(Value { shape, at })
}

/// `coefficients` by sum, and `intercepts`.
pub(super) fn linear_regressor(operation: &mut Operation<'_>) -> Result<Value, Refusal> {
    let given = operation.computed(0)?;
    if !matches!(operation.attributes.text("post_transform")?, None | Some(b"NONE")) {
        return Err(operation.wrong("can be run with the `post_transform` NONE alone"));
    }
    let sums = usize::try_from(operation.attributes.int("targets", 1)?).unwrap_or(0);
    let weights = operation.attributes.floats("coefficients")?.unwrap_or_default();
    let biases = operation.attributes.floats("intercepts")?;
    let inputs = given.shape.size();
    if sums == 0 || inputs.checked_mul(sums) != Some(weights.len()) {
        return Err(operation.wrong(format!(
            "has {} coefficients: expected one for each target and each of {inputs} values",
            weights.len()
        )));
    }
    if biases.is_some_and(|biases| biases.len() != sums) {
        return Err(operation.wrong("has not one intercept for each target"));
    }
    if !matches!(given.shape.dimensions(), [1, _] | [_]) {
        return Err(unfit(operation, &given, inputs));
    }
    let biases = biases.map_or_else(|| vec![0.0; sums], <[f32]>::to_vec);
    let weight = |input, sum| weights[sum * inputs + input];
    let at = operation.walk.layer(given.at, &biases, weight)?;
    Ok(Value { shape: Shape::row(sums), at })
}

fn unfit(operation: &Operation<'_>, given: &Value, inputs: usize) -> Refusal {
    operation
        .wrong(format!("needs one row of {inputs} values, and is given the shape {}", given.shape))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::node;
    use super::super::proto::{Attribute, Node};
    use super::super::testing::Given::{self, Computed, Floats, Ints};
    use super::super::testing::{called, float, floats, int, run, text};

    const ROW: Given<'_> = Computed(&[1, 2], &[2.0, -1.0]);
    /// By input.
    const MATRIX: Given<'_> = Floats(&[2, 3], &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
    /// By sum.
    const TRANSPOSED: Given<'_> = Floats(&[3, 2], &[1.0, 10.0, 2.0, 20.0, 3.0, 30.0]);

    type Called = Result<(Vec<usize>, Vec<f32>), String>;

    fn gives(dimensions: &[usize], values: &[f32]) -> Called {
        Ok((dimensions.to_vec(), values.to_vec()))
    }

    fn why(called: Called) -> String {
        called.err().unwrap_or_default()
    }

    #[test]
    fn a_row_times_a_matrix_is_a_row() {
        let product = [-8.0, -16.0, -24.0];
        assert_eq!(called("MatMul", &[], &[ROW, MATRIX]), gives(&[1, 3], &product));
        let values = [2.0, -1.0];
        assert_eq!(
            called("MatMul", &[], &[Computed(&[2], &values), MATRIX]),
            gives(&[3], &product)
        );
        let deep = Computed(&[1, 1, 2], &values);
        assert_eq!(called("MatMul", &[], &[deep, MATRIX]), gives(&[1, 1, 3], &product));
        assert_eq!(called("MatMul", &[], &[ROW, Floats(&[2], &[3.0, 4.0])]), gives(&[1], &[2.0]));
    }

    #[test]
    fn a_general_product_is_transposed_scaled_and_biased() {
        let none = gives(&[1, 3], &[-8.0, -16.0, -24.0]);
        assert_eq!(called("Gemm", &[], &[ROW, MATRIX]), none);
        assert_eq!(called("Gemm", &[int("transB", 1)], &[ROW, TRANSPOSED]), none);
        let column = Computed(&[2, 1], &[2.0, -1.0]);
        assert_eq!(called("Gemm", &[int("transA", 1)], &[column, MATRIX]), none);
        let scaled = [float("alpha", 0.5), float("beta", 2.0)];
        let each = Floats(&[3], &[1.0, 2.0, 3.0]);
        assert_eq!(
            called("Gemm", &scaled, &[ROW, MATRIX, each]),
            gives(&[1, 3], &[-2.0, -4.0, -6.0])
        );
        let all = Floats(&[1, 1], &[1.0]);
        assert_eq!(
            called("Gemm", &scaled, &[ROW, MATRIX, all]),
            gives(&[1, 3], &[-2.0, -6.0, -10.0])
        );
    }

    fn regressed(attribute: Vec<Attribute>, given: Given<'_>) -> Called {
        let domain = "ai.onnx.ml".into();
        run(&Node { domain, attribute, ..node("LinearRegressor", &[], "") }, &[given])
    }

    #[test]
    fn a_linear_regressor_has_coefficients_by_target() {
        let one = floats("coefficients", &[3.0, 4.0]);
        assert_eq!(regressed(vec![one.clone()], ROW), gives(&[1, 1], &[2.0]));
        let biased = vec![one, floats("intercepts", &[0.5]), text("post_transform", "NONE")];
        assert_eq!(regressed(biased, ROW), gives(&[1, 1], &[2.5]));
        let two = floats("coefficients", &[3.0, 4.0, 1.0, 1.0]);
        let two = vec![int("targets", 2), two, floats("intercepts", &[0.0, 10.0])];
        assert_eq!(regressed(two, ROW), gives(&[1, 2], &[2.0, 11.0]));
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_shape() {
        let vector = || Floats(&[2], &[1.0, 2.0]);
        let two = || floats("coefficients", &[3.0, 4.0]);
        for (wrong, refused) in [
            (
                "needs one row of 3 values, and is given the shape [1, 2]",
                called("MatMul", &[], &[ROW, TRANSPOSED]),
            ),
            (
                "needs one row of 2 values",
                called("MatMul", &[], &[Computed(&[2, 2], &[0.0; 4]), MATRIX]),
            ),
            ("needs one row of 2 values", called("MatMul", &[], &[Computed(&[], &[0.0]), MATRIX])),
            ("needs an input 0 that depends", called("MatMul", &[], &[MATRIX, ROW])),
            ("needs a tensor as its input 1", called("MatMul", &[], &[ROW, ROW])),
            ("needs a second input", called("MatMul", &[], &[ROW])),
            ("computes with float32", called("MatMul", &[], &[ROW, Ints(&[1, 2])])),
            (
                "needs a matrix or a vector",
                called("MatMul", &[], &[ROW, Floats(&[1, 2, 1], &[0.0; 2])]),
            ),
            ("needs a matrix as", called("Gemm", &[], &[ROW, vector()])),
            ("needs a matrix as", called("Gemm", &[int("transB", 1)], &[ROW, vector()])),
            ("needs one row of 2 values", called("Gemm", &[int("transA", 1)], &[ROW, MATRIX])),
            ("needs one row of 3 values", called("Gemm", &[int("transB", 1)], &[ROW, MATRIX])),
            ("3 sums, and biases of the shape [2]", called("Gemm", &[], &[ROW, MATRIX, vector()])),
            ("biases of the shape [2, 3]", called("Gemm", &[], &[ROW, MATRIX, MATRIX])),
            ("NONE alone", regressed(vec![two(), text("post_transform", "LOGISTIC")], ROW)),
            ("has 0 coefficients", regressed(vec![], ROW)),
            ("has 2 coefficients", regressed(vec![two(), int("targets", 2)], ROW)),
            ("has 2 coefficients", regressed(vec![two(), int("targets", -1)], ROW)),
            ("one intercept", regressed(vec![two(), floats("intercepts", &[1.0, 2.0])], ROW)),
            ("needs one row", regressed(vec![two()], Computed(&[2, 1], &[0.0; 2]))),
        ] {
            let refused = why(refused);
            assert!(refused.contains(wrong), "{wrong}: {refused}");
        }
    }
}
