//! Access: who may use a route.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Networks;

/// Who may use a route: all that is asked for must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
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
