//! What a model says of itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};
use tidegate_core::predict::features::Schema;
use tidegate_core::predict::{Spread, Spreads};

use super::package::{GOLDEN, Package, digest};
use super::refusal::Refusal;

/// The format of manifests that is read.
const FORMAT: u32 = 1;

/// What a model says of itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this format.
    format: u32,
    /// What it is asked for.
    pub kind: Kind,
    /// The schema of its inputs.
    features: String,
    /// That schema's hash.
    features_hash: String,
    /// The name of the model's own file.
    model: String,
    /// SHA-256 of the other files.
    files: BTreeMap<String, String>,
    /// What is made of its answers.
    pub(super) calibration: Calibration,
    drift: DriftOf,
    /// What it was trained with.
    #[allow(dead_code)]
    data: Map<String, Value>,
    /// What it was worth then.
    #[allow(dead_code)]
    figures: Map<String, Value>,
    /// Where it comes from.
    #[allow(dead_code)]
    author: String,
    #[allow(dead_code)]
    learner: Learner,
    #[allow(dead_code)]
    created: String,
}

/// What a model is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The natural logarithm of a request's cost, less what the learner expects of it.
    Cost,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Learner {
    Lightgbm,
    Mlp,
    Linear,
    Imported,
}

/// What an answer is made of: scale × what the model says + offset.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Calibration {
    scale: f32,
    offset: f32,
}

impl Calibration {
    pub(super) fn apply(self, said: f32) -> f32 {
        self.scale * said + self.offset
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DriftOf {
    inputs: Vec<Input>,
    residuals: Bins,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    feature: String,
    edges: Vec<f32>,
    shares: Vec<f32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bins {
    edges: Vec<f32>,
    shares: Vec<f32>,
}

impl Manifest {
    /// That of `package`, which is what it says.
    pub(super) fn of(package: &Package) -> Result<Self, Refusal> {
        let read: Self = serde_json::from_slice(&package.manifest)
            .map_err(|error| Refusal::Manifest(error.to_string()))?;
        if read.format != FORMAT {
            let wrong = format!("the format is {}: expected {FORMAT}", read.format);
            return Err(Refusal::Manifest(wrong));
        }
        if read.model != package.name {
            let wrong = format!("`model` is `{}`, and the file is `{}`", read.model, package.name);
            return Err(Refusal::Manifest(wrong));
        }
        if !read.files.keys().map(String::as_str).eq([GOLDEN, package.name]) {
            let wrong = format!("`files` must list `{GOLDEN}` and `{}`", package.name);
            return Err(Refusal::Manifest(wrong));
        }
        for (name, content) in [(GOLDEN, &package.golden), (package.name, &package.model)] {
            if read.files[name] != digest(content) {
                return Err(Refusal::Digest(name));
            }
        }
        let schema = Schema::current();
        if read.features != schema.name || read.features_hash != schema.hash {
            let Self { features, features_hash, .. } = read;
            return Err(Refusal::Schema(features, features_hash, schema.name, schema.hash));
        }
        Ok(read)
    }

    /// How everything was spread when it was trained.
    pub(super) fn spreads(&self) -> Result<Arc<Spreads>, Refusal> {
        let spread = |of: &str, edges: &[f32], shares: &[f32]| {
            Spread::new(edges.to_vec(), shares.to_vec())
                .map_err(|wrong| Refusal::Manifest(format!("drift of `{of}`: {wrong}")))
        };
        let input = |input: &Input| {
            Ok((input.feature.clone(), spread(&input.feature, &input.edges, &input.shares)?))
        };
        let inputs = self.drift.inputs.iter().map(input).collect::<Result<_, _>>()?;
        let Bins { edges, shares } = &self.drift.residuals;
        let spreads = Spreads::new(inputs, spread("residuals", edges, shares)?);
        let unknown = |name| Refusal::Manifest(format!("drift: there is no feature `{name}`"));
        spreads.map(Arc::new).map_err(unknown)
    }
}
