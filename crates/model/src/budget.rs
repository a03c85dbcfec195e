//! How long a model may take for an answer.

use std::time::Duration;

use tidegate_core::predict::features::Features;

use super::refusal::Refusal;

/// What the 99th percentile of answers may take.
pub const BUDGET: Duration = Duration::from_micros(5);
/// Answers that are timed, one by one.
const ANSWERS: usize = 1_000;
/// One of so many may be above.
const OF: usize = 100;
/// How long these answers may take together: what takes longer is too slow in any case.
const ROUND: Duration = Duration::from_millis(100);
/// For how long it is tried again: where other threads want the processor as well, the time is not the model's.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether `answer` keeps within the budget on these `inputs`, by the clock `now`.
pub(super) fn check<'f>(
    inputs: impl Iterator<Item = &'f Features> + Clone,
    answer: impl Fn(&Features) -> f32,
    now: &dyn Fn() -> Duration,
) -> Result<(), Refusal> {
    let (began, mut best) = (now(), Duration::MAX);
    loop {
        best = best.min(percentile(inputs.clone(), &answer, now));
        if best <= BUDGET {
            return Ok(());
        }
        if now().saturating_sub(began) > PATIENCE {
            return Err(Refusal::TooSlow(best, BUDGET));
        }
    }
}

/// What 99 of 100 answers take at most.
fn percentile<'f>(
    inputs: impl Iterator<Item = &'f Features> + Clone,
    answer: impl Fn(&Features) -> f32,
    now: &dyn Fn() -> Duration,
) -> Duration {
    let (round, mut took) = (now(), Vec::with_capacity(ANSWERS));
    for features in inputs.cycle().take(ANSWERS) {
        let began = now();
        std::hint::black_box(answer(features));
        let ended = now();
        took.push(ended.saturating_sub(began));
        if ended.saturating_sub(round) > ROUND {
            break;
        }
    }
    took.sort_unstable();
    let above = took.len() / OF;
    took.len().checked_sub(above + 1).map_or(Duration::ZERO, |place| took[place])
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
        assert_eq!(checked(long(50)), Err(Refusal::TooSlow(Duration::from_micros(900), BUDGET)));
    }

    #[test]
    fn a_round_that_was_disturbed_does_not_count() {
        let disturbed = |n: u32| Duration::from_micros(if n < 2_500 { 50 } else { 3 });
        assert_eq!(checked(disturbed), Ok(()));
    }
}
