//! An authenticator as an object: how it examines requests, and what it remembers.
//!
//! Each kind has a file. One that can say at once where a request comes from does so; one that must ask elsewhere, or
//! work for longer than a worker may be away, gives a [`Later`].

mod api_key;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, request};
use tidegate_core::auth::{Finding, Place};
use tidegate_core::plan::{self, Issue};

use self::api_key::ApiKey;
use super::keeper::{Object, is_same};
use crate::account::metrics::{AuthenticatorMetrics, Metrics};

/// What of a request an authenticator looks at.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// Its head.
    pub head: &'a request::Parts,
    /// The client's address; absent where it has none, as behind a Unix socket.
    pub address: Option<IpAddr>,
    /// Seconds since 1970.
    pub now: i64,
}

/// A finding that takes its time.
pub type Later = Pin<Box<dyn Future<Output = Finding>>>;

/// When it is found out where a request comes from.
pub enum Examined {
    /// At once.
    Now(Finding),
    /// When this is over. The request does carry a credential of this kind.
    Later(Later),
}

/// Finds out where requests come from, for all workers.
#[derive(Debug)]
pub struct Authenticator {
    /// What was asked for.
    pub plan: Arc<plan::Authenticator>,
    /// Its counts, which have its name.
    pub metrics: Arc<AuthenticatorMetrics>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    ApiKey(ApiKey),
}

impl Authenticator {
    /// The authenticator that `plan`, whose option stands at `at`, asks for.
    ///
    /// # Errors
    /// Everything that is wrong with the plan.
    pub fn build(
        plan: &Arc<plan::Authenticator>,
        at: &str,
        metrics: &Metrics,
    ) -> Result<Self, Vec<Issue>> {
        let kind = match &plan.api_key {
            Some(wanted) => {
                let at = format!("{at}.api_key");
                Kind::ApiKey(ApiKey::build(&plan.name, wanted, &at)?)
            }
            None => return Err(vec![Issue::new(at, "expected a kind of authenticator")]),
        };
        Ok(Self { plan: plan.clone(), metrics: metrics.authenticator(&plan.name), kind })
    }

    /// What it makes of a request.
    pub fn examine(&self, presented: Presented<'_>) -> Examined {
        match &self.kind {
            Kind::ApiKey(keys) => Examined::Now(keys.examine(presented)),
        }
    }

    /// Its kind, as its option is called.
    pub const fn kind(&self) -> &'static str {
        match &self.kind {
            Kind::ApiKey(_) => "api_key",
        }
    }

    /// How clients are asked for its kind of credential (`WWW-Authenticate`, RFC 9110 §11.6.1).
    pub fn challenge(&self) -> &HeaderValue {
        match &self.kind {
            Kind::ApiKey(keys) => keys.challenge(),
        }
    }

    /// Take its credentials off, so that they go no further, unless they are to be kept.
    pub fn take_off(&self, head: &mut request::Parts) {
        if !self.plan.keep_credentials {
            self.places().iter().for_each(|place| place.take_off(head));
        }
    }

    /// The fields that clients send credentials in.
    pub fn credential_fields(&self) -> impl Iterator<Item = &HeaderName> {
        self.places().iter().filter_map(|place| match place {
            Place::Header(name) => Some(name),
            _ => None,
        })
    }

    fn places(&self) -> &[Place] {
        match &self.kind {
            Kind::ApiKey(keys) => keys.places(),
        }
    }
}

impl Object for Authenticator {
    type Plan<'p> = &'p Arc<plan::Authenticator>;

    fn name(&self) -> &str {
        &self.plan.name
    }

    fn is_of(&self, plan: &&Arc<plan::Authenticator>) -> bool {
        is_same(&self.plan, plan)
    }
}

/// The places that an option at `at` lists. What is wrong is added to `issues`.
fn places(wanted: &[plan::Place], at: &str, issues: &mut Vec<Issue>) -> Box<[Place]> {
    let place = |(index, wanted): (usize, &plan::Place)| {
        let place = Place::build(wanted);
        place.map_err(|wrong| issues.push(Issue::new(format!("{at}.{index}"), wrong))).ok()
    };
    wanted.iter().enumerate().filter_map(place).collect()
}
