//! Networks: whose addresses are let in.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which addresses are let in. The rule with the longest prefix decides; between two of one length `deny` does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Networks {
    /// Networks that are let in. Where there are any, or a file of them, all others are not.
    #[schemars(with = "Vec<String>")]
    pub allow: Vec<IpNet>,
    /// Networks that are not.
    #[schemars(with = "Vec<String>")]
    pub deny: Vec<IpNet>,
    /// Contents of files with more networks to let in, one a line.
    pub allow_files: Vec<String>,
    /// Contents of files with more networks not to let in, one a line.
    pub deny_files: Vec<String>,
}
