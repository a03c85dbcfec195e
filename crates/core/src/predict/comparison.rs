//! Whether predictions do good: the same upstream with and without them, by turns.
//!
//! How well predictions hit says nothing of what follows from them. So time is cut into periods, and these
//! into slots; in one of them, drawn at random, nothing is predicted. A request belongs to the slot in which it
//! comes, and its latency, from there to the end of the response, counts as a logarithm less that of what such requests
//! cost. Each period gives one difference: between the mean of the slots with predictions and that of the one without.
//! Were predictions worth nothing, any slot could as well have been the one without, whatever the load did meanwhile
//! (randomization inference: Fisher, *The Design of Experiments*, 1935): so the differences have the mean 0, although
//! waiting makes neighbouring requests alike. A [confidence sequence](Sequence) over them is what decides.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

use super::sequence::{Interval, Sequence};
use crate::balance::SplitMix64;
use crate::time::Moment;

/// As long as it is not known what predictions do, a tenth of a second of each five is without them: so short that hardly a queue
/// builds up in it …
const OPEN: Cut = Cut { slots: 50, slot: Duration::from_millis(100), ..Cut::NONE };
/// … and once they are known to do good, a fifth of a second of each twenty.
const PROVEN: Cut = Cut { slots: 100, slot: Duration::from_millis(200), ..Cut::NONE };
/// Most slots of a period.
const MOST: usize = 100;
/// Predictions are off where requests take longer with them by more than this part: as a logarithm.
const HARM: f64 = 0.019_802_627; // ln 1.02
/// After this time a sequence begins anew, so that it tells how things are and not how they were.
const REMEMBERED: Duration = Duration::from_hours(1);
/// How long predictions are off the first time; then twice that, and so on.
const OFF: Duration = Duration::from_mins(10);
/// No longer than this.
const LONGEST_OFF: Duration = Duration::from_hours(24);
/// A logarithm counts as no more than this, up or down, so that no single request decides; and as that where a request was
/// not let in at all.
const LARGEST: f32 = 5.0;

/// Which of two a request is in: with or without predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arm {
    /// Whether predictions count for it.
    pub predicts: bool,
    /// Where its latency is counted, if it is.
    place: Option<Place>,
}

/// A slot of a period, which is told from others by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    period: u8,
    slot: u8,
}

impl Arm {
    /// With predictions, and not compared.
    pub const PREDICTED: Self = Self { predicts: true, place: None };
    /// Without, and not compared.
    pub const PLAIN: Self = Self { predicts: false, place: None };
}

/// What a comparison came to just now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Turn {
    /// Predictions are off from now on.
    Off {
        /// How much longer requests took with them: 0.1 is a tenth.
        worse_by: f64,
        /// For how long.
        length: Duration,
    },
    /// They are on again.
    On,
}

/// What is known of what predictions do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing yet.
    Open,
    /// They make requests quicker.
    Proven,
    /// They make them slower, and are off until then.
    Off(Moment),
}

/// How a comparison stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// What is known.
    pub stage: Stage,
    /// Periods that were compared since the sequence began.
    pub periods: u32,
    /// How many times what they cost requests took in the mean, with and without predictions.
    pub slowdowns: [f64; 2],
    /// How many times as long they take with predictions as without: with 99 % confidence between these.
    pub ratio: Interval,
}

/// Compares an upstream's requests with and without predictions, and turns these off where they do harm.
#[derive(Debug)]
pub struct Comparison {
    /// When the period is over, or the time in which predictions are off.
    ends: AtomicU64,
    /// How the period is [`Cut`].
    cut: AtomicU64,
    /// For each slot the number of requests and the sum of their logarithms: see [`Sums`].
    slots: [AtomicU64; MOST],
    times_off: AtomicU64,
    /// Whether the latest request came in the slot without predictions.
    pauses: AtomicBool,
    course: Mutex<Course>,
}

/// What happened so far.
#[derive(Debug)]
struct Course {
    random: SplitMix64,
    stage: Stage,
    /// The differences since this moment.
    sequence: Sequence,
    since: Moment,
    /// The mean logarithms of both arms.
    arms: [Sequence; 2],
    next_off: Duration,
}

