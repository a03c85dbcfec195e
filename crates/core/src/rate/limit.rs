//! A limit: windows that a request must all pass, and the pass of a request through all its limits.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::arrival::{Arrival, ticks};
use super::cost::{Cost, Ended};
use super::fleet::{Grant, Opening, Order, Placed, Ruling, SharedLimit, SharedTerms, Tokens};
use super::headers::{Fields, Service, Style};
use super::key::{Key, SharedKey};
use super::policy::Policy;
use super::table::{OutOfMemory, Seen, Table};
use super::window::{Refill, Verdict, Window};
use crate::time::Moment;

/// What a limit does to requests over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They wait or are denied.
    Enforce,
    /// They are counted, and nothing else: neither they nor what other limits say of them depend on it.
    Shadow,
}

impl Mode {
    /// Its name where it is explained.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }
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
    /// Which fields clients are told by.
    pub style: Style,
    /// Keys that are remembered at a time.
    pub keys: NonZeroUsize,
    /// How it is shared with other gateways; `None`: not at all.
    pub shared: Option<SharedTerms>,
}

impl Terms {
    /// Which fields clients are told by; `None` if they are not told. Of a limit in shadow they learn nothing, as they
    /// would keep to it.
    pub fn told(&self) -> Option<Style> {
        (self.mode == Mode::Enforce && self.style != Style::None).then_some(self.style)
    }
}

/// A limit and what it knows of the keys, shared by all workers.
#[derive(Debug)]
pub struct Limit {
    terms: Terms,
    /// [`Terms::patience`] in ticks.
    patience: u64,
    meters: Box<[Meter]>,
    /// Where it is shared, the meters are what this gateway knows of the store's.
    shared: Option<SharedLimit>,
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
            refill: Some(Refill::new(&self.window, arrival, now)),
        }
    }
}

impl Limit {
    /// A limit with these terms. Of `old`, the limit of this name before, it shares the tables that have the right
    /// size; nothing in them is changed.
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
        let shared = terms.shared.clone().map(|shared| {
            SharedLimit::new(shared, &terms.windows, old.and_then(|old| old.shared.as_ref()))
        });
        Ok(Self { patience: ticks(terms.patience), terms, meters, shared })
    }

    /// Go on where `old` ends at `now`, which it was made with. What a key has spent of a window stays spent where
    /// the numbers change; what it spends while this runs may count by either.
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

    /// The meter that the window at `index` of `windows` takes over: that of a window with the same length, or
    /// else the one that had its place and is not another's.
    fn meter_before(&self, windows: &[Window], index: usize) -> Option<&Meter> {
        let per = windows[index].per();
        // There may be several; none is taken over twice.
        let before = windows[..index].iter().filter(|window| window.per() == per).count();
        let same = self.meters.iter().filter(|meter| meter.window.per() == per).nth(before);
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

    /// A request of `key` that was let go is over: charge what is known only now, as a debt that later requests
    /// wait for.
    pub fn settle(&self, key: Key, ended: &Ended, now: Moment) {
        let debt = self.terms.cost.debt(ended);
        if debt > 0 {
            let shared = self.shared.as_ref();
            let takes = shared.map_or(debt, |shared| shared.settle(key, debt, now));
            self.update(key, now, |window, arrival| window.spend(arrival, takes, now));
        }
    }

    /// Give `key` a fresh bucket.
    pub fn forget(&self, key: Key, now: Moment) {
        self.update(key, now, |_, arrival| arrival.min(Arrival::at(now)));
    }

    /// What it has in common with the same limit of other gateways, where it is shared.
    pub const fn shared(&self) -> Option<&SharedLimit> {
        self.shared.as_ref()
    }

    /// A request of `key`, which all gateways call by the name that `name` makes, is about to be decided: whether it had
    /// better wait for the store's word on the key.
    pub fn open(&self, key: Key, now: Moment, name: impl FnOnce() -> SharedKey) -> Opening {
        let Some(shared) = &self.shared else { return Opening::Ready };
        let left = || {
            let arrivals = self.meters.iter().map(|meter| (meter, meter.table.look(key).arrival));
            let live = arrivals.filter(|(_, arrival)| *arrival > Arrival::at(now));
            live.map(|(meter, arrival)| meter.window.left(arrival, now)).min()
        };
        shared.open(key, self.terms.cost.ahead(), now, name, left)
    }

    /// What is to be said to the store now: of as many keys as `most`. Each is answered by [`hear`](Self::hear) or
    /// [`SharedLimit::unheard`] before more is asked for.
    pub fn orders(&self, most: usize, now: Moment) -> Vec<Placed> {
        let Some(shared) = &self.shared else { return Vec::new() };
        let placed = |(key, name, order): (Key, SharedKey, Order)| {
            let ahead =
                |meter: &Meter| meter.window.micros_ahead(meter.table.look(key).arrival, now);
            let windows = self.meters.iter().filter(|_| order.alone);
            Placed { key, name, order, ahead: windows.map(ahead).collect() }
        };
        shared.orders(most, now).into_iter().map(placed).collect()
    }

    /// The store answered an order for `key` with `grant`: the units that moved.
    pub fn hear(&self, key: Key, order: &Order, grant: &Grant, now: Moment) -> Tokens {
        let Some(shared) = &self.shared else { return Tokens::default() };
        let (tokens, unbooked) = shared.hear(key, order, grant, now);
        for (meter, ahead) in self.meters.iter().zip(&grant.ahead) {
            let arrival = meter.window.ahead(*ahead, unbooked, now);
            meter.table.update(key, now, |_| arrival);
        }
        tokens
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
    /// By what the limit decides, where it is shared.
    ruling: Option<Ruling>,
    /// Units that the request takes of it.
    takes: u64,
    charged: bool,
    /// Whether this one stands for what the limit has charged beside its windows.
    booked: bool,
    seen: Seen,
    /// The arrival time once it is charged.
    next: Arrival,
}

impl Standing {
    /// What is left to the key after the request, which was one of `demands`.
    pub fn service<'a>(&self, demands: &[Demand<'a>], now: Moment) -> Service<'a> {
        let meter = &demands[self.demand].limit.meters[self.window];
        meter.service(if self.charged { self.next } else { self.seen.arrival }, now)
    }
}

