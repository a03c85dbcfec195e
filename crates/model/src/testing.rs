//! Models made by hand.

use serde_json::json;
use sha2::{Digest, Sha256};
use tidegate_core::predict::features::{COUNT, Features, Schema};

use crate::proto::{Graph, Model, Node, OperatorSet, Tensor, ValueInfo};

/// SHA-256 in hexadecimal digits; the benchmark, which has this file too, has not the package's own.
fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A tar of these files.
pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        // Written directly: a path that leads out of the archive is one that is tested.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        builder.append(&header, *content).unwrap_or_default();
    }
    builder.into_inner().unwrap_or_default()
}

/// Golden vectors with inputs from 0 to 1, of which this was said.
pub fn golden(said: impl Fn(&Features) -> f32) -> Vec<u8> {
    let mut random = tidegate_core::balance::SplitMix64::new(11);
    (0..256)
        .flat_map(|_| {
            let inputs: Features = std::array::from_fn(|_| random.fraction() as f32);
            let said = said(&inputs);
            inputs.into_iter().chain([said]).flat_map(f32::to_le_bytes)
        })
        .collect()
}

/// The manifest of these files.
pub fn manifest(name: &str, model: &[u8], golden: &[u8]) -> serde_json::Value {
    json!({
        "format": 1, "kind": "cost", "features": "features/v1", "features_hash": Schema::current().hash,
        "model": name, "files": {name: digest(model), "golden.f32": digest(golden)},
        "calibration": {"scale": 1.0, "offset": 0.0},
        "drift": {
            "inputs": [{"feature": "path_depth", "edges": [2.0], "shares": [0.5, 0.5]}],
            "residuals": {"edges": [0.0], "shares": [0.5, 0.5]},
        },
        "data": {"upstream": "app", "rows": 1}, "figures": {"explained": 0.5}, "author": "a test",
        "learner": "lightgbm", "created": "2026-11-27T00:00:00Z",
    })
}

/// A whole model.
pub fn package(name: &str, model: &[u8], said: impl Fn(&Features) -> f32) -> Vec<u8> {
    let golden = golden(said);
    let manifest = manifest(name, model, &golden).to_string();
    tar(&[("manifest.json", manifest.as_bytes()), ("golden.f32", &golden), (name, model)])
}

const _: () = assert!(COUNT == 23, "the features of `uniform23` in tests");

/// A network with one layer of `width` neurons, of which each is tanh of the mean of all features, and their sum.
pub fn network(width: usize) -> Model {
    let nodes = vec![
        node("MatMul", &["features", "first"], "products"),
        node("Tanh", &["products"], "hidden"),
        node("MatMul", &["hidden", "second"], "sum"),
        node("Add", &["sum", "offset"], "answer"),
    ];
    let tensors = vec![
        tensor("first", &[COUNT, width], &vec![1.0 / COUNT as f32; COUNT * width]),
        tensor("second", &[width, 1], &vec![1.0; width]),
        tensor("offset", &[1], &[0.5]),
    ];
    network_of(nodes, tensors)
}

/// What that network says.
pub fn network_said(width: usize) -> impl Fn(&Features) -> f32 {
    move |features| {
        let mean = features.iter().sum::<f32>() / COUNT as f32;
        width as f32 * mean.tanh() + 0.5
    }
}

/// A network that gives `answer`.
pub fn network_of(node: Vec<Node>, initializer: Vec<Tensor>) -> Model {
    let end = |name: &str| vec![ValueInfo { name: name.into() }];
    let (input, output) = (end("features"), end("answer"));
    let graph = Graph { node, initializer, input, output, ..Graph::default() };
    let standard = OperatorSet { domain: String::new(), version: 17 };
    Model { opset_import: vec![standard], graph: Some(graph), ..Model::default() }
}

/// A tensor of float32.
pub fn tensor(name: &str, dimensions: &[usize], values: &[f32]) -> Tensor {
    Tensor {
        name: name.into(),
        dims: dimensions.iter().map(|dimension| *dimension as i64).collect(),
        data_type: 1,
        float_data: values.into(),
        ..Tensor::default()
    }
}

/// A node of the standard operators.
pub fn node(operator: &str, inputs: &[&str], output: &str) -> Node {
    Node {
        op_type: operator.into(),
        input: inputs.iter().map(|input| (*input).into()).collect(),
        output: vec![output.into()],
        ..Node::default()
    }
}