impl Comparison {
    /// One that knows nothing; the slots are drawn by `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            ends: AtomicU64::new(0),
            cut: AtomicU64::new(Cut::NONE.packed()),
            slots: [const { AtomicU64::new(0) }; MOST],
            times_off: AtomicU64::new(0),
            pauses: AtomicBool::new(false),
            course: Mutex::new(Course {
                random: SplitMix64::new(seed),
                stage: Stage::Open,
                sequence: Sequence::default(),
                since: Moment::default(),
                arms: Default::default(),
                next_off: OFF,
            }),
        }
    }

    /// The arm of a request that comes now. One that comes in the very instant in which a period ends may be counted in
    /// a slot that it does not belong to.
    pub fn arm(&self, now: Moment) -> Arm {
        let cut = self.cut();
        if cut.slots == 0 {
            return Arm::PLAIN;
        }
        let begun = Moment(self.ends.load(Relaxed)).before(cut.length());
        let slot = now.since(begun).as_nanos() as u64 / cut.slot.as_nanos() as u64;
        let slot = slot.min(u64::from(cut.slots) - 1) as u8;
        let predicts = slot != cut.control;
        if self.pauses.load(Relaxed) == predicts {
            self.pauses.store(!predicts, Relaxed);
        }
        Arm { predicts, place: Some(Place { period: cut.period, slot }) }
    }

    fn cut(&self) -> Cut {
        Cut::unpacked(self.cut.load(Relaxed))
    }

    /// Whether predictions are off.
    pub fn is_off(&self) -> bool {
        self.cut().slots == 0
    }

    /// Whether none is held back now: predictions are off, or this is the slot without them.
    pub fn pauses(&self) -> bool {
        self.pauses.load(Relaxed) || self.is_off()
    }

    /// A request of this arm took e^`slowdown` times what such requests cost.
    pub fn record(&self, arm: Arm, slowdown: f32) {
        if let Some(Place { period, slot }) = arm.place
            && self.cut().period == period
        {
            self.slots[usize::from(slot)].fetch_add(Sums::one(slowdown), Relaxed);
        }
    }

    /// A request of this arm was not let in.
    pub fn refused(&self, arm: Arm) {
        self.record(arm, LARGEST);
    }

    /// Go on to the next period, where this one is over. One load, unless it is.
    pub fn renew(&self, now: Moment) -> Option<Turn> {
        let is_over = || now >= Moment(self.ends.load(Relaxed));
        if !is_over() {
            return None;
        }
        let mut course = self.course.try_lock().filter(|_| is_over())?;
        let turn = match course.stage {
            Stage::Off(_) => {
                course.stage = Stage::Open;
                Some(Turn::On)
            }
            _ => self.difference().and_then(|arms| course.learn(arms, now)),
        };
        if let Some(Turn::Off { .. }) = turn {
            self.times_off.fetch_add(1, Relaxed);
        }
        self.begin(&mut course, now);
        turn
    }

    /// The mean logarithms of the slots with and without predictions; `None`: one of both has none.
    fn difference(&self) -> Option<[f64; 2]> {
        let Cut { slots, control, .. } = self.cut();
        let mean = |slot: u8| Sums::mean(self.slots.get(usize::from(slot))?.load(Relaxed));
        let with = (0..slots).filter(|&slot| slot != control).filter_map(mean);
        let (count, sum) = with.fold((0.0, 0.0), |(count, sum), mean| (count + 1.0, sum + mean));
        let without = mean(control)?;
        (count > 0.0).then_some([sum / count, without])
    }

    fn begin(&self, course: &mut Course, now: Moment) {
        let mut cut = course.stage.cut();
        cut.period = self.cut().period.wrapping_add(1);
        cut.control = course.random.below(cut.slots.into()) as u8;
        self.slots.iter().for_each(|slot| slot.store(0, Relaxed));
        let ends = match course.stage {
            Stage::Off(until) => until,
            Stage::Open | Stage::Proven => now.after(cut.length()),
        };
        self.ends.store(ends.0, Relaxed);
        self.cut.store(cut.packed(), Relaxed);
    }

    /// How often predictions were turned off.
    pub fn times_off(&self) -> u64 {
        self.times_off.load(Relaxed)
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let course = self.course.lock();
        let Interval { low, high } = course.sequence.interval();
        Standing {
            stage: course.stage,
            periods: course.sequence.count(),
            slowdowns: course.arms.map(|arm| arm.mean().exp()),
            ratio: Interval { low: low.exp(), high: high.exp() },
        }
    }
}

