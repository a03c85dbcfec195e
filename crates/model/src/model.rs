//! A model that can be asked.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::predict::Spreads;
use tidegate_core::predict::features::{COUNT, Features};

use super::budget;
use super::golden::{Golden, numbers};
use super::manifest::Manifest;
use super::network::Network;
use super::package::{NETWORK, Package, digest};
use super::refusal::Refusal;
use super::trees::Trees;

/// A model that was checked.
#[derive(Debug)]
pub struct Model {
    /// SHA-256 of its manifest, in hexadecimal digits, which covers its other files.
    pub digest: String,
    /// What it says of itself.
    pub manifest: Manifest,
    /// How everything was spread when it was trained.
    pub spreads: Arc<Spreads>,
    runs: Runs,
}

#[derive(Debug)]
enum Runs {
    Trees(Trees),
    Network(Network),
}

impl Model {
    /// The model in `tar`. `now` is a clock, by which it is timed.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn load(tar: &[u8], now: &dyn Fn() -> Duration) -> Result<Self, Refusal> {
        let package = Package::open(tar)?;
        let manifest = Manifest::of(&package)?;
        let (spreads, golden) = (manifest.spreads()?, Golden::read(&package.golden)?);
        let runs = match package.name {
            NETWORK => Runs::Network(Network::load(&package.model)?),
            _ => Runs::Trees(Trees::load(&package.model)?),
        };
        let model = Self { digest: digest(&package.manifest), manifest, spreads, runs };
        // First, so that what is slow does not take long to be refused.
        budget::check(golden.inputs(), |inputs| model.answer(inputs), now)?;
        golden.check(|inputs| model.said(inputs))?;
        golden.probe(|inputs| model.answer(inputs))?;
        Ok(model)
    }

    /// What the cost of a request with these features is more than expected, as a natural logarithm.
    pub fn answer(&self, features: &Features) -> f32 {
        self.manifest.calibration.apply(self.said(features))
    }

    /// The answers to `rows`, each of them all features: little-endian, as the answers.
    ///
    /// # Errors
    /// If the last row is not whole.
    pub fn score(&self, rows: &[u8]) -> Result<Vec<u8>, String> {
        const ROW: usize = COUNT * size_of::<f32>();
        if !rows.len().is_multiple_of(ROW) {
            return Err(format!("{} bytes of rows are no multiple of {ROW}", rows.len()));
        }
        let answer = |row: &[u8; ROW]| {
            let mut features = [0.0; COUNT];
            features.copy_from_slice(&numbers(row));
            self.answer(&features).to_le_bytes()
        };
        Ok(rows.as_chunks().0.iter().flat_map(answer).collect())
    }

    fn said(&self, features: &Features) -> f32 {
        match &self.runs {
            Runs::Trees(trees) => trees.answer(features),
            Runs::Network(network) => network.answer(features),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use prost::Message;
    use serde_json::{Value, json};

    use super::super::testing::{golden, manifest, network, network_said, package, tar};
    use super::*;

    const STUMP: &[u8] = br#"{"format": 1, "base": 0, "trees": [
        {"feature": [6], "threshold": [0.5], "left": [-1], "right": [-2], "leaf": [0.25, 4]}]}"#;

    fn stump(features: &Features) -> f32 {
        if features[6] <= 0.5 { 0.25 } else { 4.0 }
    }

    /// Time does not pass.
    fn still() -> Duration {
        Duration::ZERO
    }

    fn load(tar: &[u8]) -> Result<Model, String> {
        Model::load(tar, &still).map_err(|refusal| refusal.to_string())
    }

    /// The stump, whose manifest was changed so.
    fn changed(change: impl FnOnce(&mut Value)) -> Result<Model, String> {
        let golden = golden(stump);
        let mut manifest = manifest("model.trees", STUMP, &golden);
        change(&mut manifest);
        let manifest = manifest.to_string();
        load(&tar(&[
            ("manifest.json", manifest.as_bytes()),
            ("golden.f32", &golden),
            ("model.trees", STUMP),
        ]))
    }

    #[test]
    fn trees_and_networks_answer_as_what_trained_them() {
        let trees = load(&package("model.trees", STUMP, stump)).unwrap();
        let mut features = [0.5; COUNT];
        assert_eq!(trees.answer(&features), 0.25);
        features[6] = 0.6;
        assert_eq!(trees.answer(&features), 4.0);
        let bytes = features.map(f32::to_le_bytes).concat();
        assert_eq!(trees.score(&bytes.repeat(3)), Ok(4_f32.to_le_bytes().repeat(3)));
        assert!(trees.score(&bytes[1..]).is_err());
        let onnx = network(16).encode_to_vec();
        let network = load(&package("model.onnx", &onnx, network_said(16))).unwrap();
        assert!((network.answer(&features) - network_said(16)(&features)).abs() < 1e-3);
    }

    #[test]
    fn an_answer_is_calibrated_and_named_by_its_manifest() {
        let model = changed(|manifest| manifest["calibration"] = json!({"scale": 2, "offset": -1}))
            .unwrap();
        assert_eq!(model.answer(&[0.5; COUNT]), -0.5);
        let other = changed(|_| ()).unwrap();
        assert_eq!(other.digest.len(), 64);
        assert_ne!(model.digest, other.digest);
    }

    #[test]
    fn a_manifest_that_is_not_what_it_must_be_is_refused_with_its_key() {
        for (key, value, wrong) in [
            ("format", json!(2), "the format is 2"),
            ("kind", json!("threat"), "unknown variant `threat`"),
            ("features", json!("features/v2"), "for features `features/v2`"),
            ("features_hash", json!("00"), "train it anew"),
            ("model", json!("model.onnx"), "`model` is `model.onnx`"),
            ("files", json!({"model.trees": "00"}), "`files` must list"),
            ("learner", json!("oracle"), "unknown variant `oracle`"),
            ("more", json!(1), "unknown field `more`"),
            ("calibration", json!({"scale": 1}), "missing field `offset`"),
        ] {
            let refused = changed(|manifest| manifest[key] = value).unwrap_err();
            assert!(refused.contains(wrong), "{key}: {refused}");
        }
        let refused =
            changed(|manifest| manifest["files"]["golden.f32"] = json!("00")).unwrap_err();
        assert!(
            refused.contains("golden.f32 is not the file that the manifest lists"),
            "{refused}"
        );
        let refused = changed(|manifest| manifest["drift"]["inputs"][0]["feature"] = json!("moon"));
        assert!(refused.unwrap_err().contains("no feature `moon`"));
        let refused = changed(|manifest| manifest["drift"]["residuals"]["shares"] = json!([1]));
        assert!(refused.unwrap_err().contains("drift of `residuals`"));
        assert!(changed(|manifest| manifest["figures"]["anything"] = json!({"p99": 4})).is_ok());
    }

    #[test]
    fn a_model_that_answers_otherwise_or_with_no_number_is_refused() {
        let off = load(&package("model.trees", STUMP, |_| 0.25)).unwrap_err();
        assert!(
            off.contains("the model answers 4, and the library that trained it said 0.25"),
            "{off}"
        );
        let refused =
            changed(|manifest| manifest["calibration"]["scale"] = json!(3e38)).unwrap_err();
        assert!(refused.contains("an answer must be finite"), "{refused}");
    }

    #[test]
    fn a_model_that_takes_too_long_is_refused() {
        let time = std::cell::Cell::new(Duration::ZERO);
        let slow = || {
            time.set(time.get() + Duration::from_micros(30));
            time.get()
        };
        let refused = Model::load(&package("model.trees", STUMP, stump), &slow).unwrap_err();
        assert!(refused.to_string().contains("takes 30µs for an answer"), "{refused}");
    }
}
