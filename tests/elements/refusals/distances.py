"""What the squared distances refuse."""

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError, ShapeError

from .row import Refusal, refusal, zeros

REFUSALS: tuple[Refusal, ...] = (
    refusal("distances-length", lambda: F.squared_distances(zeros(2, 3), zeros(4, 2)), ShapeError,
            r"one code in each row; got x \(2, 3\) and weight \(4, 2\)"),
    refusal("distances-vector", lambda: F.squared_distances(zeros(3), zeros(4, 3)), ShapeError,
            r"x is \(N, D\) and weight \(K, D\).*got x \(3,\)"),
    refusal("distances-types",
            lambda: F.squared_distances(zeros(2, 3), zeros(4, 3, dtype=np.float64)), DTypeError,
            "squared_distances: all inputs have one type; got float32, float64"),
)  # fmt: skip
