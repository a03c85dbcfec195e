//! Certificates that clients showed in their handshakes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tidegate_core::auth::{CertificateRule, Finding, Refusal};
use tidegate_core::plan::{self, Issue};

use super::Presented;

/// Finds out whose a certificate is.
#[derive(Debug)]
pub(super) struct Certificate {
    /// No other one has it, so that connections can remember what this found.
    id: u64,
    name: Arc<str>,
    rule: CertificateRule,
}

impl Certificate {
    /// That of the authenticator `name`, whose option stands at `at`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn build(
        name: &str,
        wanted: &plan::CertificateAuth,
        at: &str,
    ) -> Result<Self, Vec<Issue>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut issues = Vec::new();
        let rule = CertificateRule::build(wanted, at, &mut issues);
        let id = NEXT.fetch_add(1, Relaxed);
        if issues.is_empty() { Ok(Self { id, name: name.into(), rule }) } else { Err(issues) }
    }

    pub(super) fn examine(&self, presented: Presented<'_>) -> Finding {
        let Some(certificate) = presented.certificate else { return Finding::Absent };
        certificate.found(self.id, |names| match self.rule.identity(&self.name, names) {
            // A browser shows a certificate to whichever site has it make a request.
            Ok(identity) => Finding::Proven { identity: Arc::new(identity), ambient: true },
            Err(wrong) => Finding::Refused(Refusal::Invalid(wrong)),
        })
    }
}
