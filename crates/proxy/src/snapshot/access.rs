//! Who may use a route, as far as the route alone says it.

use tidegate_core::auth::Requirement;
use tidegate_core::plan::{self, Issue};

/// Who may use a route.
#[derive(Debug)]
pub struct Access {
    /// Whether requests without a credential are let go.
    pub anonymous: bool,
    /// What an identity must have.
    pub requirements: Box<[Requirement]>,
}

impl Access {
    /// Reads the option that stands at `at`. What is wrong is added to `issues`.
    pub(super) fn build(wanted: &plan::Access, at: &str, issues: &mut Vec<Issue>) -> Self {
        let required = wanted.require.iter().enumerate();
        let requirements = required.filter_map(|(index, requirement)| {
            Requirement::build(requirement, &format!("{at}.require.{index}"), issues)
        });
        Self { anonymous: wanted.anonymous, requirements: requirements.collect() }
    }
}
