"""What dropout refuses."""

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError

from .row import Refusal, ints, refusal, zeros

REFUSALS: tuple[Refusal, ...] = (
    refusal("dropout-p", lambda: F.dropout(zeros(3), 1.5), OptionError,
            "dropout: p is a finite number from 0 to 1; got 1.5"),
    refusal("dropout-p-nan", lambda: F.dropout(zeros(3), float("nan")), OptionError, "got nan"),
    refusal("dropout-p-word", lambda: F.dropout(zeros(3), "half"), OptionError, "got 'half'"),
    refusal("dropout-p-truth-value", lambda: F.dropout(zeros(3), True), OptionError, "got True"),
    refusal("dropout2d-p", lambda: F.dropout2d(zeros(1, 1, 2, 2), -0.1), OptionError,
            "dropout2d: p is a finite number from 0 to 1; got -0.1"),
    refusal("dropout-integers", lambda: F.dropout(ints(3)), DTypeError,
            "dropout: values are float32 or float64; got int64"),
    refusal("dropout-array", lambda: F.dropout(np.ones(3)), DTypeError, "dropout: .*got ndarray"),
    refusal("dropout2d-rank", lambda: F.dropout2d(zeros(2, 3)), ShapeError,
            r"dropout2d: x is \(N, C, H, W\); got \(2, 3\)"),
)  # fmt: skip
