//! What a network may be made of.
//!
//! tract runs far more than networks that answer within microseconds, and trusts what it loads: it would fold
//! constants of any size, open files that a tensor names, and panics at what is missing. So only what is known to be
//! harmless gets to it: some operators, each with an input that is computed, on plain tensors that are as large as
//! they say.

use std::collections::HashSet;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

use super::refusal::Refusal;

/// Nodes and tensors of a network at most.
const MOST: usize = 256;
/// What a network's input is called.
const INPUT: &str = "features";

/// Operators that can be run.
const OPERATORS: [&str; 29] = [
    "Abs",
    "Add",
    "Cast",
    "Clip",
    "Div",
    "Elu",
    "Erf",
    "Exp",
    "Flatten",
    "Gemm",
    "HardSigmoid",
    "Identity",
    "LeakyRelu",
    "Log",
    "MatMul",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Relu",
    "Reshape",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
];
/// Those of the domain `ai.onnx.ml`.
const CLASSICAL: [&str; 1] = ["LinearRegressor"];

/// Whether `model` is made of what may be.
pub(super) fn check(model: &ModelProto) -> Result<(), Refusal> {
    let graph = model.graph.as_ref().ok_or_else(|| wrong("there is no graph"))?;
    for node in &graph.node {
        check_operator(node)?;
    }
    if graph.node.len() > MOST || graph.initializer.len() > MOST {
        return Err(wrong(format!("there are more than {MOST} nodes or tensors")));
    }
    let constants = check_tensors(graph)?;
    check_ends(graph, &constants)?;
    let mut computed = HashSet::from([INPUT]);
    for node in &graph.node {
        let name = || node.op_type.clone();
        if node.attribute.iter().any(|attribute| {
            let simple = attribute.t.is_none() && attribute.g.is_none();
            !simple || attribute.sparse_tensor.is_some() || !attribute.ref_attr_name.is_empty()
        }) {
            return Err(wrong(format!("an attribute of `{}` is no number or text", name())));
        }
        let inputs = || node.input.iter().map(String::as_str).filter(|input| !input.is_empty());
        if let Some(input) =
            inputs().find(|input| !computed.contains(input) && !constants.contains(input))
        {
            return Err(wrong(format!(
                "`{}` has the input `{input}`, which nothing gives",
                name()
            )));
        }
        if !inputs().any(|input| computed.contains(input)) {
            return Err(wrong(format!("`{}` has no input that depends on the features", name())));
        }
        for output in &node.output {
            if constants.contains(output.as_str()) || !computed.insert(output) {
                return Err(wrong(format!("`{output}` is given twice")));
            }
        }
    }
    let output = &graph.output[0].name;
    if !computed.contains(output.as_str()) {
        return Err(wrong(format!("nothing gives the output `{output}`")));
    }
    Ok(())
}

fn check_operator(node: &NodeProto) -> Result<(), Refusal> {
    let known: &[&str] = match node.domain.as_str() {
        "" | "ai.onnx" => &OPERATORS,
        "ai.onnx.ml" => &CLASSICAL,
        _ => &[],
    };
    if known.contains(&node.op_type.as_str()) {
        return Ok(());
    }
    let name = [node.domain.as_str(), &node.op_type].join(" ").trim().to_owned();
    let expected =
        [OPERATORS.join(", "), CLASSICAL.map(|name| format!("ai.onnx.ml {name}")).join(", ")];
    Err(Refusal::Operator(name, expected.join(" or ")))
}

/// The names of the tensors, all of which are as large as they say, and in the file itself.
fn check_tensors(graph: &GraphProto) -> Result<HashSet<&str>, Refusal> {
    if !graph.sparse_initializer.is_empty() || !graph.quantization_annotation.is_empty() {
        return Err(wrong("sparse and quantized tensors cannot be read"));
    }
    for tensor in &graph.initializer {
        if !is_plain(tensor) {
            let name = &tensor.name;
            return Err(wrong(format!(
                "the tensor `{name}` is not one of float32 or int64 values in this file, as many as its shape says"
            )));
        }
    }
    Ok(graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect())
}

fn is_plain(tensor: &TensorProto) -> bool {
    let size = |size: usize, dimension: &i64| size.checked_mul(usize::try_from(*dimension).ok()?);
    let Some(count) = tensor.dims.iter().try_fold(1, size) else { return false };
    let (values, bytes) = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) => (tensor.float_data.len(), size_of::<f32>()),
        Ok(DataType::Int64) => (tensor.int64_data.len(), size_of::<i64>()),
        _ => return false,
    };
    let is_raw = !tensor.raw_data.is_empty();
    let is_whole = match is_raw {
        true => count.checked_mul(bytes) == Some(tensor.raw_data.len()),
        false => count == values,
    };
    is_whole
        && count > 0
        && tensor.dims.len() <= 4
        && tensor.external_data.is_empty()
        && tensor.data_location.unwrap_or_default() == 0
}

/// One input, which is the features, and one output.
fn check_ends(graph: &GraphProto, constants: &HashSet<&str>) -> Result<(), Refusal> {
    let inputs = graph.input.iter().map(|input| input.name.as_str());
    if !inputs.filter(|input| !constants.contains(input)).eq([INPUT]) {
        return Err(wrong(format!("expected one input, `{INPUT}`")));
    }
    match graph.output.len() {
        1 => Ok(()),
        count => Err(wrong(format!("expected one output, found {count}"))),
    }
}

fn wrong(what: impl Into<String>) -> Refusal {
    Refusal::Network(what.into())
}
