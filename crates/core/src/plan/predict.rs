//! What is predicted of an upstream's requests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Percent, PositivePercent};

/// What is predicted of an upstream's requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Predict {
    /// What is done with it.
    pub mode: PredictMode,
    /// Of which part of the requests, beside those that take long, samples are taken that models learn from.
    pub samples: Percent,
    /// The model that predicts beside what is learnt.
    pub model: Option<ModelUse>,
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

/// A model, and how far it is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelUse {
    /// Its name and its digest: `name@digest`.
    pub name: String,
    /// How far it is used.
    pub stage: ModelStage,
    /// Of which part of the requests it predicts the cost where it is a `canary`.
    pub share: PositivePercent,
}

/// How far a model is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelStage {
    /// It is asked of some requests, and told what that is worth; nothing follows from it.
    Shadow,
    /// It predicts the cost of a share of the requests.
    Canary,
    /// It predicts the cost of all.
    Live,
}
