//! What would be decided of a token, and why.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidegate_core::auth::{Finding, Refusal};
use tidegate_core::failure::Failure;

use super::Engine;
use crate::net::clock;

/// Of which token, on which route.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenQuestion {
    route: String,
    token: String,
}

/// What would be decided of a request that carries the token and nothing else.
#[derive(Debug, Serialize)]
pub(super) struct TokenAnswer {
    /// The status of the answer; null: the request would be let go.
    status: Option<u16>,
    /// What is wrong, for people.
    reason: Option<String>,
    /// The authenticators of the route that were asked, in their order.
    asked: Vec<Asked>,
    subject: Option<String>,
    claims: Option<Map<String, Value>>,
}

/// What an authenticator makes of the token.
#[derive(Debug, Serialize)]
struct Asked {
    authenticator: String,
    /// As metrics call it; `other`: it is not for it.
    result: &'static str,
    reason: Option<&'static str>,
}

impl Asked {
    fn new(authenticator: &str, finding: &Finding) -> Self {
        let (result, reason) = match finding {
            Finding::Proven { .. } | Finding::Remembered { .. } => ("ok", None),
            Finding::Refused(refusal) => (refusal.label(), Some(refusal.detail())),
            Finding::OfAnother => ("other", Some("the token is of another issuer")),
            Finding::Absent => ("missing", None),
        };
        Self { authenticator: authenticator.to_owned(), result, reason }
    }
}

impl Engine {
    /// What would be decided of a token; `None` if there is no such route.
    pub(super) fn check_token(&self, question: &TokenQuestion) -> Option<TokenAnswer> {
        let snapshot = self.snapshot();
        let index = snapshot.routes.iter().position(|each| each.plan.name == question.route)?;
        let mut answer = TokenAnswer {
            status: None,
            reason: None,
            asked: Vec::new(),
            subject: None,
            claims: None,
        };
        let Some(access) = &snapshot.routes[index].access else { return Some(answer) };
        let (token, now) = (question.token.as_bytes(), clock::unix_seconds());
        let mut decided = None;
        for authenticator in &snapshot.authenticators_of_routes[index] {
            let Some(finding) = authenticator.judge(token, now) else { continue };
            answer.asked.push(Asked::new(&authenticator.plan.name, &finding));
            if finding != Finding::OfAnother {
                decided = Some(finding);
                break;
            }
        }
        let mut refuse = |failure: Failure, reason: String| {
            answer.status = Some(failure.meaning().status);
            answer.reason = Some(reason);
        };
        let claims = match decided {
            Some(Finding::Proven { identity, .. } | Finding::Remembered { identity, .. }) => {
                answer.subject = identity.subject.as_deref().map(str::to_owned);
                answer.claims = Some(identity.claims.all().clone());
                identity.claims.clone()
            }
            Some(Finding::Refused(Refusal::Unavailable)) => {
                refuse(Failure::AuthUnavailable, Refusal::Unavailable.detail().to_owned());
                return Some(answer);
            }
            Some(Finding::Refused(refusal)) => {
                refuse(Failure::Unauthenticated, refusal.detail().to_owned());
                return Some(answer);
            }
            _ => {
                refuse(Failure::Unauthenticated, "no authenticator of the route is for it".into());
                return Some(answer);
            }
        };
        let unmet = access.requirements.iter().find_map(|each| each.unmet(&claims));
        if let Some(unmet) = unmet {
            refuse(Failure::Forbidden, format!("the route requires {unmet}"));
        }
        Some(answer)
    }
}
