//! Authenticate: where the request comes from.

use std::pin::Pin;
use std::sync::Arc;

use tidegate_core::auth::{Finding, Identity, Refusal};
use tidegate_core::failure::Failure;
use tokio::time::Instant;

use super::Flow;
use crate::account::event::Event;
use crate::account::explain::AuthDecision;
use crate::account::metrics::AuthResult;
use crate::call::{Call, Proof};
use crate::client::Client;
use crate::net::clock;
use crate::objects::auth::{Asking, Authenticator, Examined, Presented, Question, Reply};
use crate::snapshot::{Access, Snapshot};

/// What becomes of a request that a service does not let go on.
const ANSWERED: &str = "the service that was asked answers the request itself";

/// What is wrong with a token that no authenticator of the route is for.
const OF_NONE: &str = "the token is of an issuer that the route does not know";

/// An authenticator that does not know yet. Boxed as a whole, so that requests which need not wait do not carry it around.
pub type Pending<'a> = Pin<Box<dyn Future<Output = Found> + 'a>>;

/// What an authenticator found after a while.
pub struct Found {
    authenticator: Arc<Authenticator>,
    began: Instant,
    reply: Reply,
}

impl Found {
    /// What `authenticator` finds once its `reply` has come, which it waits for from now on.
    fn after<'a>(
        authenticator: &Arc<Authenticator>,
        reply: impl Future<Output = Reply> + 'a,
    ) -> Pending<'a> {
        let (authenticator, began) = (authenticator.clone(), Instant::now());
        Box::pin(async move { Self { authenticator, began, reply: reply.await } })
    }
}

/// Ask the authenticators of the route, in their order: the first whose credential the request carries decides.
///
/// # Errors
/// If the credential is not believed, or there is none and the route wants one.
pub fn before<'a>(
    access: &Access,
    authenticators: &'a [Arc<Authenticator>],
    call: &mut Call<'a>,
) -> Result<Option<Pending<'a>>, Failure> {
    if authenticators.is_empty() {
        return Ok(None);
    }
    let now = clock::unix_seconds();
    let hashing = &call.client.local.hashing;
    let mut of_others = Vec::new();
    for authenticator in authenticators {
        let presented = Presented {
            head: call.head,
            address: call.address,
            now,
            hashing,
            scheme: call.client.peer.client_scheme(&call.head.headers),
            certificate: call.client.certificate(),
        };
        match authenticator.examine(presented) {
            Examined::Now(Finding::Absent) => {}
            Examined::Now(Finding::OfAnother) => of_others.push(authenticator),
            Examined::Now(finding) => return decide(authenticator, finding, call).map(|()| None),
            Examined::Later(later) => {
                let reply = async { Reply::Found(later.await) };
                return Ok(Some(Found::after(authenticator, reply)));
            }
            Examined::Asks(question) => {
                let reply = ask(authenticator, question, call.client, call.snapshot);
                return Ok(Some(Found::after(authenticator, reply)));
            }
        }
    }
    if !of_others.is_empty() {
        for authenticator in of_others {
            tell(authenticator, AuthResult::Invalid, Some(OF_NONE), call);
        }
        return Err(Failure::Unauthenticated);
    }
    for authenticator in authenticators {
        tell(authenticator, AuthResult::Missing, None, call);
    }
    if access.anonymous { Ok(None) } else { Err(Failure::Unauthenticated) }
}

/// What the service of an authenticator says to its `question`.
async fn ask(
    authenticator: &Authenticator,
    question: Box<Question>,
    client: &Client,
    snapshot: &Snapshot,
) -> Reply {
    let Some(upstream) = snapshot.asked_upstreams.get(&authenticator.plan.name) else {
        return Reply::Found(Finding::Refused(Refusal::Unavailable));
    };
    let asking = Asking {
        upstream,
        outbound: &client.local.outbound,
        peer: &client.peer,
        forwarded: &client.forwarded,
        via: &snapshot.via,
    };
    question.ask(&asking).await
}

/// Go on with what was found after a while, or answer as the service does that was asked.
///
/// # Errors
/// If the credential is not believed.
pub fn resume(found: Found, call: &mut Call<'_>) -> Result<Flow, Failure> {
    let Found { authenticator, began, reply } = found;
    authenticator.metrics.took(call.client.local.outbound.worker, began.elapsed());
    match reply {
        Reply::Found(finding) => decide(&authenticator, finding, call).map(|()| Flow::Go),
        Reply::Answer(response) => {
            tell(&authenticator, AuthResult::Invalid, Some(ANSWERED), call);
            Ok(Flow::Answer(response))
        }
    }
}

fn decide(
    authenticator: &Authenticator,
    finding: Finding,
    call: &mut Call<'_>,
) -> Result<(), Failure> {
    match finding {
        Finding::Proven { identity, ambient } => {
            tell(authenticator, AuthResult::Ok, None, call);
            prove(authenticator, identity, ambient, call);
            Ok(())
        }
        Finding::Remembered { identity, ambient } => {
            tell(authenticator, AuthResult::Cached, None, call);
            prove(authenticator, identity, ambient, call);
            Ok(())
        }
        Finding::OfAnother => {
            tell(authenticator, AuthResult::Invalid, Some(OF_NONE), call);
            Err(Failure::Unauthenticated)
        }
        Finding::Refused(refusal) => {
            tell(authenticator, AuthResult::of(refusal), Some(refusal.detail()), call);
            Err(match refusal {
                Refusal::Unavailable => Failure::AuthUnavailable,
                _ => Failure::Unauthenticated,
            })
        }
        Finding::Absent => {
            tell(authenticator, AuthResult::Missing, None, call);
            Err(Failure::Unauthenticated)
        }
    }
}

fn prove(
    authenticator: &Authenticator,
    identity: Arc<Identity>,
    ambient: bool,
    call: &mut Call<'_>,
) {
    call.tell(&Event::Authenticated(&identity));
    authenticator.take_off(call.head);
    authenticator.add_to(&mut call.head.headers, &identity);
    call.proof = Some(Proof { identity, ambient });
}

/// Count what an authenticator said, and let it be explained.
fn tell(
    authenticator: &Authenticator,
    result: AuthResult,
    reason: Option<&'static str>,
    call: &Call<'_>,
) {
    authenticator.metrics.said(call.client.local.outbound.worker, result);
    let decision = || AuthDecision {
        authenticator: authenticator.plan.name.as_str().into(),
        result: result.label(),
        reason,
    };
    let denies = !matches!(result, AuthResult::Ok | AuthResult::Cached | AuthResult::Missing);
    call.tell(&Event::AuthenticatorAsked { denies, decision: &decision });
}
