//! Authenticate: where the request comes from.

use std::sync::Arc;

use tidegate_core::auth::{Finding, Refusal};
use tidegate_core::failure::Failure;
use tokio::time::Instant;

use crate::account::event::Event;
use crate::account::explain::AuthDecision;
use crate::account::metrics::AuthResult;
use crate::call::{Call, Proof};
use crate::net::clock;
use crate::objects::auth::{Authenticator, Examined, Later, Presented};
use crate::snapshot::Access;

/// An authenticator that does not know yet.
pub struct Pending {
    authenticator: Arc<Authenticator>,
    began: Instant,
    later: Later,
}

impl Pending {
    /// Wait for what it finds.
    pub async fn found(self) -> Found {
        let finding = self.later.await;
        Found { authenticator: self.authenticator, began: self.began, finding }
    }
}

/// What an authenticator found after a while.
pub struct Found {
    authenticator: Arc<Authenticator>,
    began: Instant,
    finding: Finding,
}

/// Ask the authenticators of the route, in their order: the first whose credential the request carries decides.
///
/// # Errors
/// If the credential is not believed, or there is none and the route wants one.
pub fn before(
    access: &Access,
    authenticators: &[Arc<Authenticator>],
    call: &mut Call<'_>,
) -> Result<Option<Pending>, Failure> {
    if authenticators.is_empty() {
        return Ok(None);
    }
    let now = clock::unix_seconds();
    for authenticator in authenticators {
        let presented = Presented { head: call.head, address: call.address, now };
        match authenticator.examine(presented) {
            Examined::Now(Finding::Absent) => {}
            Examined::Now(finding) => return decide(authenticator, finding, call).map(|()| None),
            Examined::Later(later) => {
                let (authenticator, began) = (authenticator.clone(), Instant::now());
                return Ok(Some(Pending { authenticator, began, later }));
            }
        }
    }
    for authenticator in authenticators {
        tell(authenticator, AuthResult::Missing, None, call);
    }
    if access.anonymous { Ok(None) } else { Err(Failure::Unauthenticated) }
}

/// Go on with what was found after a while.
///
/// # Errors
/// If the credential is not believed.
pub fn resume(found: Found, call: &mut Call<'_>) -> Result<(), Failure> {
    let Found { authenticator, began, finding } = found;
    authenticator.metrics.took(call.client.local.outbound.worker, began.elapsed());
    decide(&authenticator, finding, call)
}

fn decide(
    authenticator: &Authenticator,
    finding: Finding,
    call: &mut Call<'_>,
) -> Result<(), Failure> {
    match finding {
        Finding::Proven { identity, ambient } => {
            tell(authenticator, AuthResult::Ok, None, call);
            call.tell(&Event::Authenticated(&identity));
            authenticator.take_off(call.head);
            call.proof = Some(Proof { identity, ambient });
            Ok(())
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
    let denies = !matches!(result, AuthResult::Ok | AuthResult::Missing);
    call.tell(&Event::AuthenticatorAsked { denies, decision: &decision });
}
