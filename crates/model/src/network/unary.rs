//! Operators of one value, which are applied to each: <https://onnx.ai/onnx/operators/>.

#[derive(Debug, Clone, Copy)]
pub(super) enum Unary {
    Abs,
    Clip { lower: f32, upper: f32 },
    Elu { alpha: f32 },
    Erf,
    Exp,
    HardSigmoid { alpha: f32, beta: f32 },
    LeakyRelu { alpha: f32 },
    Log,
    Neg,
    Relu,
    Selu { alpha: f32, gamma: f32 },
    Sigmoid,
    Softplus,
    Softsign,
    Sqrt,
    Tanh,
}

impl Unary {
    /// What is no number stays so.
    pub(super) fn apply(self, given: &[f32], results: &mut [f32]) {
        let each = Each(given, results);
        match self {
            Self::Abs => each.is(f32::abs),
            Self::Clip { lower, upper } => each.is(|x| clip(x, lower, upper)),
            Self::Elu { alpha } => each.is(|x| if x < 0.0 { alpha * x.exp_m1() } else { x }),
            Self::Erf => each.is(erf),
            Self::Exp => each.is(f32::exp),
            Self::HardSigmoid { alpha, beta } => each.is(|x| clip(alpha * x + beta, 0.0, 1.0)),
            Self::LeakyRelu { alpha } => each.is(|x| if x < 0.0 { alpha * x } else { x }),
            Self::Log => each.is(f32::ln),
            Self::Neg => each.is(|x| -x),
            Self::Relu => each.is(|x| if x < 0.0 { 0.0 } else { x }),
            Self::Selu { alpha, gamma } => {
                each.is(|x| gamma * if x <= 0.0 { alpha * x.exp_m1() } else { x });
            }
            Self::Sigmoid => each.is(|x| 1.0 / (1.0 + (-x).exp())),
            // ln(1 + eˣ), without an eˣ that is not finite.
            Self::Softplus => each.is(|x| clip(x, 0.0, f32::INFINITY) + (-x.abs()).exp().ln_1p()),
            Self::Softsign => each.is(|x| x / (1.0 + x.abs())),
            Self::Sqrt => each.is(f32::sqrt),
            Self::Tanh => each.is(f32::tanh),
        }
    }
}

/// What is given, and where results go.
struct Each<'v>(&'v [f32], &'v mut [f32]);

impl Each<'_> {
    fn is(self, result_of: impl Fn(f32) -> f32) {
        for (result, given) in self.1.iter_mut().zip(self.0) {
            *result = result_of(*given);
        }
    }
}

/// The upper bound counts where it is below the lower.
fn clip(x: f32, lower: f32, upper: f32) -> f32 {
    let x = if x < lower { lower } else { x };
    if x > upper { upper } else { x }
}

/// The error function to 2 · 10⁻⁷: Abramowitz and Stegun, *Handbook of Mathematical Functions*, 7.1.26.
fn erf(x: f32) -> f32 {
    const POLYNOMIAL: [f32; 5] = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let sum = POLYNOMIAL.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    (1.0 - sum * (-x * x).exp()).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result of each value, to 10⁻⁶.
    fn check(operator: Unary, expected: &[(f32, f32)]) {
        for (given, expected) in expected {
            let mut results = [f32::NAN];
            operator.apply(&[*given], &mut results);
            let is_same = (results[0] - expected).abs() <= 1e-6 * expected.abs().max(1.0);
            assert!(is_same || results[0] == *expected, "{operator:?} of {given}: {results:?}");
        }
        if !matches!(operator, Unary::Abs) {
            let mut results = [0.0];
            operator.apply(&[f32::NAN], &mut results);
            assert!(results[0].is_nan(), "{operator:?} of what is no number: {results:?}");
        }
    }

    #[test]
    fn every_operator_is_what_its_name_says() {
        let infinite = f32::INFINITY;
        check(Unary::Abs, &[(-2.0, 2.0), (3.0, 3.0)]);
        check(Unary::Clip { lower: -1.0, upper: 2.0 }, &[(-3.0, -1.0), (1.0, 1.0), (5.0, 2.0)]);
        check(Unary::Clip { lower: 3.0, upper: 2.0 }, &[(-3.0, 2.0), (2.5, 2.0), (5.0, 2.0)]);
        check(Unary::Elu { alpha: 2.0 }, &[(-1.0, -1.264_241_1), (1.5, 1.5), (-1e30, -2.0)]);
        check(
            Unary::Erf,
            &[
                (0.0, 0.0),
                (0.5, 0.520_499_9),
                (-1.0, -0.842_700_8),
                (2.0, 0.995_322_3),
                (1e30, 1.0),
            ],
        );
        check(Unary::Exp, &[(0.0, 1.0), (1.0, std::f32::consts::E), (-1e30, 0.0)]);
        let hard = Unary::HardSigmoid { alpha: 0.5, beta: 0.25 };
        check(hard, &[(-1.0, 0.0), (0.5, 0.5), (9.0, 1.0)]);
        check(Unary::LeakyRelu { alpha: 0.1 }, &[(-2.0, -0.2), (2.0, 2.0)]);
        check(Unary::Log, &[(1.0, 0.0), (10.0, std::f32::consts::LN_10), (0.0, -infinite)]);
        check(Unary::Neg, &[(-2.0, 2.0), (3.0, -3.0)]);
        check(Unary::Relu, &[(-2.0, 0.0), (3.0, 3.0)]);
        let selu = Unary::Selu { alpha: 2.0, gamma: 3.0 };
        check(selu, &[(-1.0, -3.792_723_4), (1.5, 4.5), (-1e30, -6.0)]);
        check(Unary::Sigmoid, &[(0.0, 0.5), (2.0, 0.880_797_1), (-1e30, 0.0), (1e30, 1.0)]);
        check(
            Unary::Softplus,
            &[(0.0, std::f32::consts::LN_2), (2.0, 2.126_928), (-1e30, 0.0), (1e30, 1e30)],
        );
        check(Unary::Softsign, &[(-3.0, -0.75), (1.0, 0.5)]);
        check(Unary::Sqrt, &[(0.0, 0.0), (2.25, 1.5)]);
        check(Unary::Tanh, &[(0.5, 0.462_117_2), (-1e30, -1.0)]);
    }
}
