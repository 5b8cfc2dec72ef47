"""What the reductions refuse."""

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError

from .row import Refusal, ints, refusal, zeros

REFUSALS: tuple[Refusal, ...] = (
    refusal("array-without-tensor", lambda: F.sum(np.ones(2)), DTypeError, "got ndarray"),
    refusal(
        "dim-outside", lambda: zeros(2, 3).sum(2), ShapeError, "sum: dim lies between -2 and 1"
    ),
    refusal("dim-twice", lambda: zeros(2, 3).mean((0, -2)), ShapeError, "mean: each dim .* once"),
    refusal("dim-fraction", lambda: zeros(2).sum(0.5), OptionError, "dim is an integer"),
    refusal("mean-integers", lambda: ints(2).mean(), DTypeError, "mean: .*int64"),
    refusal("dim-of-a-number", lambda: zeros().sum(0), ShapeError, "a single number is None"),
    refusal("argmax-dim", lambda: zeros(2).argmax(3), ShapeError, "argmax: dim .* -1 and 0; got 3"),
    refusal("argmax-fraction", lambda: zeros(2).argmax(0.5), OptionError, "argmax: .*an integer"),
    refusal(
        "argmax-of-nothing", lambda: zeros(0).argmax(), ShapeError, r"argmax: nothing .*\(0,\)"
    ),
    refusal("argmax-of-no-row", lambda: zeros(2, 0).argmax(1), ShapeError, "argmax: nothing"),
    refusal("min-of-nothing", lambda: zeros(0).min(), ShapeError, "min: nothing is the smallest"),
    refusal(
        "max-of-nothing", lambda: zeros(0, 2).max(0), ShapeError, "max: nothing is the largest"
    ),
)  # fmt: skip
