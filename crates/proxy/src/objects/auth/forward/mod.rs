//! Forward auth: a service behind an upstream is asked whether a request may go on.
//!
//! The question is a request of the gateway's own, which is sent as any other: the upstream's gate, balancing, health,
//! timeouts and retries hold for it. It counts for the upstream, and not for the route. What is dropped before it is
//! answered, because the client left, is not asked on.

use std::cell::RefCell;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, COOKIE};
use http::{HeaderMap, HeaderName, Response, request};
use tidegate_core::auth::{
    Claims, Finding, ForwardRule, Identity, Meant, Miss, Refusal, Remembered,
};
use tidegate_core::failure::Failure;
use tidegate_core::plan::{self, ForwardFailure, Issue, Priority};
use tidegate_core::retry::Policy;
use tokio::time::{Instant, timeout_at};

use super::{Examined, Presented};
use crate::account::relay::Listening;
use crate::http::body::Body;
use crate::http::forwarded::{ForwardedElement, Peer, append_via};
use crate::http::time_left::TimeLeft;
use crate::http::via::{self, Via};
use crate::net::clock;
use crate::objects::random::random;
use crate::objects::under_way::{Turn, UnderWay};
use crate::upstream::Upstream;
use crate::upstream::cost::{CostOf, CostRoute};
use crate::upstream::outbound::Outbound;
use crate::upstream::send::send;
use crate::upstream::tries::Dispatch;

/// Bytes of an answer's content that are read. Of a longer one the client gets status and fields.
const MOST_CONTENT: usize = 64 << 10;
/// Answers that are remembered at a time.
const MOST_REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);

/// What is asked, and what was answered.
#[derive(Debug)]
pub(super) struct Forward {
    name: Arc<str>,
    rule: ForwardRule,
    timeout: Duration,
    retry: Policy,
    cache: Option<Duration>,
    on_failure: ForwardFailure,
    remembered: Remembered,
    under_way: Arc<UnderWay<Vec<u8>, ()>>,
}

/// A question about a request.
pub struct Question {
    forward: Arc<Forward>,
    /// Absent: it cannot be asked.
    head: Option<request::Parts>,
    client: Option<IpAddr>,
    /// Whether a browser may have had what proves its identity sent.
    ambient: bool,
    /// By what its answer is remembered.
    known_by: Option<KnownBy>,
}

struct KnownBy {
    key: Vec<u8>,
    miss: Miss,
    cache: Duration,
}

/// What questions are sent with.
pub struct Asking<'a> {
    /// Which upstream is asked.
    pub upstream: &'a Arc<Upstream>,
    /// The worker's connections.
    pub outbound: &'a Outbound,
    /// The other end of the client's connection.
    pub peer: &'a Peer,
    /// The `Forwarded` element last written there.
    pub forwarded: &'a RefCell<ForwardedElement>,
    /// This gateway's entries in `Via`.
    pub via: &'a Via,
}

/// What came of a question.
pub enum Reply {
    /// Something was found out, or not.
    Found(Finding),
    /// The service answers the request itself.
    Answer(Response<Body>),
}

impl Forward {
    /// That of the authenticator `name`, whose option stands at `at`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn build(
        name: &str,
        wanted: &plan::ForwardAuth,
        at: &str,
    ) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        let forward = Self {
            name: name.into(),
            rule: ForwardRule::build(wanted, at, &mut issues),
            timeout: wanted.timeout.duration(),
            retry: Policy::build(&wanted.retry, &format!("{at}.retry"), &mut issues),
            cache: wanted.cache.map(plan::Timeout::duration),
            on_failure: wanted.on_failure,
            remembered: Remembered::new(MOST_REMEMBERED, &random()),
            under_way: Arc::default(),
        };
        if issues.is_empty() { Ok(forward) } else { Err(issues) }
    }

    pub(super) fn examine(self: &Arc<Self>, presented: Presented<'_>) -> Examined {
        let Presented { head, address, scheme, .. } = presented;
        let ambient = head.headers.contains_key(COOKIE) || head.headers.contains_key(AUTHORIZATION);
        let mut known_by = None;
        if let Some(cache) = self.cache
            && let Some(key) = self.rule.key(head)
        {
            match self.find(&key) {
                Ok(identity) => return Examined::Now(Finding::Remembered { identity, ambient }),
                Err(miss) => known_by = Some(KnownBy { key, miss, cache }),
            }
        }
        let head = self.rule.question(head, scheme);
        let question = Question { forward: self.clone(), head, client: address, ambient, known_by };
        Examined::Asks(Box::new(question))
    }

    /// The fields of requests that are taken from answers.
    pub(super) fn taken(&self) -> &[HeaderName] {
        self.rule.taken()
    }

    /// Let a request go on with what was taken.
    pub(super) fn add_to(&self, fields: &mut HeaderMap, identity: &Identity) {
        self.rule.add_to(fields, identity);
    }

    fn find(&self, key: &[u8]) -> Result<Arc<Identity>, Miss> {
        self.remembered.find(key, 0, millis(Duration::ZERO))
    }

    fn failed(&self) -> Result<Identity, Refusal> {
        match self.on_failure {
            ForwardFailure::Deny => Err(Refusal::Unavailable),
            ForwardFailure::Allow => {
                let (authenticator, claims) = (self.name.clone(), Claims::default());
                Ok(Identity { authenticator, subject: None, claims })
            }
        }
    }
}

