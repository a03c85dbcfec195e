//! A small simulation: clients, a gate, replicas with workers. Seeded, so that it always runs the same.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use super::super::{Gate, Place, Verdict, Woken};
use crate::balance::SplitMix64;
use crate::plan::{Priority, UpstreamLimits};
use crate::time::Moment;

/// One server: so many requests at a time, the others in its own queue.
#[derive(Debug, Clone)]
pub(super) struct Replica {
    pub(super) workers: usize,
    /// What a second of work takes here.
    pub(super) slowness: f64,
    busy: usize,
    queue: VecDeque<usize>,
}

impl Replica {
    pub(super) fn new(workers: usize) -> Self {
        Self { workers, slowness: 1.0, busy: 0, queue: VecDeque::new() }
    }

    fn carries(&self) -> usize {
        self.busy + self.queue.len()
    }
}

/// Where requests come from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Clients {
    /// So many a second, whatever becomes of them.
    Open(f64),
    /// So many at a time, each sending the next when it has its answer.
    Closed(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives,
    Ends { request: usize, replica: usize },
    Tires(usize),
    Acts(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Served,
    Shed,
    TimedOut,
    Full,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) class: Priority,
    pub(super) work: f64,
    pub(super) began: Moment,
    pub(super) entered: Option<Moment>,
    pub(super) ended: Moment,
    pub(super) end: Option<End>,
    place: Option<Place>,
}

impl Request {
    pub(super) fn took(&self) -> f64 {
        self.ended.since(self.began).as_secs_f64()
    }
}

type Action = Rc<dyn Fn(&mut Simulation)>;

pub(super) struct Simulation {
    pub(super) replicas: Vec<Replica>,
    pub(super) gate: Gate<usize>,
    pub(super) clients: Clients,
    /// Shares of the classes, and mean work of the kinds of requests with their shares.
    pub(super) classes: [f64; 3],
    pub(super) work: Vec<(f64, f64)>,
    pub(super) now: Moment,
    pub(super) requests: Vec<Request>,
    pub(super) most_inside: u32,
    timeout: Duration,
    events: BinaryHeap<Reverse<(Moment, u64, Event)>>,
    number: u64,
    random: SplitMix64,
    actions: Vec<Action>,
}

impl Simulation {
    pub(super) fn new(limits: &UpstreamLimits, replicas: Vec<Replica>, clients: Clients) -> Self {
        Self {
            replicas,
            gate: Gate::new(limits),
            clients,
            classes: [0.0, 1.0, 0.0],
            work: vec![(0.004, 0.5), (0.012, 0.3), (0.060, 0.15), (0.400, 0.05)],
            now: Moment::default(),
            requests: Vec::new(),
            most_inside: 0,
            timeout: limits.queue.timeout.duration(),
            events: BinaryHeap::new(),
            number: 0,
            random: SplitMix64::new(7),
            actions: Vec::new(),
        }
    }

    /// Do something at `at` seconds.
    pub(super) fn at(&mut self, at: f64, action: impl Fn(&mut Simulation) + 'static) {
        self.actions.push(Rc::new(action));
        self.schedule(
            Moment::default().after(Duration::from_secs_f64(at)),
            Event::Acts(self.actions.len() - 1),
        );
    }

    fn schedule(&mut self, at: Moment, event: Event) {
        self.number += 1;
        self.events.push(Reverse((at, self.number, event)));
    }

