//! Names and passwords.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tidegate_core::auth::{Finding, Htpasswd, NameAndPassword, Place, Refusal};
use tidegate_core::plan::{self, Issue};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Examined, Presented};
use crate::long_work::LongWork;
use crate::net::clock;
use crate::objects::random::random;

/// How long a request waits for the hash of its password. It is long after most clients have given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Browsers send a password on their own once they have asked for it.
const AMBIENT: bool = true;

/// Knows names, and passwords by what they hash to.
#[derive(Debug)]
pub(super) struct Basic {
    passwords: Arc<Htpasswd>,
    challenge: HeaderValue,
}

impl Basic {
    /// That of the authenticator `name`, whose option stands at `at`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn build(name: &str, wanted: &plan::Basic, at: &str) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        let passwords = Htpasswd::read(&Arc::from(name), &wanted.file, &random());
        let passwords = passwords.map_err(|wrong| {
            let issue = |mistake| Issue::new(format!("{at}.file"), mistake);
            issues.extend(wrong.into_iter().map(issue));
        });
        let challenge = challenge(wanted.realm.as_deref().unwrap_or(name));
        let challenge =
            challenge.map_err(|wrong| issues.push(Issue::new(format!("{at}.realm"), wrong)));
        match (passwords, challenge) {
            (Ok(passwords), Ok(challenge)) => {
                Ok(Self { passwords: Arc::new(passwords), challenge })
            }
            _ => Err(issues),
        }
    }

    pub(super) fn examine(&self, presented: Presented<'_>) -> Examined {
        let Some(credential) = Place::BASIC.find(presented.head) else {
            return Examined::Now(Finding::Absent);
        };
        let given = match NameAndPassword::decode(&credential) {
            Ok(given) => given,
            Err(flaw) => return Examined::Now(Finding::Refused(Refusal::Invalid(flaw))),
        };
        match self.passwords.remembered(&given, clock::now()) {
            Some(identity) => {
                let identity = identity.clone();
                Examined::Now(Finding::Remembered { identity, ambient: AMBIENT })
            }
            None => self.hash(given, presented.hashing),
        }
    }

    /// Have the slow hash computed beside the workers.
    fn hash(&self, given: NameAndPassword, hashing: &LongWork) -> Examined {
        let (tell, told) = oneshot::channel();
        let passwords = self.passwords.clone();
        let work = move || {
            // A request that is gone needs none.
            if !tell.is_closed() {
                let verified = passwords.verify(&given, clock::now()).cloned();
                // It may have gone in the meantime.
                let _ = tell.send(verified);
            }
        };
        if hashing.submit(work).is_err() {
            return Examined::Now(Finding::Refused(Refusal::Unavailable));
        }
        Examined::Later(Box::pin(async move {
            match timeout(PATIENCE, told).await {
                Ok(Ok(Ok(identity))) => Finding::Proven { identity, ambient: AMBIENT },
                Ok(Ok(Err(refusal))) => Finding::Refused(refusal),
                // It took too long, or what computed it fell over or ends.
                Ok(Err(_)) | Err(_) => Finding::Refused(Refusal::Unavailable),
            }
        }))
    }

    pub(super) const fn challenge(&self) -> &HeaderValue {
        &self.challenge
    }
}

/// What asks a client for a name and a password (RFC 7617 §2), in UTF-8 (§2.1).
fn challenge(realm: &str) -> Result<HeaderValue, &'static str> {
    let mut text = String::from("Basic realm=\"");
    for character in realm.chars() {
        let escape = if matches!(character, '"' | '\\') { "\\" } else { "" };
        // Writing to a text does not fail.
        let _ = write!(text, "{escape}{character}");
    }
    text.push_str("\", charset=\"UTF-8\"");
    HeaderValue::from_str(&text).map_err(|_| "expected printable characters of ASCII")
}