/// A request's pass through several limits: what came of it, and what each window said.
///
/// Nothing is allocated for up to four windows.
#[derive(Debug)]
pub struct Pass {
    /// What becomes of the request: the severest that a limit in force says.
    pub verdict: Verdict,
    /// What each window of each limit said, in their order.
    pub standings: SmallVec<[Standing; 4]>,
}

impl<'a> Demand<'a> {
    fn meter(&self, window: usize) -> &'a Meter {
        &self.limit.meters[window]
    }

    /// Whether there is room in `window`, of which this was `seen`, and what would be charged.
    fn standing(
        &self,
        demand: usize,
        window: usize,
        ruling: Option<Ruling>,
        seen: Seen,
        now: Moment,
    ) -> Standing {
        let (takes, (verdict, next)) = match ruling {
            None => {
                let meter = &self.meter(window).window;
                (self.cost, meter.decide(seen.arrival, self.cost, self.limit.patience, now))
            }
            Some(ruling) => self.ruled(ruling, window, seen.arrival, now),
        };
        Standing {
            demand,
            window,
            verdict,
            ruling,
            takes,
            charged: false,
            booked: false,
            seen,
            next,
        }
    }

    /// What the request takes of `window`, what becomes of it and the arrival time once it is charged, where the limit
    /// is shared.
    fn ruled(
        &self,
        ruling: Ruling,
        window: usize,
        arrival: Arrival,
        now: Moment,
    ) -> (u64, (Verdict, Arrival)) {
        let (window, patience) = (&self.meter(window).window, self.limit.patience);
        match ruling {
            Ruling::Spend | Ruling::Open => {
                (self.cost, (Verdict::Allow, window.spend(arrival, self.cost, now)))
            }
            Ruling::Refuse => (self.cost, window.decide(arrival, self.cost, patience, now)),
            Ruling::Local => {
                // A bucket may hold less than a request of each gateway.
                let shared = self.limit.shared.as_ref();
                let takes = shared.map_or(self.cost, |shared| shared.local(self.cost));
                let needs = takes.min(window.burst()).max(self.cost);
                let (verdict, _) = window.decide(arrival, needs, patience, now);
                (takes, (verdict, window.spend(arrival, takes, now)))
            }
        }
    }

    /// There is nothing left in the store. If each window has room as far as is known here, the one with the least
    /// refuses.
    fn refuse(&self, standings: &mut [Standing], patience: u64, now: Moment) {
        if standings.iter().any(|standing| standing.verdict != Verdict::Allow) {
            return;
        }
        let left = |standing: &&mut Standing| {
            self.meter(standing.window).window.left(standing.seen.arrival, now)
        };
        if let Some(nearest) = standings.iter_mut().min_by_key(left) {
            let window = &self.meter(nearest.window).window;
            (nearest.verdict, nearest.next) =
                window.refuse(nearest.seen.arrival, self.cost, patience, now);
        }
    }

    /// Charge all windows of the limit, or none if one has no room (any more).
    fn charge(&self, standings: &mut [Standing], now: Moment) -> bool {
        if standings.iter().any(|standing| standing.verdict.denies()) {
            return false;
        }
        let charged = standings.iter_mut().all(|standing| self.charge_one(standing, now))
            && self.charge_shared(standings, now);
        if !charged {
            standings.iter_mut().for_each(|standing| self.revoke(standing, now));
        }
        charged
    }
    fn charge_one(&self, standing: &mut Standing, now: Moment) -> bool {
        let table = &self.meter(standing.window).table;
        // What costs nothing now leaves no trace.
        while self.cost > 0 && !standing.verdict.denies() && !standing.charged {
            match table.advance(self.key, standing.seen, standing.next, now) {
                Ok(()) => standing.charged = true,
                Err(seen) => {
                    let Standing { demand, window, ruling, .. } = *standing;
                    *standing = self.standing(demand, window, ruling, seen, now);
                }
            }
        }
        !standing.verdict.denies()
    }

    /// Charge it to what several gateways share; false if another request was quicker.
    fn charge_shared(&self, standings: &mut [Standing], now: Moment) -> bool {
        let (Some(shared), Some(first)) = (&self.limit.shared, standings.first_mut()) else {
            return true;
        };
        match first.ruling {
            _ if self.cost == 0 => return true,
            Some(Ruling::Spend) if !shared.spend(self.key, self.cost, now) => {
                self.refuse(standings, 0, now);
                return false;
            }
            Some(Ruling::Spend) => {}
            Some(Ruling::Local) => shared.book_local(self.key, self.cost, now),
            _ => shared.book(self.key, self.cost, now),
        }
        first.booked = true;
        true
    }

    /// Take a charge back.
    fn revoke(&self, standing: &mut Standing, now: Moment) {
        if std::mem::take(&mut standing.charged) {
            let Meter { window, table, .. } = self.meter(standing.window);
            table.update(self.key, now, |arrival| window.give_back(arrival, standing.takes));
            standing.seen = table.look(self.key);
        }
        if let Some(shared) = &self.limit.shared
            && std::mem::take(&mut standing.booked)
        {
            shared.give_back(self.key, self.cost);
        }
    }

    fn enforces(&self) -> bool {
        self.limit.terms.mode == Mode::Enforce
    }
}

