"""Small networks as ONNX: layers of sums with ReLU between them, and what onnxruntime says of rows.

Scaling is part of the first layer, and nothing else comes before it. Of the operators of ONNX the engine
runs those of plain arithmetic (`crates/model/src/network/operator.rs`); what is no number it takes for 0.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from tidegate.ai.manifest import ModelFile
from tidegate.ai.matrix import Matrix, Vector

MODEL_FILE: ModelFile = "model.onnx"
INPUT = "features"
"""What a network's input is called."""
OPSET = 17
IR_VERSION = 8
"""Old enough for every runtime of late."""


class Layer(NamedTuple):
    """`x · weights + biases`."""

    weights: Vector
    biases: Vector


def scaled(layer: Layer, mean: Vector, deviation: Vector) -> Layer:
    """The layer that takes numbers as they come, where `layer` takes (x - mean) ÷ deviation."""
    weights = layer.weights / deviation[:, None]
    return Layer(weights, layer.biases - mean @ weights)


def written(layers: Sequence[Layer]) -> bytes:
    """The model: one input `features` [N, F], one output `answer` [N, 1]."""
    constants: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []

    def constant(name: str, values: Vector) -> str:
        constants.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def step(operator: str, *inputs: str) -> str:
        name = f"{operator.lower()}_{len(nodes)}"
        nodes.append(helper.make_node(operator, list(inputs), [name]))
        return name

    at = INPUT
    for number, layer in enumerate(layers):
        if number:
            at = step("Relu", at)
        weights = constant(f"weights_{number}", layer.weights)
        at = step("Gemm", at, weights, constant(f"biases_{number}", layer.biases))
    nodes[-1].output[0] = "answer"
    graph = helper.make_graph(
        nodes,
        "cost",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", len(layers[0].weights)])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["N", 1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


class Runtime:
    """A model in onnxruntime."""

    def __init__(self, content: bytes) -> None:
        """Raises ValueError if it cannot be run, or takes and gives something else than numbers for rows."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no class in common but this
            raise ValueError(f"onnxruntime does not take it: {error}") from None
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type != "tensor(float)":
            raise ValueError(
                "expected one input and one output of 32-bit numbers; found "
                f"{', '.join(f'{each.name}: {each.type}' for each in (*inputs, *outputs))}"
            )
        self._input = inputs[0].name

    def answer(self, rows: Matrix) -> Vector:
        """What it says of each row. Raises ValueError if that is not one number."""
        try:
            (answers,) = self._session.run(None, {self._input: rows})
        except Exception as error:
            raise ValueError(f"onnxruntime cannot run it on {rows.shape[1]} features: {error}") from None
        found = np.asarray(answers, np.float64)
        if found.size != len(rows):
            raise ValueError(
                f"expected one number for each of {len(rows)} rows; found the shape {found.shape}"
            )
        return found.reshape(-1)
