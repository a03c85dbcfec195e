"""The engine answers as onnxruntime does, for networks of every operator that it runs."""

import re
from typing import Any

import pytest

pytest.importorskip("tidegate._engine", reason="the engine is not built")
pytest.importorskip("lightgbm", reason="the extra tidegate[ai] is not installed")
pytest.importorskip("skl2onnx", reason="the group ai is not installed")

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor

from tidegate.ai.features import NAMES
from tidegate.ai.importing import imported
from tidegate.ai.matrix import Matrix
from tidegate.ai.network import INPUT, OPSET, Runtime
from tidegate.ai.package import PackageError
from tidegate.ai.score import scored

WIDTH = 4
CONSTANTS: dict[str, Any] = {
    "matrix": np.linspace(-1, 1, WIDTH * WIDTH).reshape(WIDTH, WIDTH),
    "transposed": np.linspace(1, -2, WIDTH * WIDTH).reshape(WIDTH, WIDTH),
    "vector": np.array([0.5, -0.25, 2, 1]),
    "row": np.array([[0.5, -0.25, 2, 1]]),
    "number": np.array(0.3),
    "half": np.array(0.5),
    "one": np.array(1.0),
    "root": np.array(np.sqrt(2)),
    "rows": np.array([-1, WIDTH]),
    "deep": np.array([0, 1, -1]),
    "column": np.array([-1, 1]),
    "middle": np.array([1]),
}


def node(operator: str, *inputs: str, gives: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, list(inputs), [gives], **attributes)


