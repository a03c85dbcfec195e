//! How the graph of a file becomes a walk. Everything is checked before anything is computed.

use std::collections::HashMap;

use tidegate_core::predict::features::COUNT;

use super::super::refusal::Refusal;
use super::attributes::Attributes;
use super::operation::{Input, Operation, Value};
use super::operator;
use super::proto::{Graph, Model, Node, OperatorSet};
use super::shape::Shape;
use super::tensor::Tensor;
use super::walk::Walk;
use super::wrong;

/// Nodes and tensors of a network at most.
const MOST: usize = 256;
/// What a network's input is called.
const INPUT: &str = "features";
/// The first version of the standard operators that broadcast as is done here.
const FIRST_VERSION: i64 = 7;

/// The walk that `model` describes, and where its answer is.
pub(super) fn walk(model: &Model) -> Result<(Walk, usize), Refusal> {
    let graph = model.graph.as_ref().ok_or_else(|| wrong("there is no graph"))?;
    let operators = graph.node.iter().map(operator::of).collect::<Result<Vec<_>, _>>()?;
    check_kind(model, graph)?;
    let tensors = tensors(graph)?;
    let output = ends(graph, &tensors)?;
    let mut walk = Walk::new();
    let features = Value { shape: Shape::row(COUNT), at: walk.features() };
    let mut known: HashMap<&str, Input<'_>> =
        tensors.iter().map(|(name, tensor)| (*name, Input::Constant(tensor))).collect();
    known.insert(INPUT, Input::Computed(features));
    for (node, operator) in graph.node.iter().zip(operators) {
        let mut operation = Operation {
            of: &node.op_type,
            attributes: Attributes::of(node),
            inputs: inputs(node, &known)?,
            walk: &mut walk,
        };
        let value = operator(&mut operation)?;
        operation.check()?;
        let [output] = node.output.as_slice() else {
            return Err(wrong(format!("`{}` has not one output", node.op_type)));
        };
        if known.insert(output, Input::Computed(value)).is_some() {
            return Err(wrong(format!("`{output}` is given twice")));
        }
    }
    match known.remove(output) {
        Some(Input::Computed(value)) if value.shape.size() == 1 => Ok((walk, value.at.start)),
        Some(Input::Computed(_)) => Err(wrong("its output is not one float32 for each row")),
        _ => Err(wrong(format!("nothing gives the output `{output}`"))),
    }
}

/// Whether nothing is in `model` that is not read, and whether it is small.
fn check_kind(model: &Model, graph: &Graph) -> Result<(), Refusal> {
    if graph.node.len() > MOST || graph.initializer.len() > MOST {
        return Err(wrong(format!("there are more than {MOST} nodes or tensors")));
    }
    if !graph.sparse_initializer.is_empty() || !graph.quantization_annotation.is_empty() {
        return Err(wrong("sparse and quantized tensors cannot be read"));
    }
    if !model.functions.is_empty() {
        return Err(wrong("functions of its own cannot be run"));
    }
    let is_standard = |set: &&OperatorSet| matches!(set.domain.as_str(), "" | "ai.onnx");
    match model.opset_import.iter().find(is_standard) {
        Some(set) if set.version < FIRST_VERSION => {
            let version = set.version;
            Err(wrong(format!(
                "its operators are of version {version}: expected {FIRST_VERSION} or later"
            )))
        }
        _ => Ok(()),
    }
}

/// The tensors by their names.
fn tensors(graph: &Graph) -> Result<HashMap<&str, Tensor>, Refusal> {
    let mut tensors = HashMap::new();
    for tensor in &graph.initializer {
        if tensors.insert(tensor.name.as_str(), Tensor::read(tensor)?).is_some() {
            return Err(wrong(format!("`{}` is given twice", tensor.name)));
        }
    }
    Ok(tensors)
}

