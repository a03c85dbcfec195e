//! A limit: windows that a request must all pass, and the pass of a request through all its limits.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::arrival::{Arrival, ticks};
use super::cost::{Cost, Ended};
use super::headers::Service;
use super::key::Key;
use super::policy::Policy;
use super::table::{OutOfMemory, Seen, Table};
use super::window::{Verdict, Window};
use crate::time::Moment;

/// What a limit does to requests over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They wait or are denied.
    Enforce,
    /// They are counted, and nothing else: neither they nor what other limits say of them depend on it.
    Shadow,
}

/// What a limit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Its name: a limit of the same name takes over what this one knows.
    pub name: Box<str>,
    /// A request must be let go by all of them.
    pub windows: Box<[Window]>,
    /// What becomes of requests over it.
    pub mode: Mode,
    /// How long a request may wait for its turn instead of being denied.
    pub patience: Duration,
    /// What a request costs.
    pub cost: Cost,
    /// Keys that are remembered at a time.
    pub keys: NonZeroUsize,
}

/// A limit and what it knows of the keys, shared by all workers.
#[derive(Debug)]
pub struct Limit {
    terms: Terms,
    meters: Box<[Meter]>,
}

/// A window and the arrival times of its keys.
#[derive(Debug)]
struct Meter {
    window: Window,
    policy: Policy,
    table: Arc<Table>,
}

impl Meter {
    /// What a key with this arrival time has left.
    fn service(&self, arrival: Arrival, now: Moment) -> Service<'_> {
        Service {
            policy: &self.policy,
            left: self.window.left(arrival, now),
            until_more: self.window.until_more(arrival, now),
            until_full: self.window.until_full(arrival, now),
            key: None,
        }
    }
}

impl Limit {
    /// A limit with these terms. Of `old`, the limit of this name before, it shares the tables that have the right size;
    /// nothing in them is changed.
    ///
    /// # Errors
    /// If there is no memory for the others.
    pub fn new(terms: Terms, old: Option<&Self>) -> Result<Self, OutOfMemory> {
        let unit = terms.cost.unit();
        let windows = terms.windows.iter().enumerate();
        let meters = windows.map(|(index, window)| {
            let before = old.and_then(|old| old.meter_before(&terms.windows, index));
            let table = before.map(|meter| &meter.table).filter(|table| table.keys() == terms.keys);
            let table = match table {
                Some(table) => table.clone(),
                None => Arc::new(Table::new(terms.keys)?),
            };
            let policy = Policy::of_window(&terms.name, index, window, unit);
            Ok(Meter { window: window.clone(), policy, table })
        });
        let meters = meters.collect::<Result<_, _>>()?;
        Ok(Self { terms, meters })
    }

    /// Go on where `old` ends at `now`, which it was made with. What a key has spent of a window stays spent where the
    /// numbers change; what it spends while this runs may count by either.
    pub fn succeed(&self, old: &Self, now: Moment) {
        for (index, meter) in self.meters.iter().enumerate() {
            let Some(before) = old.meter_before(&self.terms.windows, index) else { continue };
            let convert = |arrival| meter.window.converted(arrival, &before.window, now);
            if !Arc::ptr_eq(&meter.table, &before.table) {
                meter.table.fill(&before.table, now, convert);
            } else if meter.window != before.window {
                meter.table.convert(now, convert);
            }
        }
    }

    /// The meter that the window at `index` of `windows` takes over: that of a window with the same length, or else the
    /// one that had its place and is not another's.
    fn meter_before(&self, windows: &[Window], index: usize) -> Option<&Meter> {
        let per = windows[index].per();
        let same = self.meters.iter().find(|meter| meter.window.per() == per);
        let is_anothers = |meter: &&Meter| windows.iter().any(|w| w.per() == meter.window.per());
        same.or_else(|| self.meters.get(index).filter(|meter| !is_anothers(meter)))
    }

    /// What it says.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// How clients are told of the window at `index`.
    pub fn policy(&self, index: usize) -> Option<&Policy> {
        self.meters.get(index).map(|meter| &meter.policy)
    }

    /// What each window has left for `key`, and nothing charged.
    pub fn services(&self, key: Key, now: Moment) -> impl Iterator<Item = Service<'_>> {
        self.meters.iter().map(move |meter| meter.service(meter.table.look(key).arrival, now))
    }

    /// A request of `key` that was charged [`Cost::ahead`] is over: charge the rest as a debt that later requests wait
    /// for, or give back what was too much.
    pub fn settle(&self, key: Key, ended: &Ended, now: Moment) {
        let (ahead, total) = (self.terms.cost.ahead(), self.terms.cost.total(ended));
        if total > ahead {
            self.update(key, now, |window, arrival| window.spend(arrival, total - ahead, now));
        } else if total < ahead {
            self.give_back(key, ahead - total, now);
        }
    }

    /// Give back `units` that were charged to `key` for nothing.
    pub fn give_back(&self, key: Key, units: u64, now: Moment) {
        self.update(key, now, |window, arrival| window.give_back(arrival, units));
    }

    /// Give `key` a fresh bucket.
    pub fn forget(&self, key: Key, now: Moment) {
        self.update(key, now, |_, arrival| arrival.min(Arrival::at(now)));
    }

    fn update(&self, key: Key, now: Moment, change: impl Fn(&Window, Arrival) -> Arrival) {
        for meter in &self.meters {
            meter.table.update(key, now, |arrival| change(&meter.window, arrival));
        }
    }

    /// About how many keys have spent something that is not back yet.
    pub fn live_keys(&self, now: Moment) -> u64 {
        self.meters.iter().map(|meter| meter.table.live(now)).max().unwrap_or(0)
    }

    /// How many keys were forgotten before all they had spent was back, for want of room.
    pub fn evictions(&self) -> u64 {
        self.meters.iter().map(|meter| meter.table.evictions()).sum()
    }
}

