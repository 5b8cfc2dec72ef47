"""Every function and element as rows of data: what to call, with what, and what it equals.

Values are drawn away from kinks and ties, so that every derivative exists.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.arithmetic import CastElement

from . import oracles

Shape = tuple[int, ...]
Maker = Callable[[np.random.Generator], Any]


@dataclass(frozen=True)
class Drawn:
    """An input: how its values are drawn, and whether they carry a gradient."""

    kind: str
    shape: Shape
    classes: int = 0

    def draw(self, generator: np.random.Generator) -> Any:
        if self.kind == "normal":
            return generator.normal(size=self.shape)
        if self.kind == "positive":
            return generator.uniform(0.5, 2.0, self.shape)
        if self.kind == "labels":
            return generator.integers(self.classes, size=self.shape)
        # "apart": no two values closer than 0.1, none closer to zero than 0.05
        size = int(np.prod(self.shape))
        steps = generator.permutation(size) - size // 2 + 0.5
        return (0.1 * steps + generator.uniform(-0.02, 0.02, size)).reshape(self.shape)


def positive(*shape: int) -> Drawn:
    return Drawn("positive", shape)


def apart(*shape: int) -> Drawn:
    return Drawn("apart", shape)


def labels(count: int, classes: int) -> Drawn:
    return Drawn("labels", (count,), classes)


@dataclass(frozen=True)
class Case:
    """One row."""

    elements: str  # the elements that it covers, separated by spaces
    id: str
    function: Callable[..., Any]
    inputs: tuple[Drawn, ...]
    oracle: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)
    batched: tuple[int, ...] = ()  # the inputs whose first axis is the batch
    twice: bool = True  # check second derivatives; off where another row is the smaller twin
    multiply_adds: int = 0
    keeps_dtype: bool = True

    def draw(self, seed: int = 1) -> list[Any]:
        generator = np.random.default_rng(seed)
        return [drawn.draw(generator) for drawn in self.inputs]

    def run(self, *values: Any) -> Any:
        return self.function(*values, **self.options)

    def expect(self, *values: Any) -> Any:
        return self.oracle(*values, **self.options)

    def __str__(self) -> str:
        return f"{self.elements.split()[0]}-{self.id}"


def case(
    elements: str,
    id: str,
    function: Callable[..., Any],
    inputs: Sequence[Drawn | Shape],
    oracle: Callable[..., Any],
    options: dict[str, Any] | None = None,
    **facts: Any,
) -> Case:
    drawn = tuple(i if isinstance(i, Drawn) else Drawn("normal", i) for i in inputs)
    return Case(elements, id, function, drawn, oracle, options or {}, **facts)


# -- functions that take their inputs one by one, or that are methods -----------------


def index(x: Any, key: Any) -> Any:
    return x[key]


def joined(*tensors: Any, dim: int = 0) -> Any:
    return F.concatenate(tensors, dim)


def stacked(*tensors: Any, dim: int = 0) -> Any:
    return F.stack(tensors, dim)


def squares_of_scalars(x: Any) -> Any:
    return tg.stack([scalar * scalar for scalar in x.scalars()])


def cast_to_double(x: Any) -> Any:
    return CastElement(np.dtype(np.float64))(x)


# -- rows ------------------------------------------------------------------------------

BROADCASTS = {
    "equal": ((2, 3), (2, 3)),
    "row": ((2, 3), (3,)),
    "column": ((2, 3), (2, 1)),
    "both": ((2, 1), (1, 3)),
    "number": ((), (2, 2)),
    "images-and-channels": ((2, 3, 2, 2), (3, 1, 1)),
}
BINARY = [
    case(name, id, function, (make(*x), make(*y)), oracle)
    for name, function, make, oracle in (
        ("add", F.add, apart, np.add),
        ("subtract", F.subtract, apart, np.subtract),
        ("multiply", F.multiply, apart, np.multiply),
        ("divide", F.divide, positive, np.divide),
        ("power", F.power, positive, np.power),
    )
    for id, (x, y) in BROADCASTS.items()
]
UNARY = [
    case(name, id, function, (make(*shape),), oracle, batched=(0,) if shape else ())
    for name, function, make, oracle in (
        ("negative", F.negative, apart, np.negative),
        ("exp", F.exp, apart, np.exp),
        ("log", F.log, positive, np.log),
        ("sqrt", F.sqrt, positive, np.sqrt),
        ("sigmoid", F.sigmoid, apart, oracles.sigmoid),
        ("tanh", F.tanh, apart, oracles.tanh),
        ("scaled_tanh", F.scaled_tanh, apart, oracles.scaled_tanh),
        ("relu", F.relu, apart, oracles.relu),
    )
    for id, shape in (("vector", (5,)), ("number", ()), ("images", (2, 3, 2, 2)))
]
CASTS = [case("cast", "double", cast_to_double, [(2, 3)], np.array, keeps_dtype=False)]
REDUCTIONS = [
    case(name, id, function, (apart(*shape),), oracle, options)
    for name, function, oracle in (
        ("sum", F.sum, oracles.sum),
        ("mean", F.mean, oracles.mean),
        ("max", F.max, oracles.max),
        ("min", F.min, oracles.min),
    )
    for id, shape, options in (
        ("all", (2, 3), {}),
        ("rows", (2, 3), {"dim": 0}),
        ("last", (2, 3, 2), {"dim": -1}),
        ("middle-kept", (2, 3, 2), {"dim": 1, "keepdim": True}),
        ("two-axes", (2, 3, 2), {"dim": (0, 2)}),
        ("pixels", (2, 3, 2, 2), {"dim": (2, 3), "keepdim": True}),
        ("number", (), {}),
    )
]
SOFTMAX = [
    case(name, id, function, [shape], oracle, {"dim": dim}, batched=batched)
    for name, function, oracle in (
        ("softmax", F.softmax, oracles.softmax),
        ("log_softmax", F.log_softmax, oracles.log_softmax),
    )
    for id, shape, dim, batched in (
        ("rows", (2, 4), 1, (0,)),
        ("columns", (3, 2), 0, ()),
        ("vector", (4,), -1, ()),
        ("channels", (2, 3, 2, 2), 1, (0,)),
    )
]
KEYS = {
    "integer": 1,
    "negative": -1,
    "slice": slice(1, None),
    "step": (slice(None), slice(None, None, 2)),
    "backwards": (slice(None), slice(None, None, -1)),
    "ellipsis": (..., 0),
    "new-axis": (None, 0, slice(None), None),
    "integers": np.array([0, 2]),
    "repeated": np.array([1, 1, 0, 1]),
    "list": [2, 0],
    "pairs": (np.array([0, 1, 1]), np.array([2, 2, 2])),
    "mask": np.array([True, False, True]),
    "nothing": slice(0, 0),
}
MOVES = [
    *(case("index place", id, index, [(3, 4)], index, {"key": k}) for id, k in KEYS.items()),
    case("place", "place", F.place, [(3,)], oracles.place,
         {"key": np.array([2, 0, 2]), "shape": (4,)}),
    case("place", "place-slice", F.place, [(2, 2)], oracles.place,
         {"key": (slice(None), slice(1, 3)), "shape": (2, 4)}),
    case("reshape", "flat", F.reshape, [(2, 3)], oracles.reshape, {"shape": (6,)}),
    case("reshape", "free", F.reshape, [(2, 3)], oracles.reshape, {"shape": (3, -1)}),
    case(
        "reshape", "images", F.reshape, [(2, 3, 2, 2)], oracles.reshape, {"shape": (2, 2, 6)}
    ),
    case(
        "reshape", "flatten", F.flatten, [(2, 3, 2, 2)], oracles.flatten, {"start_dim": 1},
        batched=(0,),
    ),
    case("reshape", "squeezed", F.squeeze, [(1, 3, 1)], oracles.squeeze),
    case("reshape", "squeezed-one", F.squeeze, [(1, 3, 1)], oracles.squeeze, {"dim": -1}),
    case("reshape", "unsqueezed", F.unsqueeze, [(2, 3)], oracles.unsqueeze, {"dim": 1}),
    case("clone", "rows", F.clone, [(2, 3)], np.array),
    case("clone", "images", F.clone, [(2, 3, 2, 2)], np.array, batched=(0,)),
    case("transpose", "swap", F.transpose, [(2, 3, 4)], oracles.transpose, {"dim0": 0, "dim1": 2}),
    case("transpose", "cycle", F.permute, [(2, 3, 4)], oracles.permute, {"dims": (1, 2, 0)}),
    case(
        "transpose", "last-channels", F.permute, [(2, 3, 2, 2)], oracles.permute,
        {"dims": (0, 2, 3, 1)}, batched=(0,),
    ),
    case("pad", "vector", F.pad, [(3,)], oracles.pad, {"pad": (1, 2)}),
    case("pad", "images", F.pad, [(2, 1, 2, 3)], oracles.pad, {"pad": (1, 0, 2, 1)}, batched=(0,)),
    case("concatenate", "rows", joined, [(2, 3), (1, 3)], oracles.joined),
    case("concatenate", "three", joined, [(2, 1), (2, 2), (2, 1)], oracles.joined, {"dim": -1}),
    case(
        "concatenate", "channels", joined, [(2, 1, 2, 2), (2, 2, 2, 2)], oracles.joined,
        {"dim": 1}, batched=(0, 1),
    ),
    case("concatenate reshape", "stacked", stacked, [(2, 3), (2, 3)], oracles.stacked, {"dim": 1}),
    case("stack_scalars unstack_scalars", "squares", squares_of_scalars, [(3,)], np.square,
         keeps_dtype=False),
    case("broadcast_to", "rows", F.broadcast_to, [(3,)], oracles.broadcast_to, {"shape": (2, 3)}),
    case(
        "broadcast_to", "columns", F.broadcast_to, [(2, 1)], oracles.broadcast_to,
        {"shape": (3, 2, 2)},
    ),
    case("broadcast_to", "same", F.broadcast_to, [(2,)], oracles.broadcast_to, {"shape": (2,)}),
]  # fmt: skip
PRODUCTS = (
    [
        case("matmul", id, F.matmul, [a, b], np.matmul, multiply_adds=adds)
        for id, a, b, adds in (
            ("matrices", (2, 3), (3, 4), 24),
            ("stacks", (2, 2, 3), (2, 3, 1), 12),
            ("one-for-all", (2, 2, 3), (3, 2), 24),
            ("broadcast-stacks", (2, 1, 1, 2), (3, 2, 2), 24),
            ("vectors", (3,), (3,), 3),
            ("matrix-vector", (2, 3), (3,), 6),
            ("vector-matrix", (3,), (3, 2), 6),
        )
    ]
    + [
        case("affine", id, F.affine, shapes, oracles.affine, batched=(0,), multiply_adds=adds)
        for id, shapes, adds in (
            ("batch", [(2, 3), (4, 3), (4,)], 24),
            ("no-bias", [(2, 3), (4, 3)], 24),
            ("sequence", [(2, 2, 3), (2, 3), (2,)], 24),
            ("one-output", [(3, 2), (1, 2), (1,)], 6),
        )
    ]
    + [case("affine", "vector", F.linear, [(3,), (2, 3), (2,)], oracles.affine, multiply_adds=6)]
)
#      row          image          filters       bias   options                        twice  adds
CONVS = (
    ("3x3",        (2, 2, 4, 5), (2, 2, 3, 3), True,  {},                              False, 432),
    ("no-bias",    (1, 1, 3, 3), (1, 1, 2, 2), False, {},                              True, 16),
    ("biased",     (1, 2, 3, 3), (2, 2, 2, 2), True,  {},                              True, 64),
    ("1x1",        (2, 3, 2, 2), (2, 3, 1, 1), True,  {},                              True, 48),
    ("gray",       (2, 1, 4, 4), (3, 1, 3, 3), True,  {"padding": 1},                  False, 864),
    ("rectangle",  (1, 2, 4, 5), (1, 2, 2, 3), True,  {"padding": (0, 1)},             False, 180),
    ("flat",       (1, 1, 1, 5), (1, 1, 1, 3), False, {},                              True, 9),
    ("stride-2",   (1, 2, 5, 5), (2, 2, 3, 3), True,  {"stride": 2, "padding": 1},     False, 324),
    ("stride-3",   (1, 1, 7, 7), (1, 1, 3, 3), False, {"stride": 3},                   False, 36),
    ("uneven",     (1, 1, 4, 5), (1, 1, 2, 2), True,  {"stride": (2, 3)},              True, 16),
    ("left-over",  (1, 1, 6, 6), (2, 1, 3, 3), False, {"stride": 2},                   False, 72),
    ("wide-frame", (1, 1, 2, 2), (1, 1, 3, 3), True,  {"padding": 2},                  True, 144),
    ("whole",      (2, 3, 2, 2), (2, 3, 2, 2), True,  {},                              True, 48),
)  # fmt: skip
IMAGES = [
    case(
        "conv2d channel_sum" if bias else "conv2d",
        id,
        F.conv2d,
        [x, weight, weight[:1]] if bias else [x, weight],
        oracles.conv2d,
        options,
        batched=(0,),
        twice=twice,
        multiply_adds=adds,
    )
    for id, x, weight, bias, options, twice, adds in CONVS
] + [
    case(name, id, function, (apart(*shape),), oracle, options, batched=(0,))
    for name, function, oracle in (
        ("max_pool2d", F.max_pool2d, oracles.max_pool2d),
        ("avg_pool2d", F.avg_pool2d, oracles.avg_pool2d),
    )
    for id, shape, options in (
        ("halves", (2, 2, 4, 4), {"kernel_size": 2}),
        ("overlap", (1, 2, 5, 5), {"kernel_size": 3, "stride": 2}),
        ("framed", (1, 1, 4, 4), {"kernel_size": 2, "stride": 2, "padding": 1}),
        ("dense", (1, 1, 4, 3), {"kernel_size": 3, "stride": 1, "padding": 1}),
        ("rectangle", (1, 2, 4, 6), {"kernel_size": (2, 3), "stride": (2, 1)}),
        ("left-over", (1, 1, 5, 5), {"kernel_size": 2}),
        ("gaps", (1, 1, 5, 5), {"kernel_size": 1, "stride": 2}),
        ("whole", (2, 3, 2, 2), {"kernel_size": 2}),
    )
]
LOSSES = [
    case(
        "cross_entropy", reduction, F.cross_entropy, (Drawn("normal", (3, 4)), labels(3, 4)),
        oracles.cross_entropy, {"reduction": reduction}, batched=(0, 1),
    )
    for reduction in ("mean", "sum", "none")
] + [
    case(
        name, f"{reduction}-{len(shape)}d", function, [shape, shape], oracle,
        {"reduction": reduction}, batched=(0, 1),
    )
    for name, function, oracle, reductions in (
        ("mse_loss", F.mse_loss, oracles.mse_loss, ("mean", "sum", "none")),
        ("squared_error", F.squared_error, oracles.squared_error, ("mean", "sum")),
    )
    for reduction in reductions
    for shape in ((3,), (2, 3), (2, 1, 2, 2))
]  # fmt: skip

CASES: tuple[Case, ...] = (
    *BINARY, *UNARY, *CASTS, *REDUCTIONS, *SOFTMAX, *MOVES, *PRODUCTS, *IMAGES, *LOSSES,
)  # fmt: skip

# Elements that nobody calls: they are recorded when the rows of another element are walked
# backward, and judged by the second derivatives of those rows.
RECORDED_BACKWARD_OF = {
    "affine_grad_input": "affine",
    "affine_grad_weight": "affine",
    "avg_pool2d_grad": "avg_pool2d",
    "conv2d_grad_input": "conv2d",
    "conv2d_grad_weight": "conv2d",
    "cross_entropy_grad": "cross_entropy",
    "max_gather": "max",
    "max_grad": "max",
    "max_pool2d_gather": "max_pool2d",
    "max_pool2d_grad": "max_pool2d",
    "relu_grad": "relu",
    "scaled_tanh_grad": "scaled_tanh",
    "sigmoid_grad": "sigmoid",
    "tanh_grad": "tanh",
}
