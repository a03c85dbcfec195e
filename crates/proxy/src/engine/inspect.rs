//! Questions about a plan that is not served.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;
use tidegate_core::plan::{Issue, Plan};

use super::ask::{read, written};
use super::reading::{Items, Refused};
use super::routing::RouteQuestion;
use crate::account::Accounts;
use crate::net::Address;
use crate::objects::auth::live::LiveAuthenticators;
use crate::quic::Secret;
use crate::snapshot::{Live, Settings, Snapshot, route_table};
use crate::upstream::live::LiveEndpoints;

/// A question about a plan.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Question {
    /// All its errors that can be found without starting anything, as pairs of path and message.
    Check {},
    /// Which route takes a request, and why the nearer ones do not.
    Route(RouteQuestion),
    /// The routes in order of precedence.
    Table {},
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The plan does not allow for one.
    Plan(Vec<Issue>),
    /// Something is wrong with the question.
    Question(String),
}

impl From<String> for NoAnswer {
    fn from(wrong: String) -> Self {
        Self::Question(wrong)
    }
}

/// The answer to `question`, in JSON as the question is, about the plan in `text`.
///
/// # Errors
/// Why there is none.
pub fn inspect(text: &[u8], question: &[u8]) -> Result<Vec<u8>, NoAnswer> {
    let question: Question = read(question)?;
    let plan = Items::default().read(text).map_err(|refused| match refused {
        Refused::Issues(issues) => issues,
        Refused::Unknown(digests) => {
            let wrong = "expected the item itself: nothing is known by its digest here";
            digests.into_iter().map(|digest| Issue::new(digest, wrong)).collect()
        }
    });
    Ok(match question {
        Question::Check {} => {
            let issues = plan.map_or_else(|issues| issues, check);
            let pairs: Vec<_> = issues.iter().map(|issue| (&issue.path, &issue.message)).collect();
            written(&pairs)?
        }
        Question::Route(question) => {
            let plan = plan.map_err(NoAnswer::Plan)?;
            let table = route_table(&plan).map_err(NoAnswer::Plan)?;
            written(&question.answer(&table, &plan)?)?
        }
        Question::Table {} => {
            let plan = plan.map_err(NoAnswer::Plan)?;
            written(&route_table(&plan).map_err(NoAnswer::Plan)?.rows())?
        }
    })
}

/// Everything that is wrong with `plan`, apart from what only binding its addresses and opening its
/// log and the directories of its caches would tell.
fn check(mut plan: Plan) -> Vec<Issue> {
    let mut issues = Vec::new();
    for (index, listener) in plan.listeners.iter().enumerate() {
        let path = format!("listeners.{index}");
        match Address::parse(&listener.address) {
            Err(wrong) => issues.push(Issue::new(format!("{path}.address"), wrong)),
            Ok(address) => {
                let settings = Settings::build(listener, &address, None, &Secret::default(), &path);
                issues.extend(settings.err().into_iter().flatten());
            }
        }
    }
    plan.access_log = None;
    plan.caches.iter_mut().for_each(|cache| Arc::make_mut(cache).disk = None);
    let live = Live {
        endpoints: &LiveEndpoints::default(),
        authenticators: &LiveAuthenticators::default(),
    };
    if let Err(more) = Snapshot::build(plan, None, live, &Accounts::new(1)) {
        issues.extend(more);
    }
    let mut seen = HashSet::new();
    issues.retain(|issue| seen.insert(issue.to_string()));
    issues
}
