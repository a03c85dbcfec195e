//! The numeric parameters of queries that models are told of: which ones, and their values.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use super::branch::below;
use super::number::number;

/// Parameters that are remembered.
pub(super) const REMEMBERED: usize = 4;
/// Names that are counted at a time.
const COUNTED: usize = 32;
/// Parameters of one query that are looked at.
const LOOKED_AT: usize = 32;
/// Requests with a numeric parameter after which the most frequent names are found …
const ROUND: u32 = 256;
/// … each in one of so many of them at least.
const FEWEST: u32 = 16;
/// In place of a name: none yet.
const NONE: u64 = 0;

/// Which numeric query parameters of an upstream are its most frequent ones, learnt from its requests. A parameter
/// keeps its place: what a model was taught of a place holds.
#[derive(Debug)]
pub(super) struct Parameters {
    seed: u64,
    /// Hashes of the names that have a place.
    places: [AtomicU64; REMEMBERED],
    /// Those that have none yet; where two threads count at once, one does not.
    counts: Mutex<Counts>,
}

/// How often names were seen, in a bounded table: a name without room takes that of the rarest, with its count
/// (Space-Saving: Metwally et al., ICDT 2005).
#[derive(Debug, Default)]
struct Counts {
    requests: u32,
    names: Vec<(u64, u32)>,
}

/// What a query has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Query {
    /// Parameters.
    pub(super) count: usize,
    /// The numbers of those that have a place.
    pub(super) numbers: [Option<f64>; REMEMBERED],
}

impl Parameters {
    /// None has a place yet. Names are hashed with `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, places: Default::default(), counts: Mutex::default() }
    }

    /// The hashes of the names that have a place.
    pub(super) fn known(&self) -> [u64; REMEMBERED] {
        self.places.each_ref().map(|place| place.load(Relaxed))
    }

    /// Give places to the names that [had](Self::known) them.
    pub(super) fn restore(&self, names: &[u64; REMEMBERED]) {
        for (place, name) in self.places.iter().zip(names) {
            place.store(*name, Relaxed);
        }
    }

    /// What `query` has; its numeric parameters are counted while there are places.
    pub(super) fn take(&self, query: &str) -> Query {
        let mut taken = Query { count: 0, numbers: [None; REMEMBERED] };
        if query.is_empty() {
            return taken;
        }
        let places = self.places.each_ref().map(|place| place.load(Relaxed));
        let mut counts = places.contains(&NONE).then(|| self.counts.try_lock()).flatten();
        let mut is_counted = false;
        for (index, parameter) in query.split('&').enumerate() {
            taken.count = index + 1;
            let value = parameter.split_once('=').filter(|_| index < LOOKED_AT);
            let Some((name, value)) = value.and_then(|(name, value)| Some((name, number(value)?)))
            else {
                continue;
            };
            let name = below(self.seed, name.as_bytes()).max(1);
            match places.iter().position(|place| *place == name) {
                Some(place) => taken.numbers[place] = Some(value),
                None => {
                    if let Some(counts) = &mut counts {
                        counts.add(name);
                        is_counted = true;
                    }
                }
            }
        }
        if let Some(counts) = counts.as_mut().filter(|_| is_counted) {
            counts.requests += 1;
            if counts.requests >= ROUND {
                self.give_places(std::mem::take(counts));
            }
        }
        taken
    }

    /// Give the places that are left to the most frequent names. Called by the one thread that counts.
    fn give_places(&self, mut counts: Counts) {
        counts.names.retain(|(_, count)| count * FEWEST >= counts.requests);
        counts.names.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let left = self.places.iter().filter(|place| place.load(Relaxed) == NONE);
        for (place, (name, _)) in left.zip(counts.names) {
            place.store(name, Relaxed);
        }
    }
}

impl Counts {
    fn add(&mut self, name: u64) {
        if let Some((_, count)) = self.names.iter_mut().find(|(known, _)| *known == name) {
            *count += 1;
        } else if self.names.len() < COUNTED {
            self.names.push((name, 1));
        } else if let Some(rarest) = self.names.iter_mut().min_by_key(|(_, count)| *count) {
            *rarest = (name, rarest.1 + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(queries: impl IntoIterator<Item = String>) -> Parameters {
        let parameters = Parameters::new(7);
        queries.into_iter().for_each(|query| _ = parameters.take(&query));
        parameters
    }

    #[test]
    fn the_most_frequent_numeric_parameters_get_the_places_in_their_order() {
        let query = |n: u32| {
            let rare = if n.is_multiple_of(3) { "&size=5" } else { "" };
            format!("page={n}&name=x{n}{rare}")
        };
        let parameters = after((0..300).map(query));
        let taken = parameters.take("size=10&name=3x&page=4&flag");
        assert_eq!(taken.count, 4);
        assert_eq!(taken.numbers, [Some(4.0), Some(10.0), None, None]);
    }

    #[test]
    fn a_place_is_kept_whatever_comes_later() {
        let parameters = after((0..300).map(|n| format!("page={n}")));
        (0..3_000).for_each(|n| _ = parameters.take(&format!("a={n}&b=1&c=2&d=3&e=4")));
        let numbers = parameters.take("page=7&a=1&b=2&c=3&d=4&e=5").numbers;
        assert_eq!(numbers[0], Some(7.0));
        assert!(numbers.iter().all(Option::is_some), "{numbers:?}");
    }

    #[test]
    fn names_that_are_made_up_get_no_place() {
        let made_up = |n: u32| format!("x{n}=1&y{n}=2&page={n}");
        let numbers = after((0..2_000).map(made_up)).take("page=3&x1=1&y1=2").numbers;
        assert!(numbers.contains(&Some(3.0)), "{numbers:?}");
    }

    #[test]
    fn a_query_without_end_costs_no_more_than_its_first_parameters() {
        let long = vec!["a=1"; 10_000].join("&");
        assert_eq!(Parameters::new(7).take(&long).count, 10_000);
        assert_eq!(Parameters::new(7).take("").count, 0);
    }
}
