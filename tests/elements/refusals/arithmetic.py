"""What arithmetic refuses."""

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DeviceError, DTypeError, ShapeError

from .row import Refusal, flags, ints, refusal, zeros

REFUSALS: tuple[Refusal, ...] = (
    refusal("add-shapes", lambda: zeros(2) + zeros(3), ShapeError, r"add: .*\(2,\) and \(3,\)"),
    refusal("divide-integers", lambda: F.divide(ints(2), ints(2)), DTypeError,
            r"divide: it needs floating-point values; got int64.*\.float\(\)"),
    refusal("compare-shapes", lambda: zeros(2) < zeros(3), ShapeError, r"less: .*\(2,\) and"),
    refusal("exp-integers", lambda: ints(2).exp(), DTypeError, r"exp: .*int64.*\.float\(\)"),
    refusal("scalar-and-tensor", lambda: tg.Scalar(1.0) + zeros(2), DeviceError,
            r"add: .*Scalar on 'scalar', Tensor on 'cpu'.*tg\.stack"),
    refusal("truth-values-subtracted", lambda: flags(2) - flags(2), DTypeError, r"\.long\(\)"),
    refusal("truth-values-negated", lambda: -flags(2), DTypeError, "negative: truth values"),
    refusal("integer-to-negative", lambda: ints(2) ** -1, DTypeError, "power: .*no negative power"),
    refusal("number-too-large", lambda: zeros(2, dtype=np.uint8) + 300, DTypeError,
            "got 300 for uint8"),
    refusal("array-times-scalar", lambda: np.ones(2) * tg.Scalar(1.0), DTypeError, "one number"),
)  # fmt: skip
