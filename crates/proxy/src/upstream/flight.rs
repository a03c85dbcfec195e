//! A request on its way to an endpoint, as the endpoint's load counts it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tidegate_core::failure::{Blame, Failure};
use tidegate_core::health::Fault;
use tidegate_core::load::{Outcome, Sent};
use tidegate_core::message::alt_svc::AltSvc;
use tidegate_core::time::Moment;
use tokio::time::Instant;

use super::Member;
use super::learning::Learning;
use super::report::Reports;
use crate::http::body::Frame;
use crate::net::clock;

/// Counts as one request in flight until it is dropped.
#[derive(Debug)]
pub struct Flight {
    member: Arc<Member>,
    began: Instant,
    /// How long it took until the head of the response came.
    answered: Option<Duration>,
    outcome: Outcome,
    sent: Sent,
    /// Whether it says something of its endpoint's load and health.
    counts: bool,
    reports: Reports,
    /// Absent: nothing is learnt of its cost.
    learning: Option<Rc<Learning>>,
}

impl Flight {
    /// A request is sent to `member` at `began`, which was picked by this predicted `cost`; this is done with what the
    /// response `reports` of load, and this is `learning` of its cost.
    pub fn begin(
        member: Arc<Member>,
        began: Instant,
        cost: Option<Duration>,
        reports: Reports,
        learning: Option<Rc<Learning>>,
    ) -> Self {
        let sent = member.endpoint.load.begin_predicted(cost);
        let (answered, outcome) = (None, Outcome::Abandoned);
        Self { member, began, answered, outcome, sent, counts: true, reports, learning }
    }

    /// A request of the gateway's own, which says nothing about load.
    pub fn uncounted(member: Arc<Member>) -> Self {
        let (began, sent, reports) = (Instant::now(), Sent::default(), Reports::Pass);
        let (answered, outcome) = (None, Outcome::Abandoned);
        Self { member, began, answered, outcome, sent, counts: false, reports, learning: None }
    }

    /// When it was sent.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// The head of the response came. The endpoint's health learns how it looks.
    pub fn answered(&mut self, status: StatusCode, at: Instant) {
        let (at, latency) = self.timed(at);
        self.judge(Fault::of(status.as_u16()), at);
        self.answered = Some(latency);
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            self.outcome = Outcome::Failed;
        }
    }

    /// The response says so of the endpoint's HTTP/3, if it says something.
    pub fn announced(&self, said: Option<AltSvc>) {
        if let Some(said) = said {
            self.member.endpoint.alternative.announced(said, clock::now());
        }
    }

    /// More of the response is waited for.
    pub fn waits(&mut self) {
        if let Some(learning) = &self.learning {
            learning.waits();
        }
    }

    /// A piece of the response came.
    pub fn received(&mut self, frame: &mut Frame) {
        if let Some(learning) = &self.learning {
            learning.goes_on();
        }
        if let Frame::Trailers(fields) = frame {
            self.reports.take(&self.member.endpoint, fields);
        }
    }

    /// The response is complete.
    pub fn completed(&mut self) {
        if self.outcome == Outcome::Abandoned {
            self.outcome = Outcome::Answered;
        }
    }

    /// There will be no complete response. The endpoint's health learns of it.
    pub fn failed(&mut self, failure: Failure) {
        let meaning = failure.meaning();
        if meaning.blame == Blame::Upstream {
            self.outcome = Outcome::Failed;
        }
        if let Some(fault) = meaning.fault {
            self.judge(Some(fault), clock::now());
        }
    }

    /// `at` as core counts time, and how long after its beginning that is.
    fn timed(&self, at: Instant) -> (Moment, Duration) {
        (clock::moment(at), at.saturating_duration_since(self.began))
    }

    fn judge(&self, fault: Option<Fault>, at: Moment) {
        if !self.counts {
            return;
        }
        let known = &self.member.endpoint.health;
        let transition = match fault {
            None => known.succeeded(at),
            Some(fault) => known.failed(fault, at),
        };
        self.member.health_changed(transition);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.counts {
            return;
        }
        let latency = self.answered.unwrap_or_else(|| self.began.elapsed());
        let at = clock::moment(self.began + latency);
        let (load, mut sent) = (&self.member.endpoint.load, self.sent);
        if let Some(learning) = self.learning.take() {
            sent = learning.over(load, sent, latency, self.outcome == Outcome::Answered, at);
        }
        load.finish(sent, self.outcome, latency, at);
    }
}
