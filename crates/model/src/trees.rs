//! Trees: what gradient boosting learns, walked in flat arrays.

use serde::Deserialize;
use tidegate_core::predict::features::{COUNT, Features};

use super::refusal::Refusal;

/// The format of trees that is read.
const FORMAT: u32 = 1;
/// Trees that are walked at once: their steps do not wait for one another.
const ABREAST: usize = 8;

/// What a file of trees has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    /// What is added to the sum of all trees.
    base: f32,
    trees: Vec<Tree>,
}

/// One tree. Its inner nodes are 0 … n − 1, the root is 0; a child below 0 is the leaf −child − 1.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tree {
    feature: Vec<u16>,
    threshold: Vec<f32>,
    left: Vec<i32>,
    right: Vec<i32>,
    leaf: Vec<f32>,
}

/// A node. A leaf leads to itself, so that trees of different depths can be walked abreast.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// Of a leaf: what it is worth.
    threshold: f32,
    feature: u32,
    /// Where to go if the feature is no more than the threshold, and if it is more or no number.
    next: [u32; 2],
}

/// Trees whose answers are added up.
#[derive(Debug)]
pub(super) struct Trees {
    base: f32,
    nodes: Box<[Node]>,
    groups: Box<[Group]>,
}

/// Trees that are walked together.
#[derive(Debug)]
struct Group {
    /// Steps from the root to the farthest leaf.
    depth: usize,
    roots: [u32; ABREAST],
}

impl Trees {
    pub(super) fn load(file: &[u8]) -> Result<Self, Refusal> {
        let file: File =
            serde_json::from_slice(file).map_err(|error| Refusal::Trees(error.to_string()))?;
        if file.format != FORMAT {
            return Err(Refusal::Trees(format!(
                "the format is {}: expected {FORMAT}",
                file.format
            )));
        }
        if !file.base.is_finite() {
            return Err(Refusal::Trees("`base` is not finite".into()));
        }
        // A leaf of nothing, for the places that are left in the last group.
        let nothing = Node { threshold: 0.0, feature: 0, next: [0, 0] };
        let mut nodes = vec![nothing];
        let mut roots = Vec::new();
        for (number, tree) in file.trees.iter().enumerate() {
            let refused = |wrong| Refusal::Trees(format!("tree {number}: {wrong}"));
            roots.push(tree.plant(&mut nodes).map_err(refused)?);
        }
        // Trees of one depth stand together.
        roots.sort_unstable();
        let groups = roots.chunks(ABREAST).map(|trees| {
            let root = |place: usize| trees.get(place).map_or(0, |(_, root)| *root);
            let depth = trees.iter().map(|(depth, _)| *depth).max().unwrap_or(0);
            Group { depth, roots: std::array::from_fn(root) }
        });
        Ok(Self { base: file.base, groups: groups.collect(), nodes: nodes.into() })
    }

    pub(super) fn answer(&self, features: &Features) -> f32 {
        let mut sum = f64::from(self.base);
        for group in &self.groups {
            let mut at = group.roots;
            for _ in 0..group.depth {
                for place in &mut at {
                    let node = &self.nodes[*place as usize];
                    // What is no number is not.
                    let is_left = features[node.feature as usize] <= node.threshold;
                    *place = node.next[usize::from(!is_left)];
                }
            }
            for place in at {
                sum += f64::from(self.nodes[place as usize].threshold);
            }
        }
        sum as f32
    }
}

