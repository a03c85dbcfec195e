//! What is said to a store from the opening of its links until something goes wrong.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use redis::{Pipeline, Value};
use tidegate_core::rate::Key;
use tidegate_core::rate::fleet::Order;
use tokio::time::Instant;

use super::Store;
use super::limits::{Limits, shared};
use super::link::{Link, Trouble};
use super::words;
use crate::net::{Address, clock};
use crate::objects::rate::RateLimit;

/// Orders that are placed at once.
const MOST_ORDERS: usize = 2_048;
/// How often a gateway says that it is there ...
const PRESENCE: Duration = Duration::from_secs(1);
/// ... and for how many milliseconds it counts then.
const PRESENT: u64 = 3_000;

/// The node of a cluster that a limit's keys are at; `None`: the server that was connected to first, which is the
/// only one where there is no cluster.
type Node = Option<String>;

/// What is said to a store, over one link to each of its nodes.
pub(super) struct Session<'a> {
    store: &'a Store,
    links: HashMap<Node, Link>,
    /// The nodes of limits that are not at the first.
    nodes: HashMap<Box<str>, String>,
    /// When this gateway said last that it is there, by limit.
    presence: HashMap<Box<str>, Instant>,
    /// What is on its way.
    said: Vec<Said>,
    /// When the server was last asked whether it is there, as no limit has anything to say.
    heard: Option<Instant>,
}

/// What was said.
enum Said {
    Presence(Arc<RateLimit>),
    Order(Arc<RateLimit>, Key, Order),
}

impl Said {
    fn limit(&self) -> &RateLimit {
        match self {
            Self::Presence(limit) | Self::Order(limit, ..) => limit,
        }
    }

    /// There is no answer: it is to be said again.
    fn unheard(self) {
        if let Self::Order(limit, key, _) = self
            && let Some(shared) = limit.limit.shared()
        {
            shared.unheard(key);
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.said.drain(..).for_each(Said::unheard);
    }
}

impl<'a> Session<'a> {
    /// Begin with a link to the server that the store's plan names.
    pub(super) async fn begin(store: &'a Store) -> Result<Self, Trouble> {
        let mut first = Link::open(store).await?;
        first.learn().await?;
        let links = HashMap::from([(None, first)]);
        let (nodes, presence) = (HashMap::new(), HashMap::new());
        Ok(Self { store, links, nodes, presence, said: Vec::new(), heard: None })
    }

    /// Say what there is to be said; whether there was anything. At most one round trip to each node.
    pub(super) async fn trip(&mut self, limits: &Limits) -> Result<bool, Trouble> {
        let mut by_node: HashMap<Node, Vec<Arc<RateLimit>>> = HashMap::new();
        for (limit, _) in shared(limits) {
            let node = self.nodes.get(limit.plan.name.as_str()).cloned();
            by_node.entry(node).or_default().push(limit.clone());
        }
        if by_node.is_empty() {
            return self.ping().await;
        }
        let mut anything = false;
        for (node, limits) in by_node {
            anything |= self.trip_to(&node, &limits).await?;
        }
        Ok(anything)
    }

    /// Ask the server from time to time whether it is there; whether it was asked.
    async fn ping(&mut self) -> Result<bool, Trouble> {
        let is_due = self.heard.is_none_or(|at| at.elapsed() >= PRESENCE);
        let Some(link) = self.links.get(&None).filter(|_| is_due) else { return Ok(false) };
        link.command(&redis::cmd("PING")).await?;
        self.heard = Some(Instant::now());
        Ok(true)
    }

    async fn trip_to(&mut self, node: &Node, limits: &[Arc<RateLimit>]) -> Result<bool, Trouble> {
        if let Some(address) = node
            && !self.links.contains_key(node)
        {
            let address = Address::parse(address).map_err(Trouble::Unexpected)?;
            let mut link = Link::to_node(&address, self.store).await?;
            link.learn().await?;
            self.links.insert(node.clone(), link);
        }
        let pipeline = self.say(node, limits);
        let (Some(link), false) = (self.links.get(node), self.said.is_empty()) else {
            return Ok(false);
        };
        let began = Instant::now();
        let answers = link.ask(&pipeline).await?;
        self.store.metrics.answered(began.elapsed());
        if answers.len() != self.said.len() {
            return Err(Trouble::Unexpected(format!("{} answers", answers.len())));
        }
        let mut wrong = None;
        for (said, answer) in std::mem::take(&mut self.said).into_iter().zip(answers) {
            match self.hear(&said, answer) {
                Ok(()) => {}
                Err(Trouble::Moved(address)) => {
                    let limit = said.limit().plan.name.as_str().into();
                    self.presence.remove(&limit);
                    self.nodes.insert(limit, address);
                    said.unheard();
                }
                Err(trouble) => {
                    said.unheard();
                    wrong = Some(trouble);
                }
            }
        }
        wrong.map_or(Ok(true), Err)
    }

    /// All that is to be said now of `limits`, which are at `node`.
    fn say(&mut self, node: &Node, limits: &[Arc<RateLimit>]) -> Pipeline {
        let mut pipeline = Pipeline::new();
        let Some(link) = self.links.get(node) else { return pipeline };
        let lease = u64::try_from(self.store.plan.lease.duration().as_micros()).unwrap_or(u64::MAX);
        for limit in limits {
            let (name, Some(shared)) = (limit.plan.name.as_str(), limit.limit.shared()) else {
                continue;
            };
            if self.presence.get(name).is_none_or(|at| at.elapsed() >= PRESENCE) {
                self.presence.insert(name.into(), Instant::now());
                words::presence(&mut pipeline, &link.scripts, name, PRESENT);
                self.said.push(Said::Presence(limit.clone()));
            }
            let room = MOST_ORDERS.saturating_sub(self.said.len());
            for placed in limit.limit.orders(room, clock::now()) {
                words::order(&mut pipeline, &link.scripts, name, &placed, shared.quotas(), lease);
                self.said.push(Said::Order(limit.clone(), placed.key, placed.order));
            }
        }
        pipeline
    }

    /// Go by an answer.
    fn hear(&self, said: &Said, answer: Value) -> Result<(), Trouble> {
        match said {
            Said::Presence(limit) => {
                let gateways = u32::try_from(words::number(answer)?).unwrap_or(u32::MAX);
                self.store.state.set_gateways(gateways);
                if let Some(shared) = limit.limit.shared() {
                    shared.set_gateways(gateways);
                }
            }
            Said::Order(limit, key, order) => {
                let grant = words::grant(answer)?;
                let tokens = limit.limit.hear(*key, order, &grant, clock::now());
                self.store.metrics.moved(tokens);
            }
        }
        Ok(())
    }
}
