"""What tensors and scalars refuse: to be made, moved, read or written in place."""

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DeviceError, DTypeError, GraphError, OptionError, ShapeError

from .row import Refusal, leaf, refusal, zeros


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


def write_into_repeats() -> None:
    repeats = F.broadcast_to(zeros(1), (3,))
    repeats += 1.0


REFUSALS: tuple[Refusal, ...] = (
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
    refusal("rand-place", lambda: tg.rand(1, device="cuda"), DeviceError, "rand: .*got 'cuda'"),
    refusal("tensor-place", lambda: tg.tensor(1, device="cuda"), DeviceError, "tensor: .*'cuda'"),
    refusal("full-type", lambda: tg.full(1, 1, dtype="text"), DTypeError, "full: .*got 'text'"),
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
)  # fmt: skip
