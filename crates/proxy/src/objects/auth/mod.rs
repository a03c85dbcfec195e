//! An authenticator as an object: how it examines requests, and what it remembers.
//!
//! Each kind has a file. One that can say at once where a request comes from does so; one that must ask elsewhere, or
//! work for longer than a worker may be away, gives a [`Later`].

mod api_key;
mod basic;
mod certificate;
mod forward;
mod jwt;
pub mod live;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, request};
use tidegate_core::auth::{Finding, Identity, Place, Refusal};
use tidegate_core::plan::{self, Issue};

use self::api_key::ApiKey;
use self::basic::Basic;
use self::certificate::Certificate;
use self::forward::Forward;
pub use self::forward::{Asking, Question, Reply};
use self::jwt::Jwt;
use self::live::{LiveAuthenticators, SuppliedKeys};
use super::keeper::{Object, is_same};
use crate::account::Accounts;
use crate::account::metrics::AuthenticatorMetrics;
use crate::long_work::LongWork;
use crate::tls::peer_certificate::PeerCertificate;

/// What of a request an authenticator looks at.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// Its head.
    pub head: &'a request::Parts,
    /// The client's address; absent where it has none, as behind a Unix socket.
    pub address: Option<IpAddr>,
    /// Seconds since 1970.
    pub now: i64,
    /// Where slow hashes wait to be computed.
    pub hashing: &'a LongWork,
    /// The scheme by which the client asks.
    pub scheme: &'a str,
    /// The certificate that it showed.
    pub certificate: Option<&'a PeerCertificate>,
}

/// A finding that takes its time.
pub type Later = Pin<Box<dyn Future<Output = Finding>>>;

/// When it is found out where a request comes from.
pub enum Examined {
    /// At once.
    Now(Finding),
    /// When this is over. The request does carry a credential of this kind.
    Later(Later),
    /// When a service has been asked.
    Asks(Box<Question>),
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
    Jwt(Arc<Jwt>),
    ApiKey(ApiKey),
    Basic(Basic),
    Certificate(Certificate),
    Forward(Arc<Forward>),
}

impl Authenticator {
    /// The authenticator that `plan`, whose option stands at `at`, asks for.
    ///
    /// # Errors
    /// Everything that is wrong with the plan.
    pub fn build(
        plan: &Arc<plan::Authenticator>,
        at: &str,
        live: &LiveAuthenticators,
        accounts: &Accounts,
    ) -> Result<Self, Vec<Issue>> {
        let plan::Authenticator { name, jwt, api_key, basic, certificate, forward, .. } = &**plan;
        let live = || live.of(name).map_err(|wrong| vec![Issue::new(at, wrong)]);
        let kind = if let Some(wanted) = jwt {
            let at = format!("{at}.jwt");
            Kind::Jwt(Arc::new(Jwt::build(name, wanted, &at, live()?, &accounts.outbox)?))
        } else if let Some(wanted) = api_key {
            Kind::ApiKey(ApiKey::build(name, wanted, &format!("{at}.api_key"), live()?)?)
        } else if let Some(wanted) = basic {
            Kind::Basic(Basic::build(name, wanted, &format!("{at}.basic"))?)
        } else if let Some(wanted) = certificate {
            Kind::Certificate(Certificate::build(name, wanted, &format!("{at}.certificate"))?)
        } else if let Some(wanted) = forward {
            Kind::Forward(Arc::new(Forward::build(name, wanted, &format!("{at}.forward"))?))
        } else {
            return Err(vec![Issue::new(at, "expected a kind of authenticator")]);
        };
        Ok(Self { plan: plan.clone(), metrics: accounts.metrics.authenticator(name), kind })
    }

    /// What it makes of a request.
    pub fn examine(&self, presented: Presented<'_>) -> Examined {
        if self.plan.keep_credentials && self.finds_several(presented.head) {
            let several = "the request carries several credentials, of which one would be checked and all passed on";
            return Examined::Now(Finding::Refused(Refusal::Invalid(several)));
        }
        match &self.kind {
            Kind::Jwt(jwt) => jwt.examine(presented),
            Kind::ApiKey(keys) => Examined::Now(keys.examine(presented)),
            Kind::Basic(basic) => basic.examine(presented),
            Kind::Certificate(certificate) => Examined::Now(certificate.examine(presented)),
            Kind::Forward(forward) => forward.examine(presented),
        }
    }

    /// What it would make of this token just now; `None` if it is not for tokens. Nothing is asked for, and nothing
    /// remembered.
    pub fn judge(&self, token: &[u8], now: i64) -> Option<Finding> {
        match &self.kind {
            Kind::Jwt(jwt) => Some(jwt.judge(token, now)),
            _ => None,
        }
    }

    /// The keys that it has from an identity provider.
    pub fn supplied_keys(&self) -> Option<Arc<SuppliedKeys>> {
        match &self.kind {
            Kind::Jwt(jwt) => jwt.supplied(),
            _ => None,
        }
    }

    /// Its kind, as its option is called.
    pub const fn kind(&self) -> &'static str {
        match &self.kind {
            Kind::Jwt(_) => "jwt",
            Kind::ApiKey(_) => "api_key",
            Kind::Basic(_) => "basic",
            Kind::Certificate(_) => "certificate",
            Kind::Forward(_) => "forward",
        }
    }

    /// How clients are asked for its kind of credential (`WWW-Authenticate`, RFC 9110 §11.6.1); `None` where they
    /// cannot be.
    pub fn challenge(&self) -> Option<&HeaderValue> {
        match &self.kind {
            Kind::Jwt(_) => Some(&jwt::CHALLENGE),
            Kind::ApiKey(keys) => Some(keys.challenge()),
            Kind::Basic(basic) => Some(basic.challenge()),
            Kind::Certificate(_) | Kind::Forward(_) => None,
        }
    }

    /// Take its credentials off, so that they go no further, unless they are to be kept.
    pub fn take_off(&self, head: &mut request::Parts) {
        if !self.plan.keep_credentials {
            self.places().iter().for_each(|place| place.take_off(head));
        }
    }

    /// The fields of requests that it sets itself.
    pub fn taken(&self) -> &[HeaderName] {
        match &self.kind {
            Kind::Forward(forward) => forward.taken(),
            _ => &[],
        }
    }

    /// Set them on a request of an identity that it has proven.
    pub fn add_to(&self, fields: &mut HeaderMap, identity: &Identity) {
        if let Kind::Forward(forward) = &self.kind {
            forward.add_to(fields, identity);
        }
    }

    /// The fields that clients send credentials in.
    pub fn credential_fields(&self) -> impl Iterator<Item = &HeaderName> {
        self.places().iter().filter_map(|place| match place {
            Place::Header(name) => Some(name),
            _ => None,
        })
    }

    /// The query parameters that clients send credentials in.
    pub fn credential_parameters(&self) -> impl Iterator<Item = &str> {
        self.places().iter().filter_map(|place| match place {
            Place::Query(name) => Some(&**name),
            _ => None,
        })
    }

    /// Whether credentials stand in a request that are not the same.
    fn finds_several(&self, head: &request::Parts) -> bool {
        let all: Vec<_> = self.places().iter().flat_map(|place| place.all(head)).collect();
        all.iter().any(|credential| *credential != all[0])
    }

    fn places(&self) -> &[Place] {
        match &self.kind {
            Kind::Jwt(jwt) => jwt.places(),
            Kind::ApiKey(keys) => keys.places(),
            Kind::Basic(_) => &[Place::BASIC],
            Kind::Certificate(_) | Kind::Forward(_) => &[],
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
