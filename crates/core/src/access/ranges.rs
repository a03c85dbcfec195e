//! Ranges: which of many nested ranges of numbers is the innermost around a number.

/// A number that an address is.
pub(super) trait Number: Copy + Ord {
    /// The lowest.
    const LOWEST: Self;

    /// The next one; `None` after the highest.
    fn next(self) -> Option<Self>;
}

impl Number for u32 {
    const LOWEST: Self = 0;

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Number for u128 {
    const LOWEST: Self = 0;

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// A range: its first number, its last one, and what is found there.
pub(super) type Range<N> = (N, N, u32);

/// Ranges of which each two are apart or one in the other, laid out flat: where a number falls, one search finds what
/// the innermost range around it holds. A table of 100,000 takes 200,001 places at most.
#[derive(Debug, Clone)]
pub(super) struct Ranges<N> {
    /// Where what is found changes, ascending; the first is the lowest number.
    starts: Box<[N]>,
    /// What is found from there on.
    found: Box<[Option<u32>]>,
}

impl<N: Number> Ranges<N> {
    /// The table of these ranges, outer before inner; of two with the same bounds the later one counts.
    pub(super) fn new(ranges: &[Range<N>]) -> Self {
        let mut flat = Flat { starts: vec![N::LOWEST], found: vec![None] };
        let mut around: Vec<(N, u32)> = Vec::new();
        for &(first, last, value) in ranges {
            flat.leave(&mut around, |end| end < first);
            flat.change(first, Some(value));
            around.push((last, value));
        }
        flat.leave(&mut around, |_| true);
        Self { starts: flat.starts.into(), found: flat.found.into() }
    }

    /// What the innermost range around `number` holds.
    pub(super) fn find(&self, number: N) -> Option<u32> {
        let after = self.starts.partition_point(|start| *start <= number);
        self.found.get(after.wrapping_sub(1)).copied().flatten()
    }
}

/// A table under way.
struct Flat<N> {
    starts: Vec<N>,
    found: Vec<Option<u32>>,
}

impl<N: Number> Flat<N> {
    /// Leave the innermost of the ranges `around` as long as its end is one to leave.
    fn leave(&mut self, around: &mut Vec<(N, u32)>, is_left: impl Fn(N) -> bool) {
        while let Some((end, _)) = around.pop_if(|(end, _)| is_left(*end)) {
            if let Some(behind) = end.next() {
                self.change(behind, around.last().map(|(_, value)| *value));
            }
        }
    }

    /// From `start` on this is found.
    fn change(&mut self, start: N, found: Option<u32>) {
        match self.starts.last() {
            Some(last) if *last == start => {
                self.found.pop();
            }
            _ => self.starts.push(start),
        }
        self.found.push(found);
    }
}