impl Tree {
    /// Add it to `nodes`. Answers with its depth and its root.
    fn plant(&self, nodes: &mut Vec<Node>) -> Result<(usize, u32), String> {
        let Self { feature, threshold, left, right, leaf } = self;
        let inner = feature.len();
        if [threshold.len(), left.len(), right.len()].iter().any(|length| *length != inner) {
            return Err("its arrays differ in length".into());
        }
        if inner == 0 && leaf.len() != 1 {
            return Err("without inner nodes it has one leaf".into());
        }
        if !threshold.iter().chain(leaf).all(|value| value.is_finite()) {
            return Err("a threshold or a leaf is not finite".into());
        }
        let first = nodes.len();
        if u32::try_from(first + inner + leaf.len()).is_err() {
            return Err("there are too many nodes".into());
        }
        let mut depths = vec![0_usize; inner];
        let mut depth = 0;
        for node in 0..inner {
            let wrong = |what: &str| format!("node {node}: {what}");
            if usize::from(feature[node]) >= COUNT {
                return Err(wrong(&format!("there is no feature {}", feature[node])));
            }
            let below = depths[node] + 1;
            depth = depth.max(below);
            let mut place = |child: i32| match usize::try_from(child) {
                Ok(child) if child <= node => Err(wrong("a child must come after its parent")),
                Ok(child) if child >= inner => Err(wrong("there is no such child")),
                Ok(child) => {
                    depths[child] = depths[child].max(below);
                    Ok((first + child) as u32)
                }
                Err(_) => match (-1 - i64::from(child)) as usize {
                    leaf_number if leaf_number < leaf.len() => {
                        Ok((first + inner + leaf_number) as u32)
                    }
                    _ => Err(wrong("there is no such leaf")),
                },
            };
            let next = [place(left[node])?, place(right[node])?];
            nodes.push(Node { threshold: threshold[node], feature: feature[node].into(), next });
        }
        for value in leaf {
            let itself = nodes.len() as u32;
            nodes.push(Node { threshold: *value, feature: 0, next: [itself, itself] });
        }
        Ok((depth, first as u32))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn load(file: &serde_json::Value) -> Result<Trees, String> {
        Trees::load(file.to_string().as_bytes()).map_err(|refusal| refusal.to_string())
    }

    fn told(place: usize, value: f32) -> Features {
        let mut features = [0.0; COUNT];
        features[place] = value;
        features
    }

    fn one() -> serde_json::Value {
        json!({"format": 1, "base": 0.5, "trees": [
            {"feature": [3, 4], "threshold": [1.5, 0.0], "left": [1, -1], "right": [-3, -2], "leaf": [1, 2, 4]},
            {"feature": [], "threshold": [], "left": [], "right": [], "leaf": [0.25]},
        ]})
    }

    #[test]
    fn an_answer_is_the_sum_of_one_leaf_of_each_tree() {
        let trees = load(&one()).unwrap();
        for (features, answer) in [
            (told(3, 1.5), 1.75),
            (told(3, 1.6), 4.75),
            (told(3, f32::NAN), 4.75),
            (told(4, 1.0), 2.75),
            (told(4, -1e30), 1.75),
        ] {
            assert_eq!(trees.answer(&features), answer, "{features:?}");
        }
    }

    #[test]
    fn what_is_no_tree_is_refused_with_its_place() {
        for (key, value, wrong) in [
            ("left", json!([0, -1]), "tree 0: node 0: a child must come after its parent"),
            ("left", json!([1, 1]), "node 1: a child must come after"),
            ("left", json!([2, -1]), "no such child"),
            ("right", json!([-4, -2]), "no such leaf"),
            ("right", json!([i32::MIN, -2]), "no such leaf"),
            ("right", json!([-3]), "differ in length"),
            ("feature", json!([3, COUNT]), "there is no feature"),
            ("feature", json!([3, 70_000]), "invalid value"),
            ("leaf", json!([1, 2, 1e300]), "not finite"),
            ("threshold", json!([null, 0]), "invalid type"),
        ] {
            let mut file = one();
            file["trees"][0][key] = value;
            let refused = load(&file).err().unwrap_or_default();
            assert!(refused.contains(wrong), "{key}: {refused}");
        }
        let mut file = one();
        file["trees"][1]["leaf"] = json!([1, 2]);
        assert!(load(&file).unwrap_err().contains("one leaf"));
        file["format"] = json!(2);
        assert!(load(&file).unwrap_err().contains("expected 1"));
        let deep = "[".repeat(100_000);
        assert!(Trees::load(deep.as_bytes()).is_err());
    }

    /// The tree walked as it is written.
    fn walked(tree: &Tree, features: &Features) -> f32 {
        let mut at = if tree.feature.is_empty() { -1 } else { 0 };
        while let Ok(node) = usize::try_from(at) {
            let is_left = features[usize::from(tree.feature[node])] <= tree.threshold[node];
            at = if is_left { tree.left[node] } else { tree.right[node] };
        }
        tree.leaf[(-1 - at) as usize]
    }

    prop_compose! {
        fn any_tree()(inner in 0..40_usize)(
            feature in proptest::collection::vec(0..COUNT as u16, inner),
            threshold in proptest::collection::vec(-2.0..2.0_f32, inner),
            leaf in proptest::collection::vec(-1.0..1.0_f32, inner + 1),
            picks in proptest::collection::vec((any::<u32>(), any::<u32>()), inner),
        ) -> Tree {
            // A child after its parent, or a leaf.
            let inner = feature.len();
            let child = |node: usize, pick: u32| {
                let (later, leaves) = (inner - node - 1, inner + 1);
                let pick = pick as usize % (later + leaves);
                if pick < later { (node + 1 + pick) as i32 } else { -1 - (pick - later) as i32 }
            };
            let left = picks.iter().enumerate().map(|(node, pick)| child(node, pick.0)).collect();
            let right = picks.iter().enumerate().map(|(node, pick)| child(node, pick.1)).collect();
            Tree { feature, threshold, left, right, leaf }
        }
    }

    proptest! {
        #[test]
        fn trees_abreast_answer_as_each_by_itself(
            trees in proptest::collection::vec(any_tree(), 0..20),
            features in proptest::array::uniform23(-3.0..3.0_f32),
        ) {
            let expected: f32 = trees.iter().map(|tree| walked(tree, &features)).sum();
            let (mut nodes, mut roots) = (vec![Node { threshold: 0.0, feature: 0, next: [0, 0] }], vec![]);
            for tree in &trees {
                roots.push(tree.plant(&mut nodes).unwrap());
            }
            let file = json!({"format": 1, "base": 0, "trees": trees.iter().map(|tree| json!({
                "feature": tree.feature, "threshold": tree.threshold, "left": tree.left,
                "right": tree.right, "leaf": tree.leaf,
            })).collect::<Vec<_>>()});
            let answer = load(&file).unwrap().answer(&features);
            prop_assert!((answer - expected).abs() < 1e-4, "{} {}", answer, expected);
        }

        #[test]
        fn whatever_bytes_come_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            _ = Trees::load(&bytes);
        }
    }
}