impl Course {
    /// The mean logarithms of a period with and without predictions were these.
    fn learn(&mut self, [with, without]: [f64; 2], now: Moment) -> Option<Turn> {
        self.sequence.add(with - without);
        self.arms[0].add(with);
        self.arms[1].add(without);
        let Interval { low, high } = self.sequence.interval();
        if low > HARM {
            let (worse_by, length) = (self.sequence.mean().exp_m1(), self.next_off);
            self.stage = Stage::Off(now.after(length));
            self.next_off = LONGEST_OFF.min(2 * length);
            self.forget(now);
            return Some(Turn::Off { worse_by, length });
        }
        let is_better = high < 0.0;
        if is_better && self.stage == Stage::Open {
            (self.stage, self.next_off) = (Stage::Proven, OFF);
            self.forget(now);
        } else if now.since(self.since) >= REMEMBERED {
            self.stage = if is_better { Stage::Proven } else { Stage::Open };
            self.forget(now);
        }
        None
    }

    fn forget(&mut self, now: Moment) {
        (self.sequence, self.arms, self.since) = (Sequence::default(), Default::default(), now);
    }
}

impl Stage {
    fn cut(self) -> Cut {
        match self {
            Self::Open => OPEN,
            Self::Proven => PROVEN,
            Self::Off(_) => Cut { slots: 0, ..OPEN },
        }
    }
}

/// How a period is cut: its number, the slots that there are, their length, and the one without predictions.
#[derive(Debug, Clone, Copy)]
struct Cut {
    period: u8,
    slots: u8,
    control: u8,
    slot: Duration,
}

impl Cut {
    /// Before the first period.
    const NONE: Self = Self { period: 0, slots: 1, control: u8::MAX, slot: Duration::from_secs(1) };

    /// The whole period.
    fn length(self) -> Duration {
        self.slot * u32::from(self.slots)
    }

    fn packed(self) -> u64 {
        let [low, high] = (self.slot.as_millis() as u16).to_le_bytes();
        u64::from_le_bytes([self.period, self.slots, self.control, low, high, 0, 0, 0])
    }

    fn unpacked(packed: u64) -> Self {
        let [period, slots, control, low, high, ..] = packed.to_le_bytes();
        let slot = Duration::from_millis(u16::from_le_bytes([low, high]).into());
        Self { period, slots, control, slot }
    }
}

/// Requests of a slot and the sum of their logarithms, in one word: 24 bits of number, 40 of sum, in steps of 2^-STEPS
/// from −LARGEST on.
struct Sums;

impl Sums {
    const COUNT_AT: u32 = 40;
    const STEPS: f32 = 256.0;

    fn one(logarithm: f32) -> u64 {
        let steps = (logarithm.clamp(-LARGEST, LARGEST) + LARGEST) * Self::STEPS;
        1 << Self::COUNT_AT | steps as u64
    }

