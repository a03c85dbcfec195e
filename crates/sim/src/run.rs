//! A run: events in order, from the first arrival to the last answer.
//!
//! ```text
//! arrive ─► go in or wait ─► send ─► reach ─► begin or wait ─► done ─► answer ─► counted
//!                              ▲                                         │ failed
//!                              └───────────────── retry ◄────────────────┘
//! ```

use std::ops::Range;

use slab::Slab;
use smallvec::SmallVec;
use tidegate_core::admission::{Place, Verdict, Woken};
use tidegate_core::balance::SplitMix64;
use tidegate_core::load::Sent;
use tidegate_core::plan::Issue;
use tidegate_core::time::Moment;

use crate::agenda::Agenda;
use crate::arrivals::{Arrivals, Request};
use crate::draw::{Draw, Purpose, stream};
use crate::gateway::{Admission, Ended, Ending, Gateway};
use crate::predictor::Prospect;
use crate::report::{Recorder, Report, Usage, millis};
use crate::scenario::{Retry, Scenario};
use crate::server::{Reception, Server, ServerLoad};

/// Room for what happens at once in a usual scenario; more is a matter of growing once.
const ROOM: usize = 4_096;

/// One request at one server.
#[derive(Debug)]
struct Try {
    request: Request,
    /// Tells tries apart that had the same id one after the other.
    number: u32,
    gateway: u32,
    /// What its request is for predictions, where there are any.
    prospect: Option<Prospect>,
    server: u32,
    /// Its place in the gateway's queue, while it waits there.
    place: Option<Place>,
    /// When its request went in.
    entered: u64,
    sent: u64,
    /// As its gateway counts it; absent before it is sent.
    flight: Option<Sent>,
    /// When it reached the server.
    reached: u64,
    /// What the server said with its answer.
    told: Option<ServerLoad>,
    /// Its client does not wait for the answer any more.
    given_up: bool,
    /// There will be no answer.
    lost: bool,
    /// Servers of this request's earlier tries.
    tried: SmallVec<[usize; 2]>,
}

/// What happens; a number is the try's id.
#[derive(Debug)]
enum Event {
    /// The next request arrives.
    Arrive,
    /// A try has waited in the gateway as long as it may.
    Tire { id: u32, number: u32 },
    /// A try is sent, later than at once.
    Send(u32),
    /// A try reaches its server.
    Reach(u32),
    /// A worker is done with a try.
    Done(u32),
    /// The end of a try reaches its gateway.
    Answer(u32, Ending),
    /// A try has had its time.
    TimeOut { id: u32, number: u32 },
    /// A probe reaches its server.
    Probe(Line),
    /// The answer to a probe reaches its gateway.
    Hear(Line, ServerLoad),
}

/// Between a gateway and a server: the gateway's number times the number of servers, plus the server's.
#[derive(Debug, Clone, Copy)]
struct Line(u32);

/// The state of a run.
struct Run {
    agenda: Agenda<Event>,
    arrivals: Arrivals,
    /// The request that arrives next.
    expected: Option<Request>,
    tries: Slab<Try>,
    /// Tries that got a number.
    numbered: u32,
    gateways: Vec<Gateway>,
    gateway_choice: SplitMix64,
    servers: Vec<Server>,
    network: Draw,
    delays: SplitMix64,
    timeout: Option<u64>,
    /// How long a request may wait in a gateway.
    longest_wait: u64,
    retry: Retry,
    /// Whether servers tell their load with each answer.
    reports: bool,
    /// Time between two probes of a server by a gateway.
    probe_interval: Option<u64>,
    counted: Range<u64>,
    counters: Counters,
}

/// What is counted of requests.
struct Counters {
    latency: Recorder,
    classes: Vec<Recorder>,
    simulated: u64,
    arrived: u64,
    /// By class.
    failed: Vec<u64>,
    tries: u64,
}

/// Run a scenario. The same scenario gives the same report, to the bit.
///
/// # Errors
/// If the scenario [cannot be run](Scenario::check).
pub fn run(scenario: &Scenario) -> Result<Report, Issue> {
    scenario.check()?;
    let mut run = Run::new(scenario);
    run.expect_arrival();
    run.begin_probes();
    while let Some((now, event)) = run.agenda.next() {
        run.handle(event, now);
    }
    Ok(run.report())
}