impl Question {
    /// Ask it, or take the answer to one like it that is asked already.
    pub async fn ask(mut self, asking: &Asking<'_>) -> Reply {
        let forward = self.forward.clone();
        let deadline = Instant::now() + forward.timeout;
        let mut asked = None;
        if let Some(KnownBy { key, miss, .. }) = &mut self.known_by {
            match forward.under_way.join(key.clone()) {
                Turn::First(first) => asked = Some(first),
                Turn::Behind(waiting) => {
                    // What is left of the time is for a question of its own.
                    let _ = timeout_at(deadline, waiting.word()).await;
                    match forward.find(key) {
                        Ok(identity) => return self.remembered(identity),
                        Err(again) => *miss = again,
                    }
                }
            }
        }
        let answer = timeout_at(deadline, self.send(asking)).await;
        let answer = answer.unwrap_or(Err(Failure::ResponseTimeout));
        let reply = self.reply(answer);
        drop(asked);
        reply
    }

    fn reply(mut self, answer: Result<Response<Body>, Failure>) -> Reply {
        let authenticator = &*self.forward.name;
        let found = match answer.map(|answer| (Meant::by(answer.status()), answer)) {
            Ok((Meant::Answer, answer)) => return Reply::Answer(answer),
            Ok((Meant::Pass, answer)) => {
                let identity =
                    Arc::new(self.forward.rule.identity(&self.forward.name, answer.headers()));
                if let Some(KnownBy { miss, cache, .. }) = self.known_by.take() {
                    let (until, now) = (millis(cache), millis(Duration::ZERO));
                    self.forward.remembered.put(miss, identity.clone(), until, now);
                }
                return self.proven(identity);
            }
            Ok((Meant::Declined, answer)) => {
                let status = answer.status().as_u16();
                tracing::debug!(authenticator, status, "the service does not take the question");
                Err(Refusal::Unavailable)
            }
            Ok((Meant::Failure, answer)) => {
                let status = answer.status().as_u16();
                tracing::debug!(authenticator, status, "what the service answers says nothing");
                self.forward.failed()
            }
            Err(failure) => {
                let error = failure.meaning().label;
                tracing::debug!(authenticator, error, "the service does not answer");
                self.forward.failed()
            }
        };
        match found {
            Ok(nobody) => self.proven(Arc::new(nobody)),
            Err(refusal) => Reply::Found(Finding::Refused(refusal)),
        }
    }

    fn remembered(&self, identity: Arc<Identity>) -> Reply {
        Reply::Found(Finding::Remembered { identity, ambient: self.ambient })
    }

    fn proven(&self, identity: Arc<Identity>) -> Reply {
        Reply::Found(Finding::Proven { identity, ambient: self.ambient })
    }

    /// Send it, and take its answer whole.
    async fn send(&mut self, asking: &Asking<'_>) -> Result<Response<Body>, Failure> {
        let Asking { upstream, outbound, peer, forwarded, via } = *asking;
        let mut head = self.head.take().ok_or(Failure::Internal)?;
        if via::is_ours(&head.headers) {
            return Err(Failure::Loop);
        }
        peer.announce(&mut head.headers, &mut forwarded.borrow_mut());
        append_via(&mut head.headers, via.of(head.version));
        let (route, priority) = (CostRoute::ALIKE, Priority::Normal);
        let cost_of = CostOf { route, priority, head: &head };
        let (time_left, listening) = (TimeLeft::default(), Listening::Nothing);
        let permit =
            upstream.admit(outbound, &cost_of, time_left, listening, Instant::now()).await?;
        let dispatch = Dispatch {
            upstream,
            route: CostRoute::ALIKE,
            subset: None,
            retry: &self.forward.retry,
            hedge: None,
            time_left,
            upgrade: None,
            interim: &None,
            client: self.client,
            permit: &permit,
            listening,
        };
        let answer = send(outbound, dispatch, &mut head, &mut Body::Empty).await?;
        let (mut head, body) = answer.into_parts();
        let content = body.whole(MOST_CONTENT).await?;
        if content.is_none() {
            head.headers.remove(CONTENT_LENGTH);
            head.headers.remove(CONTENT_ENCODING);
        }
        Ok(Response::from_parts(head, Body::full(content.unwrap_or_default())))
    }
}

/// The time in so long, in milliseconds of the clock that is never set.
fn millis(from_now: Duration) -> i64 {
    let at = clock::now().after(from_now);
    i64::try_from(at.0 / 1_000_000).unwrap_or(i64::MAX)
}
