//! What an answer takes.
//!
//! `cargo bench -p tidegate-model`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "../src/network/proto.rs"]
mod proto;
#[path = "../src/testing.rs"]
mod testing;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use prost::Message;
use serde_json::{Value, json};
use tidegate_core::balance::SplitMix64;
use tidegate_core::predict::features::{COUNT, Features};
use tidegate_model::Model;

use testing::{network, network_said, package};

/// A tree as leaf-wise growth makes them: each time one of its leaves is split.
fn grown(leaves: usize, random: &mut SplitMix64) -> Value {
    let mut left = vec![-1];
    let mut right = vec![-2];
    for node in 1..leaves - 1 {
        // A leaf of an earlier node becomes this one.
        let ends: Vec<_> = (0..node).flat_map(|node| [(node, 0), (node, 1)]).collect();
        let ends: Vec<_> =
            ends.into_iter().filter(|(node, side)| [&left, &right][*side][*node] < 0).collect();
        let (parent, side) = ends[random.below(ends.len() as u64) as usize];
        let leaf = if side == 0 { left[parent] } else { right[parent] };
        *(if side == 0 { &mut left[parent] } else { &mut right[parent] }) = node as i32;
        left.push(leaf);
        right.push(-2 - node as i32);
    }
    let inner = leaves - 1;
    let numbers = |random: &mut SplitMix64, count| -> Vec<f32> {
        (0..count).map(|_| random.fraction() as f32).collect()
    };
    json!({
        "feature": (0..inner).map(|_| random.below(COUNT as u64)).collect::<Vec<_>>(),
        "threshold": numbers(random, inner), "left": left, "right": right, "leaf": numbers(random, leaves),
    })
}

fn answer(criterion: &mut Criterion) {
    let mut random = SplitMix64::new(7);
    let inputs: Vec<Features> =
        (0..1_000).map(|_| std::array::from_fn(|_| random.fraction() as f32)).collect();
    let mut time = |name: &str, model: &Model| {
        let mut turn = 0;
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                turn = (turn + 1) % inputs.len();
                model.answer(black_box(&inputs[turn]))
            });
        });
    };
    let trees: Vec<_> = (0..100).map(|_| grown(31, &mut random)).collect();
    let file = json!({"format": 1, "base": 0, "trees": trees}).to_string();
    let said = |inputs: &Features| trees.iter().map(|tree| walked(tree, inputs)).sum();
    time("answer/100 trees of 31 leaves", &loaded("model.trees", file.as_bytes(), said));
    let file = network(32).encode_to_vec();
    time("answer/network 23-32-1", &loaded("model.onnx", &file, network_said(32)));
}

/// What the file of a tree says.
fn walked(tree: &Value, inputs: &Features) -> f32 {
    let mut at = 0;
    while let Ok(node) = usize::try_from(at) {
        let feature = tree["feature"][node].as_u64().expect("a place") as usize;
        let is_left =
            f64::from(inputs[feature]) <= tree["threshold"][node].as_f64().expect("a number");
        at = tree[if is_left { "left" } else { "right" }][node].as_i64().expect("a child");
    }
    tree["leaf"][(-1 - at) as usize].as_f64().expect("a number") as f32
}

fn loaded(name: &str, file: &[u8], said: impl Fn(&Features) -> f32) -> Model {
    // It is timed here, not there.
    Model::load(&package(name, file, said), &|| Duration::ZERO).unwrap()
}

criterion_group!(benches, answer);
criterion_main!(benches);