impl Run {
    fn new(scenario: &Scenario) -> Self {
        let seed = scenario.seed;
        let counted = scenario.warmup..scenario.warmup.saturating_add(scenario.duration);
        let server = |(index, server)| {
            let antagonist = stream(seed, Purpose::Antagonist, index);
            let faults = stream(seed, Purpose::Faults, index);
            Server::new(server, counted.clone(), antagonist, faults)
        };
        let gateway = |index: u32| {
            let random = |purpose| stream(seed, purpose, index as usize);
            Gateway::new(scenario, random(Purpose::Policy), random(Purpose::Prediction))
        };
        let recorder = Recorder::new();
        Self {
            agenda: Agenda::with_capacity(ROOM),
            arrivals: Arrivals::new(scenario),
            expected: None,
            tries: Slab::with_capacity(ROOM),
            numbered: 0,
            gateways: (0..scenario.gateways).map(gateway).collect(),
            gateway_choice: stream(seed, Purpose::Gateway, 0),
            servers: scenario.servers.iter().enumerate().map(server).collect(),
            network: Draw::new(&scenario.network),
            delays: stream(seed, Purpose::Network, 0),
            timeout: scenario.timeout,
            longest_wait: scenario.upstream.limits.queue.timeout.duration().as_nanos() as u64,
            retry: scenario.retry.clone(),
            reports: scenario.reports,
            probe_interval: scenario
                .upstream
                .balance
                .probe
                .as_ref()
                .map(|probe| probe.interval.duration().as_nanos() as u64),
            counted,
            counters: Counters {
                classes: vec![recorder.clone(); scenario.work.len().max(1)],
                latency: recorder,
                simulated: 0,
                arrived: 0,
                failed: vec![0; scenario.work.len().max(1)],
                tries: 0,
            },
        }
    }

    fn handle(&mut self, event: Event, now: u64) {
        match event {
            Event::Arrive => self.arrive(now),
            Event::Tire { id, number } => self.tire(id, number, now),
            Event::Send(id) => self.send(id, now),
            Event::Reach(id) => self.reach(id, now),
            Event::Done(id) => self.done(id, now),
            Event::Answer(id, ending) => self.answer(id, ending, now),
            Event::TimeOut { id, number } => self.time_out(id, number, now),
            Event::Probe(line) => self.probe(line, now),
            Event::Hear(line, told) => self.hear(line, told, now),
        }
    }

    /// Put the next arrival on the agenda, unless the run is over by then.
    fn expect_arrival(&mut self) {
        self.expected = self.arrivals.next().filter(|next| next.at < self.counted.end);
        if let Some(request) = &self.expected {
            self.agenda.put(request.at, Event::Arrive);
        }
    }

    fn arrive(&mut self, now: u64) {
        let Some(request) = self.expected.take() else { return };
        self.expect_arrival();
        self.counters.simulated += 1;
        self.counters.arrived += u64::from(self.counted.contains(&now));
        let gateway = self.gateway_choice.below(self.gateways.len() as u64) as u32;
        let prospect = self.gateways[gateway as usize].prospect(&request, now);
        let number = self.next_number();
        let id = self.tries.insert(Try {
            request,
            number,
            gateway,
            prospect,
            server: 0,
            place: None,
            entered: now,
            sent: 0,
            flight: None,
            reached: 0,
            told: None,
            given_up: false,
            lost: false,
            tried: SmallVec::new(),
        }) as u32;
        let deadline = request.deadline;
        match self.gateways[gateway as usize].admit(id, prospect.as_ref(), deadline, now) {
            Admission::In => self.send(id, now),
            Admission::Waits(place, woken) => {
                self.tries[id as usize].place = Some(place);
                let tired = now.saturating_add(self.longest_wait).min(deadline);
                self.agenda.put(tired, Event::Tire { id, number });
                self.tell(woken, now);
            }
            Admission::Refused => {
                let refused = self.tries.remove(id as usize);
                self.refuse(&refused);
            }
        }
    }

    /// The request of a try was not let in.
    fn refuse(&mut self, refused: &Try) {
        self.gateways[refused.gateway as usize].refused(refused.prospect.as_ref());
        self.fail(&refused.request);
    }

    fn next_number(&mut self) -> u32 {
        self.numbered = self.numbered.wrapping_add(1);
        self.numbered
    }

    /// The waits of these are over.
    fn tell(&mut self, woken: Woken<u32>, now: u64) {
        for (id, verdict) in woken {
            match verdict {
                Verdict::In => self.go_in(id, now),
                Verdict::Shed | Verdict::Displaced => {
                    let shed = self.tries.remove(id as usize);
                    self.refuse(&shed);
                }
            }
        }
    }