impl Pass {
    /// Ask all limits of `demands` for one request at `now`, and charge them all if those in force let it go. A
    /// limit in shadow is charged if it would let it go as well.
    pub fn new(demands: &[Demand<'_>], now: Moment) -> Self {
        let mut pass = Self { verdict: Verdict::Allow, standings: SmallVec::new() };
        for (index, demand) in demands.iter().enumerate() {
            let shared = demand.limit.shared.as_ref();
            let ruling = shared.map(|shared| shared.ruling(demand.key, demand.cost, now));
            let begin = pass.standings.len();
            for (window, meter) in demand.limit.meters.iter().enumerate() {
                let seen = meter.table.look(demand.key);
                pass.standings.push(demand.standing(index, window, ruling, seen, now));
            }
            if ruling == Some(Ruling::Refuse) {
                demand.refuse(&mut pass.standings[begin..], demand.limit.patience, now);
            }
        }
        // What is denied changes nothing, so that a flood of it is cheap.
        pass.verdict = pass.severest(demands);
        if !pass.verdict.denies() {
            if !pass.charge(demands, now) {
                pass.take_back(demands, now);
            }
            pass.verdict = pass.severest(demands);
        }
        pass
    }

    /// Give back what was charged, and nothing else: the request gives up before its turn.
    pub fn take_back(&mut self, demands: &[Demand<'_>], now: Moment) {
        for standing in &mut self.standings {
            demands[standing.demand].revoke(standing, now);
        }
    }

    /// The request cannot wait for its turn: give back what was charged, and deny what would have waited.
    pub fn deny_turn(&mut self, demands: &[Demand<'_>], now: Moment) {
        self.take_back(demands, now);
        for standing in &mut self.standings {
            if let Verdict::Wait(wait) = standing.verdict
                && demands[standing.demand].enforces()
            {
                standing.verdict = Verdict::Deny(wait);
            }
        }
        self.verdict = self.severest(demands);
    }

    /// Charge what was seen to have room; false if another request has taken it from a limit in force meanwhile.
    fn charge(&mut self, demands: &[Demand<'_>], now: Moment) -> bool {
        let mut rest = &mut self.standings[..];
        demands.iter().all(|demand| {
            let (of_demand, others) =
                std::mem::take(&mut rest).split_at_mut(demand.limit.meters.len());
            rest = others;
            demand.charge(of_demand, now) || !demand.enforces()
        })
    }

    /// Tell the client what it has left by each window of a limit that it is told of.
    pub fn tell<'a>(&self, demands: &[Demand<'a>], now: Moment, fields: &mut Fields<'a>) {
        for standing in &self.standings {
            if let Some(style) = demands[standing.demand].limit.terms.told() {
                fields.tell(style, standing.service(demands, now));
            }
        }
    }

    /// Whether a window of the demand with this place has no room, whatever follows from it.
    pub fn exceeds(&self, demand: usize) -> bool {
        self.standings.iter().any(|standing| standing.demand == demand && standing.verdict.denies())
    }

    /// How clients are told of the windows that deny the request.
    pub fn denying<'a>(&self, demands: &'a [Demand<'_>]) -> impl Iterator<Item = &'a Policy> {
        let denying = self.enforced(demands).filter(|standing| standing.verdict.denies());
        denying.map(|standing| &demands[standing.demand].limit.meters[standing.window].policy)
    }

    fn enforced(&self, demands: &[Demand<'_>]) -> impl Iterator<Item = &Standing> {
        self.standings.iter().filter(|standing| demands[standing.demand].enforces())
    }

    fn severest(&self, demands: &[Demand<'_>]) -> Verdict {
        let mut severest = Verdict::Allow;
        for standing in self.enforced(demands) {
            // Most often all of them allow.
            if standing.verdict != Verdict::Allow {
                severest = severest.max(standing.verdict);
            }
        }
        severest
    }
}
