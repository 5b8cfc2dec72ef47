"""What the products refuse."""

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError, ShapeError

from .row import Refusal, ints, refusal, zeros

REFUSALS: tuple[Refusal, ...] = (
    refusal("array-matmul", lambda: F.matmul(np.ones(2), zeros(2)), DTypeError, "matmul: .*got nd"),
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
)  # fmt: skip