    fn go_in(&mut self, id: u32, now: u64) {
        let one = &mut self.tries[id as usize];
        (one.place, one.entered) = (None, now);
        self.send(id, now);
    }

    fn tire(&mut self, id: u32, number: u32, now: u64) {
        let same = |one: &&Try| one.number == number;
        let Some(one) = self.tries.get(id as usize).filter(same) else { return };
        let Some(place) = one.place else { return };
        let may_be_late = now < one.request.deadline;
        if self.gateways[one.gateway as usize].tire(place, may_be_late) {
            return self.go_in(id, now);
        }
        let tired = self.tries.remove(id as usize);
        self.refuse(&tired);
    }

    fn send(&mut self, id: u32, now: u64) {
        let number = self.next_number();
        let one = &mut self.tries[id as usize];
        let gateway = &mut self.gateways[one.gateway as usize];
        let Some((server, flight)) =
            gateway.send(one.request.key, &one.tried, one.prospect.as_ref(), now)
        else {
            let end = self.tries.remove(id as usize);
            self.fail(&end.request);
            return self.leave(&end, false, now);
        };
        (one.number, one.server, one.sent) = (number, server as u32, now);
        one.flight = Some(flight);
        self.counters.tries += u64::from(self.counted.contains(&one.request.at));
        let timeout = self.timeout.map_or(u64::MAX, |timeout| now.saturating_add(timeout));
        let timeout = timeout.min(one.request.deadline);
        if timeout < u64::MAX {
            self.agenda.put(timeout, Event::TimeOut { id, number });
        }
        match self.network.next(&mut self.delays) {
            0 => self.reach(id, now),
            delay => self.agenda.put(now + delay, Event::Reach(id)),
        }
    }

    fn reach(&mut self, id: u32, now: u64) {
        let one = &mut self.tries[id as usize];
        one.reached = now;
        match self.servers[one.server as usize].receive(id, one.request.work, now) {
            Reception::Begun(done) => self.expect_done(id, done),
            Reception::Queued => {}
            Reception::Error(at) => self.reply(id, Ending::Error, at),
            Reception::Unreachable => self.reply(id, Ending::Unreachable, now),
            Reception::Lost if one.given_up => _ = self.tries.remove(id as usize),
            Reception::Lost => one.lost = true,
        }
    }

    /// Put the end of a piece of work on the agenda, if it has one.
    fn expect_done(&mut self, id: u32, done: u64) {
        if done < u64::MAX {
            self.agenda.put(done, Event::Done(id));
        }
    }

    fn done(&mut self, id: u32, now: u64) {
        let one = &mut self.tries[id as usize];
        let server = &mut self.servers[one.server as usize];
        let next = server.next(now);
        if self.reports || self.probe_interval.is_some() {
            let told = server.tell_after(one.reached, now);
            one.told = self.reports.then_some(told);
        }
        if let Some((next, done)) = next {
            self.expect_done(next, done);
        }
        self.reply(id, Ending::Answered, now);
    }

    /// The server's word leaves it at `at`.
    fn reply(&mut self, id: u32, ending: Ending, at: u64) {
        self.agenda.put(at + self.network.next(&mut self.delays), Event::Answer(id, ending));
    }

    fn answer(&mut self, id: u32, ending: Ending, now: u64) {
        let one = self.tries.remove(id as usize);
        if one.given_up {
            return;
        }
        self.finish(&one, ending, now);
        let gateway = &self.gateways[one.gateway as usize];
        if let Some(told) = one.told {
            gateway.hear(one.server as usize, told, now);
        }
        match ending {
            Ending::Answered => {
                self.succeed(&one.request, now);
                self.leave(&one, true, now);
            }
            Ending::Error | Ending::Unreachable | Ending::TimedOut | Ending::Late => {
                self.retry(&one, now)
            }
        }
    }

    /// Tell the gateway of a try how it ended.
    fn finish(&mut self, one: &Try, ending: Ending, now: u64) {
        if let Some(sent) = one.flight {
            let (server, latency) = (one.server as usize, now - one.sent);
            let (prospect, took) = (one.prospect.as_ref(), now - one.request.at);
            let ended = Ended { server, sent, prospect, ending, latency, took, now };
            self.gateways[one.gateway as usize].finish(ended);
        }
    }

