"""Every message of the elements, the variables and the graph: what provokes it, what it says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.element import ELEMENTS, FunctionElement, Rule
from tinygrad_cnn.elements.loss import CrossEntropyElement
from tinygrad_cnn.elements.requirements import lifted
from tinygrad_cnn.errors import (
    DeviceError,
    DTypeError,
    GraphError,
    OptionError,
    ShapeError,
)


@dataclass(frozen=True)
class Refusal:
    """One row: a call, the class of its error, and words that its message must contain."""

    id: str
    call: Callable[[], Any]
    error: type[Exception]
    match: str


def zeros(*shape: int, **options: Any) -> tg.Tensor:
    return tg.Tensor(np.zeros(shape, options.pop("dtype", np.float32)), **options)


def ints(*shape: int) -> tg.Tensor:
    return zeros(*shape, dtype=np.int64)


def flags(*shape: int) -> tg.Tensor:
    return zeros(*shape, dtype=np.bool_)


def leaf(*shape: int) -> tg.Tensor:
    return zeros(*shape, requires_grad=True, name="w")


class AnswersTooMuch(FunctionElement):
    """An element whose backward gives two signals for one input."""

    rule = Rule(("x",), ("y",), "{x}", {"x": "{δy}"})

    def forward(self, x: Any) -> Any:
        return x

    def backward(self, signal: Any) -> Any:
        return signal, signal


class AnswersInTheWrongShape(AnswersTooMuch):
    def backward(self, signal: Any) -> Any:
        return signal.sum()


class WithoutDerivative(AnswersTooMuch):
    backward = FunctionElement.backward


def backward_twice() -> None:
    loss = (leaf(2) * 2).sum()
    loss.backward()
    loss.backward()


def set_requires_grad_inside() -> None:
    (leaf(2) * 2).requires_grad = True


def set_grad(variable: Any, grad: Any) -> Callable[[], None]:
    return lambda: setattr(variable, "grad", grad)


def write_into_a_leaf() -> None:
    leaf(2)[0] = 1.0


def write_recorded_values() -> None:
    zeros(2)[0] = leaf(1).sum()


def write_outside() -> None:
    zeros(2)[2] = 1.0


def write_too_much() -> None:
    zeros(2)[:] = [1.0, 2.0, 3.0]


def add_to_a_leaf() -> None:
    w = leaf(2)
    w += 1.0


def add_to_a_scalar_leaf() -> None:
    w = tg.Scalar(1.0, requires_grad=True, name="w")
    w **= 2


def register_twice() -> None:
    class Second(FunctionElement, name="relu"):
        pass


def call_twice() -> None:
    element = ELEMENTS["exp"]()
    element(leaf(1))
    element(leaf(1))


def write_into_repeats() -> None:
    repeats = F.broadcast_to(zeros(1), (3,))
    repeats += 1.0


def change_what_was_saved() -> None:
    x = tg.Tensor([1.0, 2.0], name="x")
    loss = (leaf(2) * x).sum()
    x[0] = 5.0
    loss.backward()


def pool(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: function(zeros(1, 1, 4, 4), *arguments)


def refusal(id: str, call: Callable[[], Any], error: type[Exception], match: str) -> Refusal:
    return Refusal(id, call, error, match)


ARITHMETIC = (
    refusal("add-shapes", lambda: zeros(2) + zeros(3), ShapeError, r"add: .*\(2,\) and \(3,\)"),
    refusal("divide-integers", lambda: F.divide(ints(2), ints(2)), DTypeError,
            r"divide: it needs floating-point values; got int64.*\.float\(\)"),
    refusal("compare-shapes", lambda: zeros(2) < zeros(3), ShapeError, r"less: .*\(2,\) and"),
    refusal("exp-integers", lambda: ints(2).exp(), DTypeError, r"exp: .*int64.*\.float\(\)"),
    refusal("sigmoid-integers", lambda: ints(2).sigmoid(), DTypeError, "sigmoid: .*int64"),
    refusal("scalar-and-tensor", lambda: tg.Scalar(1.0) + zeros(2), DeviceError,
            r"add: .*Scalar on 'scalar', Tensor on 'cpu'.*tg\.stack"),
    refusal("no-variable", lambda: F.relu(np.ones(2)), DTypeError, r"got ndarray.*tg\.Tensor"),
    refusal("array-without-tensor", lambda: F.sum(np.ones(2)), DTypeError, "got ndarray"),
    refusal("array-matmul", lambda: F.matmul(np.ones(2), zeros(2)), DTypeError, "matmul: .*got nd"),
    refusal("list-flattened", lambda: F.flatten([1.0]), DTypeError, "flatten: .*got list"),
    refusal("list-transposed", lambda: F.transpose([1.0], 0, 0), DTypeError, "transpose: .*list"),
    refusal("list-squeezed", lambda: F.squeeze([1.0]), DTypeError, "squeeze: .*list"),
    refusal("list-unsqueezed", lambda: F.unsqueeze([1.0], 0), DTypeError, "unsqueeze: .*list"),
    refusal("numbers-stacked", lambda: tg.stack([1.0, 2.0]), DTypeError, "stack: .*got float"),
    refusal("lifted", lambda: lifted("mse_loss", np.ones(2), zeros(2)), DTypeError,
            r"mse_loss: it works on Tensors and Scalars; got ndarray\. Wrap it"),
    refusal("scalar-to-arrays-only", lambda: F.reshape(tg.Scalar(1.0), (1,)), DTypeError,
            r"reshape: it works on tensors; got a Scalar.*tg\.stack"),
    refusal("truth-values-subtracted", lambda: flags(2) - flags(2), DTypeError, r"\.long\(\)"),
    refusal("truth-values-negated", lambda: -flags(2), DTypeError, "negative: truth values"),
    refusal("integer-to-negative", lambda: ints(2) ** -1, DTypeError, "power: .*no negative power"),
    refusal("number-too-large", lambda: zeros(2, dtype=np.uint8) + 300, DTypeError,
            "got 300 for uint8"),
    refusal("array-times-scalar", lambda: np.ones(2) * tg.Scalar(1.0), DTypeError, "one number"),
)  # fmt: skip
REDUCTIONS = (
    refusal(
        "dim-outside", lambda: zeros(2, 3).sum(2), ShapeError, "sum: dim lies between -2 and 1"
    ),
    refusal("dim-twice", lambda: zeros(2, 3).mean((0, -2)), ShapeError, "mean: each dim .* once"),
    refusal("dim-fraction", lambda: zeros(2).sum(0.5), OptionError, "dim is an integer"),
    refusal("softmax-fraction", lambda: zeros(2).softmax(0.5), OptionError, "dim is an integer"),
    refusal("mean-integers", lambda: ints(2).mean(), DTypeError, "mean: .*int64"),
    refusal("dim-of-a-number", lambda: zeros().sum(0), ShapeError, "a single number is None"),
    refusal("softmax-several", lambda: zeros(2, 2).softmax((0, 1)), OptionError, "an integer; got"),
    refusal("argmax-dim", lambda: zeros(2).argmax(3), ShapeError, "argmax: dim .* -1 and 0; got 3"),
    refusal("argmax-fraction", lambda: zeros(2).argmax(0.5), OptionError, "argmax: .*an integer"),
    refusal(
        "argmax-of-nothing", lambda: zeros(0).argmax(), ShapeError, r"argmax: nothing .*\(0,\)"
    ),
    refusal("argmax-of-no-row", lambda: zeros(2, 0).argmax(1), ShapeError, "argmax: nothing"),
    refusal("min-of-nothing", lambda: zeros(0).min(), ShapeError, "min: nothing is the smallest"),
    refusal("size-dim", lambda: zeros(2).size(5), ShapeError, "size: dim lies between -1 and 0"),
    refusal(
        "max-of-nothing", lambda: zeros(0, 2).max(0), ShapeError, "max: nothing is the largest"
    ),
    refusal("broadcast", lambda: F.broadcast_to(zeros(2), (3,)), ShapeError, r"\(2,\) for \(3,\)"),
    refusal("broadcast-negative", lambda: F.broadcast_to(zeros(1), (-1,)), OptionError, "negative"),
    refusal("softmax-dim", lambda: zeros(2).softmax(1), ShapeError, "softmax: dim lies between"),
    refusal("softmax-nothing", lambda: zeros(2, 0).softmax(1), ShapeError, "at least one class"),
    refusal("softmax-half", lambda: zeros(2, dtype=np.float16).softmax(0), DTypeError, "float16"),
)
MOVES = (
    refusal("reshape", lambda: zeros(6).reshape(4), ShapeError, r"\(6 elements\) for \(4,\)"),
    refusal("reshape-two-free", lambda: zeros(6).reshape(-1, -1), ShapeError, "one size may be -1"),
    refusal("reshape-any-free", lambda: zeros(0, 3).reshape(0, -1), ShapeError, "may be -1"),
    refusal("reshape-negative", lambda: zeros(6).reshape(-2, -3), ShapeError, "one size may be"),
    refusal("reshape-fraction", lambda: zeros(6).reshape(2.5), OptionError, "sizes are integers"),
    refusal("reshape-text", lambda: zeros(6).reshape("a"), OptionError,
            "reshape: sizes are integers; got 'a'"),
    refusal("permute-text", lambda: zeros(2).permute("a"), OptionError,
            "permute: axes are integers; got 'a'"),
    refusal("transpose-text", lambda: zeros(2).transpose("a", 0), OptionError, "transpose: axes"),
    refusal("flatten-text", lambda: zeros(2).flatten("a"), OptionError, "flatten: axes are"),
    refusal("broadcast-text", lambda: F.broadcast_to(zeros(2), "a"), OptionError, "sizes are"),
    refusal("pad-fraction", lambda: F.pad(zeros(2), (0.5, 1)), OptionError, "pad: widths are"),
    refusal("t", lambda: zeros(1, 2, 3).t(), ShapeError, r"t: a matrix .*got shape \(1, 2, 3\)"),
    refusal("squeeze-dim", lambda: zeros(1).squeeze(1), ShapeError, "squeeze: dim lies between"),
    refusal("unsqueeze-dim", lambda: zeros(1).unsqueeze(2), ShapeError, "unsqueeze: .*-2 and 1"),
    refusal("index-text", lambda: zeros(2)["a"], ShapeError, "index: the key"),
    refusal("index-ragged", lambda: zeros(2, 2)[[[0], [0, 1]]], ShapeError, "index: the key"),
    refusal("permute", lambda: zeros(2, 3).permute(0, 0), ShapeError, "every axis is named once"),
    refusal("permute-far", lambda: zeros(2, 3).permute(0, 3), ShapeError, "every axis is named"),
    refusal("transpose", lambda: zeros(2).transpose(0, 1), ShapeError, "axes lie between -1 and 0"),
    refusal("flatten", lambda: zeros(2, 3).flatten(1, 0), ShapeError, "does not come after"),
    refusal("index", lambda: zeros(2)[2], ShapeError, r"index: .*\(2,\).*out of bounds"),
    refusal("index-many", lambda: zeros(2)[0, 0], ShapeError, "index: .*too many indices"),
    refusal("index-array", lambda: zeros(2)[np.array([3])], ShapeError, "index: .*out of bounds"),
    refusal("index-mask", lambda: zeros(2)[np.ones(3, bool)], ShapeError, "index: .*boolean"),
    refusal("index-fraction", lambda: zeros(2)[0.5], ShapeError, "index: .*valid indices"),
    refusal("stack-scalars-dim", lambda: tg.stack([tg.Scalar(1.0)], dim=1), ShapeError, "dim 0"),
    refusal("place", lambda: F.place(zeros(1), [0, 1], (3,)), ShapeError, r"place: .*\(2,\)"),
    refusal("place-outside", lambda: F.place(zeros(1), [3], (3,)), ShapeError, "place: the key"),
    refusal("pad-odd", lambda: F.pad(zeros(2), (1,)), OptionError, "pairs"),
    refusal("pad-negative", lambda: F.pad(zeros(2), (-1, 0)), ShapeError, "not negative"),
    refusal("pad-many", lambda: F.pad(zeros(2), (1, 1, 1, 1)), ShapeError, "at most each axis"),
    refusal("concatenate-none", lambda: F.concatenate([]), OptionError, "at least one tensor"),
    refusal("concatenate-dim", lambda: F.concatenate([zeros(2)], 1), ShapeError, "-1 and 0; got 1"),
    refusal("concatenate-sizes", lambda: F.concatenate([zeros(2, 1), zeros(2, 2)]), ShapeError,
            r"equal but along dim 0; got \(2, 1\), \(2, 2\)"),
    refusal("join-types", lambda: F.concatenate([zeros(2), ints(2)]), DTypeError, "one type"),
    refusal("stack-none", lambda: tg.stack([]), OptionError, "at least one value"),
    refusal("stack-dim", lambda: tg.stack([zeros(2)], 2), ShapeError, "dim lies between -2 and 1"),
    refusal("stack-mixed", lambda: tg.stack([zeros(), tg.Scalar(1.0, name="s")]), DeviceError,
            "stack: scalars and tensors do not mix; got Tensor, s"),
    refusal("stack-shapes", lambda: tg.stack([zeros(2), zeros(3)]), ShapeError,
            r"stack: all tensors have one shape; got \(2,\), \(3,\)"),
    refusal("concatenate-mixed", lambda: tg.cat([zeros(1), tg.Scalar(1.0, name="s")]), DTypeError,
            "got a Scalar named 's'"),
    refusal("scalars", lambda: zeros(2, 2).scalars(), ShapeError, "one axis .*reshape"),
)  # fmt: skip
LAYERS = (
    refusal("affine", lambda: F.affine(zeros(2, 3), zeros(4, 2)), ShapeError, "last axis of x"),
    refusal("affine-bias", lambda: F.affine(zeros(2, 3), zeros(4, 3), zeros(3)), ShapeError,
            "one value for each row of weight"),
    refusal("affine-types", lambda: F.affine(zeros(2), zeros(1, 2, dtype=np.float64)), DTypeError,
            r"float32, float64.*\.double\(\)"),
    refusal("affine-integers", lambda: F.affine(ints(2), ints(1, 2)), DTypeError, "got int64"),
    refusal("matmul", lambda: zeros(2, 3) @ zeros(2, 3), ShapeError, "columns of the first"),
    refusal("matmul-stacks", lambda: zeros(2, 1, 1) @ zeros(3, 1, 1), ShapeError, "leading axes"),
    refusal("matmul-number", lambda: zeros() @ zeros(2), ShapeError, "at least one axis"),
    refusal("matmul-integers", lambda: ints(2) @ ints(2), DTypeError, "matmul: .*int64"),
    refusal("conv-rank", lambda: F.conv2d(zeros(3, 5, 5), zeros(1, 3, 2, 2)), ShapeError,
            r"x is \(N, C, H, W\)"),
    refusal("conv-channels", lambda: F.conv2d(zeros(1, 3, 5, 5), zeros(1, 2, 2, 2)), ShapeError,
            "x has 3 channels but weight expects 2"),
    refusal("conv-bias", lambda: F.conv2d(zeros(1, 1, 3, 3), zeros(2, 1, 2, 2), zeros(3)),
            ShapeError, "one value for each output channel"),
    refusal("conv-empty", lambda: F.conv2d(zeros(1, 1, 3, 3), zeros(0, 1, 2, 2)), ShapeError,
            "no size of the weight is zero"),
    refusal("conv-window", lambda: F.conv2d(zeros(1, 1, 2, 2), zeros(1, 1, 3, 3)), ShapeError,
            r"image 2x2, kernel 3x3, padding \(0, 0\), which gives 0x0"),
    refusal("conv-stride", lambda: F.conv2d(zeros(1, 1, 2, 2), zeros(1, 1, 1, 1), None, 0),
            OptionError, "stride is an integer of at least 1"),
    refusal("conv-padding", lambda: F.conv2d(zeros(1, 1, 2, 2), zeros(1, 1, 1, 1), padding=(0, -1)),
            OptionError, r"padding is an integer of at least 0.*got \(0, -1\)"),
    refusal("conv-types", lambda: F.conv2d(zeros(1, 1, 2, 2), zeros(1, 1, 1, 1, dtype=np.float64)),
            DTypeError, "conv2d: all inputs have one type"),
    refusal("pool-rank", lambda: F.max_pool2d(zeros(4, 4), 2), ShapeError, r"x is \(N, C, H, W\)"),
    refusal("pool-integers", lambda: F.max_pool2d(ints(1, 1, 4, 4), 2), DTypeError, "got int64"),
    refusal("pool-window", pool(F.avg_pool2d, 5), ShapeError, "avg_pool2d: the window fits"),
    refusal("pool-kernel", pool(F.max_pool2d, 0), OptionError, "kernel_size is an integer"),
    refusal("pool-fraction", pool(F.max_pool2d, 2.5), OptionError, "got 2.5"),
    refusal("pool-triple", pool(F.max_pool2d, (1, 2, 3)), OptionError, r"got \(1, 2, 3\)"),
    refusal("pool-padding", pool(F.avg_pool2d, 2, 2, 2), OptionError, "at most half the kernel"),
)  # fmt: skip
LOSSES = (
    refusal("scores-array", lambda: F.cross_entropy(np.ones((2, 3)), np.zeros(2, int)), DTypeError,
            "cross_entropy: .*got ndarray"),
    refusal("labels-shape", lambda: F.cross_entropy(zeros(2, 3), ints(3)), ShapeError,
            r"scores \(2, 3\) and labels \(3,\)"),
    refusal("labels-type", lambda: F.cross_entropy(zeros(2, 3), zeros(2)), DTypeError,
            "labels are integers; got float32"),
    refusal("labels-range", lambda: F.cross_entropy(zeros(2, 3), np.array([0, 3])), OptionError,
            r"lie in 0\.\.2 for 3 classes; got 3 at position 1"),
    refusal("scores-type", lambda: CrossEntropyElement("mean")(ints(2, 3), ints(2)), DTypeError,
            "values are float32 or float64; got int64"),
    refusal("reduction", lambda: F.cross_entropy(zeros(2, 3), ints(2), "average"), OptionError,
            "one of mean, sum, none; got 'average'"),
    refusal("mse-shapes", lambda: F.mse_loss(zeros(2), zeros(2, 1)), ShapeError,
            r"one shape; got \(2,\) and \(2, 1\)"),
    refusal("mse-types", lambda: F.mse_loss(zeros(2), np.zeros(2)), DTypeError, "float32, float64"),
    refusal("squared-error-none", lambda: F.squared_error(zeros(2), zeros(2), "none"), OptionError,
            "one of sum, mean; got 'none'"),
)  # fmt: skip
GRAPH = (
    refusal("nothing-recorded", lambda: zeros().sum().backward(), GraphError, "requires_grad=True"),
    refusal("many-elements", lambda: (leaf(2) * 2).backward(), GraphError,
            r"one-element value .*got shape \(2,\).*gradient="),
    refusal("gradient-shape", lambda: (leaf(2) * 2).backward(zeros(3)), ShapeError,
            r"got \(3,\) for \(2,\)"),
    refusal("gradient-type", lambda: (leaf(2) * 2).backward(zeros(2, dtype=np.float64)), DTypeError,
            "float64 for Tensor of float32"),
    refusal("gradient-kind", lambda: (leaf(2) * 2).backward(np.ones(2)), DTypeError, "got ndarray"),
    refusal("twice", backward_twice, GraphError, r"freed by its first walk.*retain_graph=True"),
    refusal("requires-grad-inside", set_requires_grad_inside, GraphError,
            "on leaves only; got the result of 'multiply'"),
    refusal("requires-grad-integers", lambda: ints(2).requires_grad_(), DTypeError, "int64"),
    refusal("retain-grad", lambda: zeros(2).retain_grad(), GraphError, r"shape \(2,\)"),
    refusal("grad-shape", set_grad(leaf(2), zeros(3)), ShapeError, r"grad: .*\(3,\) for \(2,\)"),
    refusal("grad-type", set_grad(leaf(2), zeros(2, dtype=np.float64)), DTypeError,
            "grad: .*got Tensor of float64 for Tensor of float32"),
    refusal("grad-array", set_grad(leaf(2), np.ones(2)), DTypeError, "grad: .*got ndarray"),
    refusal("grad-number", set_grad(tg.Scalar(1.0), 3), DTypeError, "grad: .*got int .*for Scalar"),
    refusal("grad-kind", set_grad(tg.Tensor(np.zeros(())), tg.Scalar(1.0)), DTypeError,
            "got Scalar of float64 for Tensor of float64"),
    refusal("changed-in-place", change_what_was_saved, GraphError,
            r"multiply saved 'x' .*in place since \(1 times\)"),
    refusal("called-twice", call_twice, GraphError, "recorded once; got a second .*ExpElement"),
    refusal("registered-twice", register_twice, OptionError, "second 'relu'"),
    refusal("no-derivative", lambda: WithoutDerivative()(leaf(1)).backward(), GraphError,
            r"has no derivative.*detach\(\)"),
    refusal("answers-too-much", lambda: AnswersTooMuch()(leaf(1)).backward(), GraphError,
            "got 2 for 1"),
    refusal("answers-in-the-wrong-shape", lambda: AnswersInTheWrongShape()(leaf(1)).backward(),
            GraphError, r"got \(\) for \(1,\)"),
)  # fmt: skip
VARIABLES = (
    refusal("text", lambda: tg.Tensor(["a"]), DTypeError, "numbers or truth values"),
    refusal("ragged", lambda: tg.Tensor([[1.0], [1.0, 2.0]]), DTypeError, "form an array"),
    refusal("scalar-in-tensor", lambda: tg.Tensor(tg.Scalar(1.0)), DTypeError, r"tg\.stack"),
    refusal("integer-gradient", lambda: tg.Tensor([1, 2], requires_grad=True), DTypeError, "int64"),
    refusal("item", lambda: zeros(2).item(), ShapeError, r"exactly one element; got shape \(2,\)"),
    refusal("len", lambda: len(zeros()), ShapeError, "no length"),
    refusal("truth", lambda: bool(zeros(2)), ShapeError, "exactly one element"),
    refusal("device", lambda: zeros(2).to("cuda"), DeviceError, "got 'cuda'"),
    refusal("device-option", lambda: zeros(2).to(device="tpu"), DeviceError, "got 'tpu'"),
    refusal("device-of-scalar", lambda: zeros(2).to(tg.Scalar(1.0)), DeviceError, "got 'scalar'"),
    refusal("target", lambda: zeros(2).to("float33"), DTypeError, "to: .*got 'float33'"),
    refusal("target-of-text", lambda: zeros(2).to(str), DTypeError, "numbers or truth values"),
    refusal("targets", lambda: zeros(2).to("int64", dtype="int8"), OptionError, "got int8, int64"),
    refusal("zeros-negative", lambda: tg.zeros(2, -1), OptionError, r"zeros: .*got \(2, -1\)"),
    refusal("ones-fraction", lambda: tg.ones(0.5), OptionError, "ones: sizes are integers"),
    refusal("randn-type", lambda: tg.randn(1, dtype="text"), DTypeError, "randn: .*got 'text'"),
    refusal("arange-step", lambda: tg.arange(1, 2, 0), OptionError, "step is not 0; got 1, 2, 0"),
    refusal("arange-endless", lambda: tg.arange(float("inf")), OptionError, "arange: .*got 0, inf"),
    refusal("arange-text", lambda: tg.arange("a"), OptionError, "arange: .*got 0, 'a', 1"),
    refusal("write-leaf", write_into_a_leaf, GraphError, r"got w of shape \(2,\).*no_grad"),
    refusal("write-recorded", write_recorded_values, GraphError, r"values\.detach\(\)"),
    refusal("write-outside", write_outside, ShapeError, "assignment: .*out of bounds"),
    refusal("write-too-much", write_too_much, ShapeError, "assignment: .*broadcast"),
    refusal("add-to-leaf", add_to_a_leaf, GraphError, r"x = x \+ y"),
    refusal(
        "power-of-scalar-leaf", add_to_a_scalar_leaf, GraphError, r"got w of shape \(\).*no_gr"
    ),
    refusal(
        "write-repeats",
        write_into_repeats,
        GraphError,
        r"a broadcast view is not written into.*\(3,\).*\.clone\(\)",
    ),
    refusal("scalar-data", lambda: setattr(tg.Scalar(1.0), "data", "a"), DTypeError, "got 'a'"),
    refusal("scalar-compared", lambda: tg.Scalar(1.0) < "a", DTypeError, "one number; got 'a'"),
    refusal("scalar-digits", lambda: tg.Scalar("1.5"), DTypeError, "one number; got '1.5'"),
    refusal("scalar-huge", lambda: tg.Scalar(10**400), DTypeError, "one number"),
    refusal("scalar-text", lambda: tg.Scalar("one"), DTypeError, "Scalar: .*got 'one'"),
    refusal("scalar-array", lambda: tg.Scalar(np.ones(2)), DTypeError, "Scalar: "),
)

REFUSALS = (*ARITHMETIC, *REDUCTIONS, *MOVES, *LAYERS, *LOSSES, *GRAPH, *VARIABLES)
