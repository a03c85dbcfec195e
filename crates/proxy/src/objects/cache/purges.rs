//! Purges: what is stored and may not be used any more, or not without being validated.
//!
//! A purge is a note in a small table that entries are compared with as they are used, so that it holds for every worker
//! once it is made, whatever it takes away, and for what is just being filled. What a sweep has taken away need not be
//! noted any longer.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::{Mutex, MutexGuard, RwLock};
use tidegate_core::cache::key::Url;
use tidegate_core::time::Moment;

use super::entry::Entry;
use super::purge::{Force, Purge, Target, Told, written};

/// Purges that a process may have made and not told before it was killed, at the most.
const MOST_UNTOLD: u64 = 1 << 32;

/// The purges that are noted.
#[derive(Debug, Default)]
pub struct Purges {
    /// The number of the last one.
    last: AtomicU64,
    noted: RwLock<Noted>,
    under_way: Mutex<Asked>,
    /// Up to which number they were forgotten, locked with `under_way`.
    forgotten: AtomicU64,
}

/// How many responses are under way.
#[derive(Debug, Default)]
struct Asked {
    /// By the number of the last purge when they were asked for.
    by_purge: BTreeMap<u64, usize>,
    /// By their URL.
    by_url: HashMap<u128, usize>,
}

/// A response that is asked for: purges that are made until it is stored take it.
#[derive(Debug)]
pub struct AskedAt {
    purges: Arc<Purges>,
    /// The number of the purge that was the last then.
    pub number: u64,
    /// Hash of its URL, where it is one to `GET`.
    url: Option<u128>,
}

/// By target the numbers of the last soft and the last hard purge.
#[derive(Debug, Default)]
struct Noted {
    exact: HashMap<Target, Numbers>,
    prefixes: Vec<(Box<str>, Numbers)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    soft: u64,
    hard: u64,
}

impl Purges {
    /// The number of the last purge. What is asked for from now on is not taken by it.
    pub fn last(&self) -> u64 {
        self.last.load(Relaxed)
    }

    /// A response is asked for from now on, where it is one to `GET` for the URL of this hash.
    pub fn ask(self: &Arc<Self>, url: Option<u128>) -> AskedAt {
        let under_way = self.under_way.lock();
        self.asked(self.last(), url, under_way)
    }

    fn asked(
        self: &Arc<Self>,
        number: u64,
        url: Option<u128>,
        mut under_way: MutexGuard<'_, Asked>,
    ) -> AskedAt {
        *under_way.by_purge.entry(number).or_default() += 1;
        if let Some(url) = url {
            *under_way.by_url.entry(url).or_default() += 1;
        }
        AskedAt { purges: self.clone(), number, url }
    }

    /// Whether a response to `GET` is under way for the URL of this hash.
    pub fn awaits(&self, url: u128) -> bool {
        self.under_way.lock().by_url.contains_key(&url)
    }

    /// `entry`, as it was compared last, is under way from now on, to another place. `None` where purges that were made
    /// since then are forgotten.
    pub(super) fn hold(self: &Arc<Self>, entry: &Entry) -> Option<AskedAt> {
        let under_way = self.under_way.lock();
        let number = entry.compared.load(Relaxed);
        if number < self.forgotten.load(Relaxed) {
            return None;
        }
        Some(self.asked(number, Some(entry.key.url), under_way))
    }

    /// Note the purges of a process that has ended. What it stored is older than what is asked for from now on, even where
    /// it could not tell its last purges.
    pub(super) fn recall(&self, told: Told) {
        let mut noted = self.noted.write();
        told.purges.into_iter().for_each(|Purge { number, target, force }| {
            let numbers = noted.numbers(target);
            match force {
                Force::Soft => numbers.soft = numbers.soft.max(number),
                Force::Hard => numbers.hard = numbers.hard.max(number),
            }
        });
        self.last.fetch_max(told.last.saturating_add(MOST_UNTOLD), Relaxed);
    }

    /// All that is noted.
    pub(super) fn told(&self) -> Told {
        let noted = self.noted.read();
        let exact = noted.exact.iter().map(|(target, numbers)| (target.clone(), numbers));
        let prefixes = noted
            .prefixes
            .iter()
            .map(|(prefix, numbers)| (Target::Prefix(prefix.clone()), numbers));
        let purges = exact.chain(prefixes).flat_map(|(target, numbers)| {
            let forces = [(Force::Soft, numbers.soft), (Force::Hard, numbers.hard)];
            let made = forces.into_iter().filter(|(_, number)| *number > 0);
            made.map(move |(force, number)| Purge { number, target: target.clone(), force })
        });
        Told { last: self.last(), purges: purges.collect() }
    }

    /// Purge `target`. Returns the number of this purge.
    pub fn add(&self, target: Target, force: Force) -> u64 {
        let mut noted = self.noted.write();
        let number = self.last.load(Relaxed) + 1;
        let numbers = noted.numbers(target);
        match force {
            Force::Soft => numbers.soft = number,
            Force::Hard => numbers.hard = number,
        }
        // Behind the note, so that a worker that sees the number finds it.
        self.last.store(number, Relaxed);
        number
    }

