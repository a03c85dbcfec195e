//! How long a model may take for an answer.

use std::time::Duration;

use tidegate_core::predict::features::Features;

use super::refusal::Refusal;

/// What the 99th percentile of answers may take.
pub const BUDGET: Duration = Duration::from_micros(5);
/// Answers that are timed, one by one.
const ANSWERS: usize = 1_000;
/// Of these may be above.
const ABOVE: usize = ANSWERS / 100;
/// How often it may try: where other threads want the processor as well, the time is not the model's.
const ROUNDS: usize = 5;

/// Whether `answer` keeps within the budget on these `inputs`, by the clock `now`.
pub(super) fn check<'f>(
    inputs: impl Iterator<Item = &'f Features> + Clone,
    answer: impl Fn(&Features) -> f32,
    now: &dyn Fn() -> Duration,
) -> Result<(), Refusal> {
    let round = |_| {
        let mut took: Vec<_> = inputs
            .clone()
            .cycle()
            .take(ANSWERS)
            .map(|features| {
                let began = now();
                std::hint::black_box(answer(features));
                now().saturating_sub(began)
            })
            .collect();
        took.sort_unstable();
        took[took.len().saturating_sub(ABOVE + 1)..].first().copied().unwrap_or_default()
    };
    let mut best = Duration::MAX;
    for percentile in (0..ROUNDS).map(round) {
        best = best.min(percentile);
        if best <= BUDGET {
            return Ok(());
        }
    }
    Err(Refusal::TooSlow(best))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tidegate_core::predict::features::COUNT;

    use super::*;

    /// What is said where each answer takes as long as `takes` says of its number.
    fn checked(takes: impl Fn(u32) -> Duration) -> Result<(), Refusal> {
        let (time, asked) = (Cell::new(Duration::ZERO), Cell::new(0));
        let answer = |_: &Features| {
            asked.set(asked.get() + 1);
            time.set(time.get() + takes(asked.get()));
            0.0
        };
        check([[0.0; COUNT]].iter(), answer, &|| time.get())
    }

    #[test]
    fn one_answer_of_a_hundred_may_take_longer() {
        let long = |every: u32| {
            move |n: u32| Duration::from_micros(if n.is_multiple_of(every) { 900 } else { 4 })
        };
        assert_eq!(checked(long(100)), Ok(()));
        assert_eq!(checked(long(50)), Err(Refusal::TooSlow(Duration::from_micros(900))));
    }

    #[test]
    fn a_round_that_was_disturbed_does_not_count() {
        let disturbed = |n: u32| Duration::from_micros(if n < 2_500 { 50 } else { 3 });
        assert_eq!(checked(disturbed), Ok(()));
    }
}