    fn mean(packed: u64) -> Option<f64> {
        let (count, sum) = (packed >> Self::COUNT_AT, packed & ((1 << Self::COUNT_AT) - 1));
        let mean = || sum as f64 / count as f64 / f64::from(Self::STEPS) - f64::from(LARGEST);
        (count > 0).then(mean)
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    const START: Moment = Moment(1_000_000_000);

    fn millis(millis: u64) -> Moment {
        START.after(Duration::from_millis(millis))
    }

    /// Requests every 10 ms, from one second on to another; those of each arm take e^slowdown(predicts, ms) times their cost.
    fn run(
        comparison: &Comparison,
        seconds: std::ops::Range<u64>,
        mut slowdown: impl FnMut(bool, u64) -> f32,
    ) -> Vec<(u64, Turn)> {
        let mut turns = Vec::new();
        for at in (seconds.start * 1_000..seconds.end * 1_000).step_by(10) {
            turns.extend(comparison.renew(millis(at)).map(|turn| (at / 1_000, turn)));
            let arm = comparison.arm(millis(at));
            comparison.record(arm, slowdown(arm.predicts, at));
        }
        turns
    }

    /// Waits that rise and fall together for seconds, whatever is predicted.
    fn waiting(seed: u64) -> impl FnMut(u64) -> f32 {
        let (mut level, mut random) = (0.0, SplitMix64::new(seed));
        move |_| {
            level = 0.995 * level + 0.1 * (random.fraction() as f32 - 0.5);
            1.0 + level
        }
    }

    /// What part of 100 s from this second on is without predictions.
    fn share_of_control(comparison: &Comparison, from: u64) -> f64 {
        let without = (from * 1_000..(from + 100) * 1_000).step_by(10).filter(|&at| {
            comparison.renew(millis(at));
            !comparison.arm(millis(at)).predicts
        });
        without.count() as f64 / 10_000.0
    }

    #[test]
    fn a_fiftieth_of_the_time_is_without_predictions_until_they_have_proved_to_do_good_and_a_hundredth_then()
     {
        let comparison = Comparison::new(3);
        assert_eq!(share_of_control(&comparison, 0), 0.02);
        let mut noise = waiting(5);
        let better = |predicts, at| noise(at) - if predicts { 0.5 } else { 0.0 };
        assert_eq!(run(&comparison, 100..400, better), []);
        assert_eq!(comparison.standing().stage, Stage::Proven);
        let share = share_of_control(&comparison, 400);
        assert!((0.008..0.013).contains(&share), "{share}");
    }

    #[test]
    fn predictions_that_do_harm_are_off_for_ten_minutes_and_then_for_twice_that() {
        let comparison = Comparison::new(3);
        let mut noise = waiting(5);
        let turns =
            run(&comparison, 0..4_300, |predicts, at| noise(at) + if predicts { 0.5 } else { 0.0 });
        let lengths: Vec<_> = turns
            .iter()
            .filter_map(|(_, turn)| match turn {
                Turn::Off { worse_by, length } => {
                    assert!((0.4..1.0).contains(worse_by), "{worse_by}");
                    Some(length.as_secs() / 60)
                }
                Turn::On => None,
            })
            .collect();
        assert_eq!(lengths, [10, 20, 40]);
        let [(off, _), (on, Turn::On), ..] = turns[..] else { panic!("{turns:?}") };
        assert!(off < 120 && on == off + 600, "{turns:?}");
        assert_eq!(comparison.times_off(), 3);
    }

    #[test]
    fn while_they_are_off_nothing_is_predicted_nor_counted() {
        let comparison = Comparison::new(3);
        let turns = run(&comparison, 0..120, |predicts, _| if predicts { 0.5 } else { 0.0 });
        assert!(matches!(turns[..], [(_, Turn::Off { .. })]), "{turns:?}");
        assert!(comparison.is_off());
        assert_eq!(comparison.arm(millis(120_000)), Arm::PLAIN);
    }

    #[test]
    fn predictions_that_change_nothing_are_not_turned_off_however_the_waits_go_up_and_down() {
        for seed in 0..40 {
            let (comparison, mut noise) = (Comparison::new(seed), waiting(seed + 100));
            let turns = run(&comparison, 0..600, |_, at| noise(at));
            assert_eq!(turns, [], "seed {seed}");
        }
    }

    #[test]
    fn what_turns_harmful_after_it_did_good_is_found() {
        let comparison = Comparison::new(3);
        let mut noise = waiting(5);
        let turns = run(&comparison, 0..2_600, |predicts, at| match (predicts, at < 600_000) {
            (false, _) => noise(at),
            (true, true) => noise(at) - 0.5,
            (true, false) => noise(at) + 0.5,
        });
        let [(off, Turn::Off { .. }), ..] = turns[..] else { panic!("{turns:?}") };
        assert!((600..2_200).contains(&off), "{off}");
    }

    #[test]
    fn requests_that_are_not_let_in_count_as_slow() {
        let comparison = Comparison::new(3);
        let turns = run(&comparison, 0..120, |predicts, at| {
            if predicts && at % 50 == 0 {
                comparison.refused(comparison.arm(millis(at)));
            }
            0.0
        });
        assert!(matches!(turns[..], [(_, Turn::Off { .. })]), "{turns:?}");
    }

    #[test]
    fn a_request_that_ends_in_a_later_period_is_not_counted_there() {
        let comparison = Comparison::new(3);
        comparison.renew(START);
        let arm = comparison.arm(millis(4_990));
        comparison.renew(millis(5_000));
        comparison.record(arm, 3.0);
        assert!(comparison.slots.iter().all(|slot| slot.load(Relaxed) == 0));
    }

    #[test]
    fn hours_without_a_request_cost_one_period() {
        let comparison = Comparison::new(3);
        comparison.renew(START);
        comparison.record(comparison.arm(millis(1_000)), 3.0);
        let later = START.after(Duration::from_hours(1_000));
        assert!(comparison.arm(later).place.is_some());
        assert_eq!(comparison.renew(later), None);
        assert_eq!(comparison.standing().periods, 0);
        assert!(comparison.arm(later.after(OPEN.length() / 2)).place.is_some());
    }
}