    fn uniform(&mut self) -> f64 {
        (self.random.below(1 << 53) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn draw(&mut self, shares: impl Iterator<Item = f64>) -> usize {
        let mut point = self.uniform();
        for (index, share) in shares.enumerate() {
            point -= share;
            if point < 0.0 {
                return index;
            }
        }
        0
    }

    /// Run until `until` seconds.
    pub(super) fn run(&mut self, until: f64) {
        let until = Moment::default().after(Duration::from_secs_f64(until));
        if self.requests.is_empty() {
            let first = match self.clients {
                Clients::Open(_) => 1,
                Clients::Closed(clients) => clients,
            };
            for _ in 0..first {
                self.schedule(self.now, Event::Arrives);
            }
        }
        while self.events.peek().is_some_and(|Reverse((at, ..))| *at <= until) {
            let Some(Reverse((at, _, event))) = self.events.pop() else { break };
            self.now = at;
            match event {
                Event::Arrives => self.arrive(),
                Event::Ends { request, replica } => self.finish(request, replica),
                Event::Tires(request) => self.tire(request),
                Event::Acts(index) => self.actions[index].clone()(self),
            }
            self.most_inside = self.most_inside.max(self.gate.inside());
        }
        self.now = until;
    }

    fn arrive(&mut self) {
        if let Clients::Open(rate) = self.clients
            && rate > 0.0
        {
            let gap = Duration::from_secs_f64(-self.uniform().ln() / rate);
            self.schedule(self.now.after(gap), Event::Arrives);
        }
        let shares = self.classes;
        let class = Priority::ALL[self.draw(shares.into_iter())];
        let kinds = self.work.clone();
        let mean = kinds[self.draw(kinds.iter().map(|(_, share)| *share))].0;
        // Gamma distributed, two stages: a coefficient of variation of 0.7.
        let work = -mean / 2.0 * (self.uniform() * self.uniform()).ln();
        let (began, request) = (self.now, self.requests.len());
        self.requests.push(Request {
            class,
            work,
            began,
            entered: None,
            ended: began,
            end: None,
            place: None,
        });
        if self.gate.enter() {
            return self.serve(request);
        }
        match self.gate.wait(class, None, self.now, request) {
            Ok((place, woken)) => {
                self.requests[request].place = Some(place);
                self.schedule(self.now.after(self.timeout), Event::Tires(request));
                self.tell(woken);
            }
            Err(_) => self.end(request, End::Full),
        }
    }

    fn tell(&mut self, woken: Woken<usize>) {
        for (request, verdict) in woken {
            match verdict {
                Verdict::In => self.serve(request),
                Verdict::Shed | Verdict::Displaced => self.end(request, End::Shed),
            }
        }
    }

    fn serve(&mut self, request: usize) {
        assert!(self.requests[request].entered.is_none() && self.requests[request].end.is_none());
        self.requests[request].entered = Some(self.now);
        let start = self.random.below(self.replicas.len() as u64) as usize;
        let order = (start..self.replicas.len()).chain(0..start);
        let replica = order.min_by_key(|&index| self.replicas[index].carries()).unwrap();
        if self.replicas[replica].busy < self.replicas[replica].workers {
            self.begin(request, replica);
        } else {
            self.replicas[replica].queue.push_back(request);
        }
    }

    fn begin(&mut self, request: usize, replica: usize) {
        let at = &mut self.replicas[replica];
        at.busy += 1;
        let takes = Duration::from_secs_f64(self.requests[request].work * at.slowness);
        self.schedule(self.now.after(takes), Event::Ends { request, replica });
    }

    fn finish(&mut self, request: usize, replica: usize) {
        let at = &mut self.replicas[replica];
        at.busy -= 1;
        if at.busy < at.workers
            && let Some(next) = at.queue.pop_front()
        {
            self.begin(next, replica);
        }
        let latency = self.now.since(self.requests[request].entered.unwrap());
        let woken = self.gate.answered(latency, self.now);
        self.tell(woken);
        let woken = self.gate.leave(self.now);
        self.tell(woken);
        self.end(request, End::Served);
    }

    fn tire(&mut self, request: usize) {
        let waits =
            self.requests[request].entered.is_none() && self.requests[request].end.is_none();
        if let (true, Some(place)) = (waits, self.requests[request].place) {
            self.gate.give_up(place);
            self.end(request, End::TimedOut);
        }
    }

    fn end(&mut self, request: usize, end: End) {
        let now = self.now;
        let ended = &mut self.requests[request];
        assert!(ended.end.is_none(), "a request ended twice");
        (ended.end, ended.ended) = (Some(end), now);
        if let Clients::Closed(_) = self.clients {
            // The way there and back.
            self.schedule(now.after(Duration::from_micros(100)), Event::Arrives);
        }
    }

    /// Requests that ended like `end` between two times, in seconds.
    pub(super) fn ended(&self, end: End, from: f64, until: f64) -> Vec<&Request> {
        let within = |request: &&Request| {
            let at = request.ended.0 as f64 / 1e9;
            request.end == Some(end) && (from..until).contains(&at)
        };
        self.requests.iter().filter(within).collect()
    }

    /// Workers that were busy, on average, with what was served between two times.
    pub(super) fn work(&self, from: f64, until: f64) -> f64 {
        let served = self.ended(End::Served, from, until);
        served.iter().map(|request| request.work).sum::<f64>() / (until - from)
    }

    /// Let requests come again after they had stopped.
    pub(super) fn resume(&mut self, rate: f64) {
        self.clients = Clients::Open(rate);
        self.schedule(self.now, Event::Arrives);
    }

    /// A quantile of what those took that were served between two times.
    pub(super) fn quantile(&self, q: f64, from: f64, until: f64) -> f64 {
        let mut took: Vec<_> =
            self.ended(End::Served, from, until).iter().map(|request| request.took()).collect();
        took.sort_by(f64::total_cmp);
        took.get((q * took.len() as f64) as usize).copied().unwrap_or(0.0)
    }
}