    /// The request of a try is over, answered well or not.
    fn leave(&mut self, one: &Try, answered: bool, now: u64) {
        let gateway = &self.gateways[one.gateway as usize];
        let woken = gateway.leave(now - one.entered, answered, now);
        self.tell(woken, now);
    }

    fn time_out(&mut self, id: u32, number: u32, now: u64) {
        let waits = |one: &&mut Try| one.number == number && !one.given_up;
        let Some(one) = self.tries.get_mut(id as usize).filter(waits) else { return };
        one.given_up = true;
        let again = Try { tried: one.tried.clone(), ..*one };
        if one.lost {
            self.tries.remove(id as usize);
        }
        if now < again.request.deadline {
            self.finish(&again, Ending::TimedOut, now);
            return self.retry(&again, now);
        }
        self.finish(&again, Ending::Late, now);
        self.fail(&again.request);
        self.leave(&again, false, now);
    }

    /// Send the request of a failed try again, or give it up.
    fn retry(&mut self, failed: &Try, now: u64) {
        let at = now.saturating_add(self.retry.backoff);
        if failed.tried.len() as u32 + 1 >= self.retry.attempts || at >= failed.request.deadline {
            self.fail(&failed.request);
            return self.leave(failed, false, now);
        }
        let mut tried = failed.tried.clone();
        tried.push(failed.server as usize);
        // A number of its own: what was to come of the failed try does not meet this one.
        let number = self.next_number();
        let again = Try { number, given_up: false, lost: false, told: None, tried, ..*failed };
        let id = self.tries.insert(again) as u32;
        match self.retry.backoff {
            0 => self.send(id, now),
            _ => self.agenda.put(at, Event::Send(id)),
        }
    }

    /// Each gateway probes each server, spread over the interval, so that they do not come all at once.
    fn begin_probes(&mut self) {
        let Some(interval) = self.probe_interval else { return };
        let lines = self.gateways.len() * self.servers.len();
        for line in 0..lines {
            let at = (interval as u128 * line as u128 / lines as u128) as u64;
            self.agenda.put(at, Event::Probe(Line(line as u32)));
        }
    }

    fn probe(&mut self, line: Line, now: u64) {
        let server = line.0 as usize % self.servers.len();
        if let Some(told) = self.servers[server].probed(now) {
            let delay = self.network.next(&mut self.delays);
            self.agenda.put(now + delay, Event::Hear(line, told));
        }
        if let Some(interval) = self.probe_interval
            && now < self.counted.end
        {
            self.agenda.put(now + interval, Event::Probe(line));
        }
    }

    fn hear(&mut self, line: Line, told: ServerLoad, now: u64) {
        let (gateway, server) =
            (line.0 as usize / self.servers.len(), line.0 as usize % self.servers.len());
        self.gateways[gateway].hear(server, told, now);
    }

    fn succeed(&mut self, request: &Request, now: u64) {
        if self.counted.contains(&request.at) {
            self.counters.latency.record(now - request.at);
            self.counters.classes[request.class as usize].record(now - request.at);
        }
    }

    fn fail(&mut self, request: &Request) {
        self.counters.failed[request.class as usize] +=
            u64::from(self.counted.contains(&request.at));
    }

    fn report(&self) -> Report {
        let usages: Vec<_> = self.servers.iter().map(Server::usage).collect();
        let waited: u64 = usages.iter().map(|usage| usage.waited).sum();
        let begun: u64 = usages.iter().map(|usage| usage.begun).sum();
        let span = (self.counted.end - self.counted.start) as f64;
        let latency = self.counters.latency.latency();
        let failed = self.counters.failed.iter().sum();
        Report {
            answered: latency.count,
            failed,
            unanswered: self.counters.arrived - latency.count - failed,
            tries: self.counters.tries,
            latency,
            classes: self.counters.classes.iter().map(Recorder::latency).collect(),
            class_failed: self.counters.failed.clone(),
            waiting: millis(waited as f64 / begun.max(1) as f64),
            servers: self
                .servers
                .iter()
                .zip(&usages)
                .map(|(server, usage)| Usage {
                    requests: usage.requests,
                    busy: usage.busy as f64 / span / f64::from(server.workers()),
                })
                .collect(),
            simulated: self.counters.simulated,
            predictions_off_after: self
                .gateways
                .iter()
                .filter_map(Gateway::predictions_off_at)
                .min()
                .map(|at| at.since(Moment::default()).as_secs_f64()),
        }
    }
}