def network(nodes: list[onnx.NodeProto], opset: int = OPSET) -> bytes:
    """A network that adds up `y`, which `nodes` make of `x`, four numbers between -1 and 1 for each row."""
    random = np.random.default_rng(3)
    constants = {
        **CONSTANTS,
        "first": random.normal(0, 0.3, (len(NAMES), WIDTH)),
        "last": np.arange(1.0, WIDTH + 1).reshape(WIDTH, 1),
    }
    nodes = [
        node("MatMul", INPUT, "first", gives="sums"),
        node("Tanh", "sums", gives="x"),
        *nodes,
        node("MatMul", "y", "last", gives="answer"),
    ]
    used = {name for each in nodes for name in each.input} & constants.keys()
    tensors = [
        numpy_helper.from_array(values.astype(np.float32 if values.dtype == np.float64 else np.int64), name)
        for name, values in constants.items()
        if name in used
    ]
    graph = helper.make_graph(
        nodes,
        "a network",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", len(NAMES)])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["N", 1])],
        tensors,
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def rows() -> Matrix:
    return np.random.default_rng(1).normal(0, 1, (400, len(NAMES))).astype(np.float32)


def check(content: bytes) -> None:
    answers = scored(imported(content, "a test", 1, None, None), rows())
    np.testing.assert_allclose(answers, Runtime(content).answer(rows()), rtol=1e-4, atol=1e-4)


PLAIN = ["Abs", "Elu", "Erf", "Exp", "Flatten", "HardSigmoid", "Identity", "LeakyRelu", "Neg", "Relu", "Selu"]
PLAIN += ["Sigmoid", "Softplus", "Softsign", "Tanh"]
POSITIVE = node("Add", "x", "root", gives="positive")
DEEPER = node("Reshape", "x", "deep", gives="deeper")
NETWORKS: dict[str, list[onnx.NodeProto]] = {
    **{operator: [node(operator, "x")] for operator in PLAIN},
    "Log": [POSITIVE, node("Log", "positive")],
    "Sqrt": [POSITIVE, node("Sqrt", "positive")],
    "Elu with alpha": [node("Elu", "x", alpha=0.5)],
    "HardSigmoid with both": [node("HardSigmoid", "x", alpha=0.6, beta=0.1)],
    "LeakyRelu with alpha": [node("LeakyRelu", "x", alpha=0.3)],
    "Selu with both": [node("Selu", "x", alpha=1.1, gamma=0.7)],
    "Clip": [node("Clip", "x", "", "number")],
    "Clip on both sides": [node("Clip", "x", "number", "half")],
    "Cast": [node("Cast", "x", to=TensorProto.FLOAT)],
    "Add": [node("Add", "x", "row")],
    "Add of three rows": [node("Add", "x", "vector", gives="two"), node("Add", "two", "x")],
    "Sub": [POSITIVE, node("Sub", "one", "x", gives="less"), node("Sub", "less", "positive")],
    "Mul": [POSITIVE, node("Mul", "positive", "number", gives="less"), node("Mul", "less", "x")],
    "Div": [POSITIVE, node("Div", "vector", "positive", gives="part"), node("Div", "part", "number")],
    "Max": [node("Max", "x", "number", "vector")],
    "Min": [POSITIVE, node("Min", "half", "x", "positive")],
    "MatMul": [node("MatMul", "x", "matrix")],
    "MatMul of a vector": [
        node("MatMul", "x", "vector", gives="sum"),
        node("Reshape", "sum", "column", gives="factor"),
        node("Mul", "x", "factor"),
    ],
    "MatMul of more dimensions": [
        DEEPER,
        node("MatMul", "deeper", "matrix", gives="product"),
        node("Reshape", "product", "rows"),
    ],
    "Gemm": [node("Gemm", "x", "matrix", "vector")],
    "Gemm without biases": [node("Gemm", "x", "matrix")],
    "Gemm with one bias": [node("Gemm", "x", "matrix", "number")],
    "Gemm with all": [node("Gemm", "x", "transposed", "row", alpha=0.5, beta=2.0, transB=1)],
    "Squeeze": [DEEPER, node("Squeeze", "deeper", "middle")],
    "LinearRegressor": [
        node(
            "LinearRegressor",
            "x",
            domain="ai.onnx.ml",
            targets=WIDTH,
            coefficients=np.linspace(-1, 1, WIDTH * WIDTH).tolist(),
            intercepts=[0.5, 1.0, 1.5, 2.0],
        )
    ],
    "GELU as PyTorch writes it": [
        node("Gemm", "x", "transposed", "vector", transB=1, gives="z"),
        node("Div", "z", "root", gives="scaled"),
        node("Erf", "scaled", gives="error"),
        node("Add", "error", "one", gives="more"),
        node("Mul", "z", "more", gives="product"),
        node("Mul", "product", "half"),
    ],
}
OLD: dict[str, list[onnx.NodeProto]] = {
    "Clip": [node("Clip", "x", min=-0.5, max=0.25)],
    "Clip from below": [node("Clip", "x", min=-0.5)],
    "Gemm": [node("Gemm", "x", "matrix", "row", alpha=2.0)],
    "Squeeze": [DEEPER, node("Squeeze", "deeper", axes=[1])],
    "Add": [node("Add", "x", "row")],
}


@pytest.mark.parametrize("nodes", NETWORKS.values(), ids=NETWORKS)
def test_each_operator_gives_what_onnxruntime_says(nodes: list[onnx.NodeProto]) -> None:
    check(network(nodes))


@pytest.mark.parametrize("opset", [7, 10])
@pytest.mark.parametrize("nodes", OLD.values(), ids=OLD)
def test_operators_of_older_versions_give_it_too(nodes: list[onnx.NodeProto], opset: int) -> None:
    check(network(nodes, opset))


def test_every_operator_that_can_be_run_is_compared() -> None:
    with pytest.raises(PackageError, match="the operator `Sin`") as refused:
        scored(imported(network([node("Sin", "x")]), "a test", 1, None, None), rows())
    (listed,) = re.findall(r"expected (.*)$", str(refused.value))
    can_be_run = {name.split()[-1] for name in re.split(", | or ", listed)}
    compared = {each.op_type for nodes in NETWORKS.values() for each in nodes}
    assert can_be_run == compared


def target(data: Matrix) -> Any:
    return data[:, 0] * 2 - np.abs(data[:, 1]) + 0.5


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_a_network_of_scikit_learn_answers_the_same(activation: Any) -> None:
    learner = MLPRegressor(
        hidden_layer_sizes=(16, 8), activation=activation, max_iter=50, tol=1e9, random_state=1
    )
    check(to_onnx(learner.fit(rows(), target(rows())), rows()[:1]).SerializeToString())


def test_a_linear_model_of_scikit_learn_answers_the_same() -> None:
    check(to_onnx(LinearRegression().fit(rows(), target(rows())), rows()[:1]).SerializeToString())
