//! What is predicted of an upstream's requests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is predicted of an upstream's requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Predict {
    /// What is done with it.
    pub mode: PredictMode,
}

/// What is done with what is predicted of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PredictMode {
    /// Nothing is predicted, and nothing learnt.
    Off,
    /// It is learnt what requests cost, and told what that is worth; nothing follows from it.
    Shadow,
    /// Those that wait are let in by what they are predicted to cost, as far as predictions are worth something.
    Auto,
}
