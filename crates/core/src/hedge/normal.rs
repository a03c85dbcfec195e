//! The normal distribution.

/// The standard normal quantile of `q`, between 0.5 and 1, to 5 · 10⁻⁴ (Abramowitz and Stegun, *Handbook of Mathematical
/// Functions*, 26.2.23).
pub(super) fn quantile(q: f64) -> f64 {
    let t = (-2.0 * (1.0 - q).ln()).sqrt();
    let numerator = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let denominator = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    t - numerator / denominator
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_are_the_tabulated_ones() {
        for (q, exact) in
            [(0.5, 0.0), (0.9, 1.2816), (0.95, 1.6449), (0.99, 2.3263), (0.999, 3.0902)]
        {
            assert!((quantile(q) - exact).abs() < 5e-4, "{q}");
        }
    }
}