    /// Whether `entry` may still be used, perhaps as a stale one.
    pub fn spare(&self, entry: &Entry, now: Moment) -> bool {
        let last = self.last();
        if entry.compared.load(Relaxed) == last {
            return true;
        }
        let noted = self.noted.read();
        let last = self.last();
        let numbers = noted.of(entry);
        if numbers.hard > entry.asked_at {
            return false;
        }
        if numbers.soft > entry.asked_at {
            entry.soften(now);
        }
        entry.compared.store(last, Relaxed);
        true
    }

    /// The number up to which all that purges take is stored, or never will be: what was asked for before is not under way
    /// any more.
    pub fn settled(&self) -> u64 {
        let under_way = self.under_way.lock();
        let oldest = under_way.by_purge.keys().next();
        oldest.map_or_else(|| self.last(), |&oldest| oldest)
    }

    /// Forget the purges up to the number `swept`: nothing that they take is stored any more. Those stay noted that take
    /// what is still under way.
    pub fn forget(&self, swept: u64) {
        let swept = {
            let under_way = self.under_way.lock();
            let swept = under_way.by_purge.keys().next().map_or(swept, |&oldest| oldest.min(swept));
            self.forgotten.fetch_max(swept, Relaxed);
            swept
        };
        let mut noted = self.noted.write();
        let is_left = |numbers: &Numbers| numbers.soft.max(numbers.hard) > swept;
        noted.exact.retain(|_, numbers| is_left(numbers));
        noted.prefixes.retain(|(_, numbers)| is_left(numbers));
    }

    /// How many are noted.
    pub fn noted(&self) -> usize {
        let noted = self.noted.read();
        noted.exact.len() + noted.prefixes.len()
    }
}

impl Noted {
    /// The last purges of `target`.
    fn numbers(&mut self, target: Target) -> &mut Numbers {
        match target {
            Target::Prefix(prefix) => {
                let at = self.prefixes.iter().position(|(other, _)| *other == prefix);
                let at = at.unwrap_or_else(|| {
                    self.prefixes.push((prefix, Numbers::default()));
                    self.prefixes.len() - 1
                });
                &mut self.prefixes[at].1
            }
            exact => self.exact.entry(exact).or_default(),
        }
    }

    /// The last purges of each force that take `entry`.
    fn of(&self, entry: &Entry) -> Numbers {
        let key = &entry.key;
        let mut last = Numbers::default();
        let mut add = |numbers: &Numbers| {
            last.soft = last.soft.max(numbers.soft);
            last.hard = last.hard.max(numbers.hard);
        };
        let named = [Target::All, Target::Url(key.url), Target::Key(key.hash)];
        let tags = entry.tags.hashes().iter().copied().map(Target::Tag);
        let url = Url::of_key(&key.text);
        let host = url.map(|url| Target::host(url.host));
        let targets = named.into_iter().chain(tags).chain(host);
        targets.filter_map(|each| self.exact.get(&each)).for_each(&mut add);
        if let Some(url) = url.filter(|_| !self.prefixes.is_empty()) {
            let text = written(&url);
            let prefixes = self.prefixes.iter().filter(|(prefix, _)| text.starts_with(&**prefix));
            prefixes.for_each(|(_, numbers)| add(numbers));
        }
        last
    }
}

impl Drop for AskedAt {
    fn drop(&mut self) {
        let mut under_way = self.purges.under_way.lock();
        let Asked { by_purge, by_url } = &mut *under_way;
        if let Some(count) = by_purge.get_mut(&self.number) {
            *count -= 1;
            if *count == 0 {
                by_purge.remove(&self.number);
            }
        }
        if let Some(url) = self.url
            && let Some(count) = by_url.get_mut(&url)
        {
            *count -= 1;
            if *count == 0 {
                by_url.remove(&url);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_is_noted_until_a_sweep_that_begins_after_all_that_it_takes_is_stored() {
        let purges = Arc::<Purges>::default();
        let asked = purges.ask(None);
        purges.add(Target::All, Force::Hard);
        let swept = purges.settled();
        // It is stored while the sweep runs, which may have passed its place.
        drop(asked);
        purges.forget(swept);
        assert_eq!(purges.noted(), 1);
        purges.forget(purges.settled());
        assert_eq!(purges.noted(), 0);
    }

    #[test]
    fn a_url_is_awaited_until_all_its_responses_are_over() {
        let purges = Arc::<Purges>::default();
        let asked = [purges.ask(Some(7)), purges.ask(Some(7)), purges.ask(None)];
        assert!(purges.awaits(7) && !purges.awaits(8));
        let [first, second, _other] = asked;
        drop(first);
        assert!(purges.awaits(7));
        drop(second);
        assert!(!purges.awaits(7));
    }

    #[test]
    fn a_host_is_known_without_its_port_and_last_dot() {
        for host in ["shop.example", "Shop.Example:443", "shop.example.", "shop.example.:80"] {
            assert_eq!(Target::host(host), Target::Host("shop.example".into()), "{host}");
        }
        assert_eq!(Target::host("[::1]:80"), Target::Host("[::1]".into()));
    }
}
