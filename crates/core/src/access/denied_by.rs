//! What refuses a request that may not use its route.

use strum::VariantArray;

/// The option of the route that refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
pub enum DeniedBy {
    /// `access.networks`: the network of the client's address.
    Networks,
    /// `access.countries`: its country.
    Countries,
    /// `access.asns`: its autonomous system.
    Asns,
    /// `access.require`: what the identity lacks.
    Require,
    /// `csrf`: a page of another origin sent it.
    Csrf,
}

impl DeniedBy {
    /// Every one, in the order of their numbers.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The option's name, which is the label `by` in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Networks => "networks",
            Self::Countries => "countries",
            Self::Asns => "asns",
            Self::Require => "require",
            Self::Csrf => "csrf",
        }
    }
}