/// One limit that is asked for one request.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// The limit.
    pub limit: &'a Limit,
    /// What the request shares its bucket with.
    pub key: Key,
    /// Units that it is charged now.
    pub cost: u64,
}

/// What one window said to one request.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Which demand, by its place in the pass.
    pub demand: usize,
    /// Which window, by its place in the limit.
    pub window: usize,
    /// What it said.
    pub verdict: Verdict,
    seen: Seen,
    next: Arrival,
    charged: bool,
}

impl Standing {
    /// What is left to the key after the request, which was one of `demands`.
    pub fn service<'a>(&self, demands: &'a [Demand<'_>], now: Moment) -> Service<'a> {
        let meter = &demands[self.demand].limit.meters[self.window];
        meter.service(if self.charged { self.next } else { self.seen.arrival }, now)
    }
}

/// A request's pass through several limits: what came of it, and what each window said.
///
/// Nothing is allocated for up to eight windows.
#[derive(Debug)]
pub struct Pass {
    /// What becomes of the request: the severest that a limit in force says.
    pub verdict: Verdict,
    /// What each window of each limit said, in their order.
    pub standings: SmallVec<[Standing; 8]>,
}

impl Demand<'_> {
    fn standings(self, index: usize, now: Moment) -> impl Iterator<Item = Standing> {
        (0..self.limit.meters.len()).map(move |window| self.standing(index, window, now))
    }

    #[inline]
    fn standing(&self, demand: usize, window: usize, now: Moment) -> Standing {
        let meter = &self.limit.meters[window];
        let seen = meter.table.look(self.key);
        let patience = ticks(self.limit.terms.patience);
        let (verdict, next) = meter.window.decide(seen.arrival, self.cost, patience, now);
        Standing { demand, window, verdict, seen, next, charged: false }
    }

    /// Charge all windows of the limit, or none if one has no room (any more).
    fn charge(&self, standings: &mut [Standing], now: Moment) -> bool {
        if standings.iter().any(|standing| standing.verdict.denies()) {
            return false;
        }
        let charged = standings.iter_mut().all(|standing| self.charge_one(standing, now));
        if !charged {
            standings.iter_mut().for_each(|standing| self.revoke(standing, now));
        }
        charged
    }

    fn charge_one(&self, standing: &mut Standing, now: Moment) -> bool {
        let table = &self.limit.meters[standing.window].table;
        // What costs nothing now leaves no trace.
        while self.cost > 0 && !standing.verdict.denies() {
            standing.charged = table.advance(self.key, standing.seen, standing.next, now);
            if standing.charged {
                break;
            }
            *standing = self.standing(standing.demand, standing.window, now);
        }
        !standing.verdict.denies()
    }

    /// Take a charge back.
    fn revoke(&self, standing: &mut Standing, now: Moment) {
        if std::mem::take(&mut standing.charged) {
            let Meter { window, table, .. } = &self.limit.meters[standing.window];
            table.update(self.key, now, |arrival| window.give_back(arrival, self.cost));
            standing.seen = table.look(self.key);
        }
    }

    fn enforces(&self) -> bool {
        self.limit.terms.mode == Mode::Enforce
    }
}

impl Pass {
    /// Ask all limits of `demands` for one request at `now`, and charge them all if those in force let it go. A limit in
    /// shadow is charged if it would let it go as well.
    pub fn new(demands: &[Demand<'_>], now: Moment) -> Self {
        let asked = demands.iter().enumerate();
        let standings = asked.flat_map(|(index, demand)| demand.standings(index, now)).collect();
        let mut pass = Self { verdict: Verdict::Allow, standings };
        pass.verdict = pass.severest(demands);
        // What is denied changes nothing, so that a flood of it is cheap.
        if !pass.verdict.denies() && !pass.charge(demands, now) {
            for standing in &mut pass.standings {
                demands[standing.demand].revoke(standing, now);
            }
            pass.verdict = pass.severest(demands);
        }
        pass
    }

    /// Charge what was seen to have room; false if another request has taken it from a limit in force meanwhile.
    fn charge(&mut self, demands: &[Demand<'_>], now: Moment) -> bool {
        self.standings.chunk_by_mut(|one, next| one.demand == next.demand).all(|standings| {
            let demand = &demands[standings[0].demand];
            demand.charge(standings, now) || !demand.enforces()
        })
    }

    /// What is left to the client by each window of a limit in force. Of limits in shadow it learns nothing, as it would
    /// keep to them.
    pub fn services<'a>(
        &self,
        demands: &'a [Demand<'_>],
        now: Moment,
    ) -> impl Iterator<Item = Service<'a>> {
        let told = self.standings.iter().filter(|standing| demands[standing.demand].enforces());
        told.map(move |standing| standing.service(demands, now))
    }

    fn severest(&self, demands: &[Demand<'_>]) -> Verdict {
        let enforced = self.standings.iter().filter(|standing| demands[standing.demand].enforces());
        enforced.map(|standing| standing.verdict).max().unwrap_or(Verdict::Allow)
    }
}
