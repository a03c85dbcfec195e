//! Why a model is refused, for people.

use std::time::Duration;

/// Why a model is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It is too large.
    #[error("the model has {0} bytes: at most {1} are taken")]
    TooLarge(usize, usize),
    /// It is no tar of the files that a model has.
    #[error(
        "the model is not a tar of manifest.json, golden.f32 and model.trees or model.onnx: {0}"
    )]
    Package(String),
    /// Its manifest is none.
    #[error("manifest.json: {0}")]
    Manifest(String),
    /// A file is not the one that the manifest names.
    #[error("{0} is not the file that the manifest lists: its SHA-256 differs")]
    Digest(&'static str),
    /// It was trained for other features.
    #[error(
        "the model is for features `{0}` with the hash {1}: this version has `{2}` with the hash {3}; train it anew"
    )]
    Schema(String, String, &'static str, String),
    /// Its trees are none.
    #[error("model.trees: {0}")]
    Trees(String),
    /// It has an operator that cannot be run.
    #[error("model.onnx has the operator `{0}`, which cannot be run: expected {1}")]
    Operator(String, String),
    /// Its network cannot be run.
    #[error("model.onnx: {0}")]
    Network(String),
    /// Its golden vectors are none.
    #[error("golden.f32 {0}")]
    Vectors(String),
    /// It answers otherwise than what trained it.
    #[error(
        "golden vector {row}: the model answers {answer}, and the library that trained it said {said}"
    )]
    Golden {
        /// The number of the vector.
        row: usize,
        /// What is answered here.
        answer: f32,
        /// What was to be answered.
        said: f32,
    },
    /// It answers with something that is no number.
    #[error("where `{feature}` is {value}, the model answers {answer}: an answer must be finite")]
    NotFinite {
        /// The feature that was out of the ordinary.
        feature: &'static str,
        /// What it was.
        value: f32,
        /// What was answered.
        answer: f32,
    },
    /// It takes so long, where this is allowed.
    #[error(
        "the model takes {0:?} for an answer (99th percentile of 1,000): at most {1:?} are allowed; use fewer trees, or a smaller network"
    )]
    TooSlow(Duration, Duration),
}