/// The name of the output. There is one, and one input, which is the features; tensors may be among the inputs.
fn ends<'m>(graph: &'m Graph, tensors: &HashMap<&str, Tensor>) -> Result<&'m str, Refusal> {
    let inputs = graph.input.iter().map(|input| input.name.as_str());
    if !inputs.filter(|input| !tensors.contains_key(input)).eq([INPUT]) {
        return Err(wrong(format!("expected one input, `{INPUT}`")));
    }
    match graph.output.as_slice() {
        [output] => Ok(&output.name),
        outputs => Err(wrong(format!("expected one output, found {}", outputs.len()))),
    }
}

/// What `node` is given, at least some of which depends on the features.
fn inputs<'m>(
    node: &Node,
    known: &HashMap<&str, Input<'m>>,
) -> Result<Vec<Option<Input<'m>>>, Refusal> {
    let of = &node.op_type;
    let input = |name: &String| match known.get(name.as_str()) {
        _ if name.is_empty() => Ok(None),
        None => Err(wrong(format!("`{of}` has the input `{name}`, which nothing gives"))),
        Some(input) => Ok(Some(input.clone())),
    };
    let inputs = node.input.iter().map(input).collect::<Result<Vec<_>, _>>()?;
    if !inputs.iter().flatten().any(|input| matches!(input, Input::Computed(_))) {
        return Err(wrong(format!("`{of}` has no input that depends on the features")));
    }
    Ok(inputs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::testing::{network, network_of, node, tensor};
    use super::super::proto::{self, ValueInfo};
    use super::*;

    fn refused(model: &Model) -> String {
        walk(model).err().map(|refusal| refusal.to_string()).unwrap_or_default()
    }

    /// Why a network is refused that was changed so.
    fn why(change: impl FnOnce(&mut Graph)) -> String {
        let mut model = network(4);
        change(model.graph.as_mut().unwrap());
        refused(&model)
    }

    #[test]
    fn an_operator_that_cannot_be_run_is_named() {
        let operator = |name: &str, domain: &str| {
            why(|graph| {
                (graph.node[1].op_type, graph.node[1].domain) = (name.into(), domain.into());
            })
        };
        assert!(
            operator("Loop", "").contains("the operator `Loop`, which cannot be run: expected Abs")
        );
        assert!(operator("TreeEnsemble", "ai.onnx.ml").contains("`ai.onnx.ml TreeEnsemble`"));
        assert!(operator("Tanh", "com.example").contains("`com.example Tanh`"));
        assert_eq!(operator("Tanh", "ai.onnx"), "");
    }

    #[test]
    fn what_is_large_or_not_in_the_file_is_refused() {
        for (wrong, refused) in [
            ("as many as its shape says", why(|graph| graph.initializer[0].dims = vec![1 << 40])),
            ("in this file", why(|graph| graph.initializer[0].external_data = vec![vec![]])),
            ("sparse and quantized", why(|graph| graph.sparse_initializer = vec![vec![]])),
            ("sparse and quantized", why(|graph| graph.quantization_annotation = vec![vec![]])),
            ("more than 256", why(|graph| graph.node = vec![graph.node[1].clone(); 257])),
            ("more than 256", why(|graph| graph.initializer = vec![proto::Tensor::default(); 257])),
            ("more than 16384 values", refused(&network(9_000))),
            (
                "more than 16384 values",
                why(|graph| {
                    // [1, 4] and [5000, 1]
                    graph.node[3] = node("Add", &["hidden", "many"], "answer");
                    graph.initializer.push(tensor("many", &[5_000, 1], &[0.0; 5_000]));
                }),
            ),
            (
                "more than 262144 weights",
                why(|graph| {
                    graph.initializer.push(tensor("square", &[400, 400], &[0.0; 160_000]));
                    graph.initializer.push(tensor("to", &[4, 400], &[0.0; 1_600]));
                    graph.node.push(node("MatMul", &["hidden", "to"], "wide"));
                    graph.node.push(node("MatMul", &["wide", "square"], "wider"));
                    graph.node.push(node("MatMul", &["wider", "square"], "widest"));
                }),
            ),
        ] {
            assert!(refused.contains(wrong), "{wrong}: {refused}");
        }
    }

    #[test]
    fn a_network_with_other_ends_is_refused() {
        for (wrong, refused) in [
            ("expected one input", why(|graph| graph.input[0].name = "x".into())),
            ("expected one output, found 0", why(|graph| graph.output.clear())),
            ("nothing gives the output `y`", why(|graph| graph.output[0].name = "y".into())),
            ("nothing gives the output", why(|graph| graph.output[0].name = "offset".into())),
            ("which nothing gives", why(|graph| graph.node[1].input[0] = "x".into())),
            (
                "depends on the features",
                why(|graph| graph.node[2].input = vec!["first".into(), "second".into()]),
            ),
            ("given twice", why(|graph| graph.node[1].output[0] = "products".into())),
            ("given twice", why(|graph| graph.initializer[1].name = "first".into())),
            ("not one output", why(|graph| graph.node[1].output.clear())),
            ("not one float32", why(|graph| graph.output[0].name = "hidden".into())),
        ] {
            assert!(refused.contains(wrong), "{wrong}: {refused}");
        }
        let named_too = why(|graph| graph.input.push(ValueInfo { name: "first".into() }));
        assert_eq!(named_too, "", "tensors were among the inputs once");
    }

    #[test]
    fn a_model_that_is_none_or_of_another_time_is_refused() {
        assert!(refused(&Model::default()).contains("there is no graph"));
        assert!(refused(&Model { functions: vec![vec![]], ..network(4) }).contains("functions"));
        let opset_import = vec![OperatorSet { domain: String::new(), version: 6 }];
        let old = refused(&Model { opset_import, ..network(4) });
        assert!(old.contains("version 6: expected 7 or later"), "{old}");
    }

    /// Some of a network's operators, of all kinds.
    const OPERATORS: [&str; 12] = [
        "Tanh",
        "Clip",
        "Add",
        "Max",
        "MatMul",
        "Gemm",
        "Reshape",
        "Squeeze",
        "Flatten",
        "Identity",
        "Div",
        "LinearRegressor",
    ];
    /// What there is to be given: shapes are `to` and `axes`.
    const NAMES: [&str; 9] = ["features", "0", "1", "2", "few", "square", "one", "to", "axes"];

    prop_compose! {
        fn any_node()(
            operator in proptest::sample::select(&OPERATORS[..]),
            inputs in proptest::collection::vec(proptest::sample::select(&NAMES[..]), 1..4),
        ) -> Node {
            node(operator, &inputs, "")
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn whatever_is_put_together_is_run_or_refused(
            mut nodes in proptest::collection::vec(any_node(), 1..5),
            few in 1..4_usize,
            to in proptest::collection::vec(-2..24_i64, 1..5),
        ) {
            let last = nodes.len() - 1;
            for (place, node) in nodes.iter_mut().enumerate() {
                node.output = vec![if place == last { "answer".into() } else { place.to_string() }];
                if node.op_type == "LinearRegressor" {
                    node.domain = "ai.onnx.ml".into();
                }
            }
            let ints = |name, ints: &[i64]| proto::Tensor {
                data_type: 7, int64_data: ints.into(), ..tensor(name, &[ints.len()], &[])
            };
            let tensors = vec![
                tensor("few", &[few], &vec![0.5; few]), tensor("square", &[COUNT, COUNT], &[0.1; COUNT * COUNT]),
                tensor("one", &[COUNT, 1], &[2.0; COUNT]), ints("to", &to), ints("axes", &to[..1]),
            ];
            if let Ok((walk, answer)) = walk(&network_of(nodes, tensors)) {
                let mut values = walk.values();
                walk.take(&mut values);
                prop_assert!(answer < values.len());
            }
        }
    }
}
