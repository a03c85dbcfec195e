//! Access: who may use a route.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Networks;

/// Who may use a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Names of authenticators; the first whose credential a request carries decides.
    pub authenticate: Vec<String>,
    /// Whether requests without a credential are let go.
    pub anonymous: bool,
    /// What the identity must have; all of it.
    pub require: Vec<Requirement>,
    /// By the network of the client's address; absent: any.
    pub networks: Option<Networks>,
    /// By the country of the client's address; absent: any.
    pub countries: Option<Lists>,
    /// By the autonomous system of the client's address; absent: any.
    pub asns: Option<Lists>,
}

/// What is denied, and what alone is allowed where anything is; `unknown` stands for what is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lists {
    /// Where there are any, all others are kept out.
    pub allow: Vec<String>,
    /// What is kept out.
    pub deny: Vec<String>,
}

/// What an identity must have: exactly one of `claim`, `any` and `none` is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Name of the claim.
    pub claim: Option<String>,
    /// The claim's text.
    pub equals: Option<String>,
    /// An item of the claim's list, or a word of its text.
    pub contains: Option<String>,
    /// A regular expression for the whole of the claim's text, or of an item of its list.
    pub matches: Option<String>,
    /// Whether the claim is there at all.
    pub present: Option<bool>,
    /// One of these is enough.
    pub any: Option<Vec<ClaimCondition>>,
    /// None of these may hold.
    pub none: Option<Vec<ClaimCondition>>,
}

/// Condition on a claim: exactly one of `equals`, `contains`, `matches` and `present` is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimCondition {
    /// Name of the claim.
    pub claim: String,
    /// The claim's text.
    pub equals: Option<String>,
    /// An item of the claim's list, or a word of its text.
    pub contains: Option<String>,
    /// A regular expression for the whole of the claim's text, or of an item of its list.
    pub matches: Option<String>,
    /// Whether the claim is there at all.
    pub present: Option<bool>,
}

/// What a field tells upstreams of an identity: exactly one is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityHeader {
    /// The value of this claim.
    pub claim: Option<String>,
    /// The subject.
    pub subject: Option<bool>,
    /// The name of the authenticator.
    pub authenticator: Option<bool>,
}
