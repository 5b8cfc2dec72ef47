"""What the losses refuse."""

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.loss import CrossEntropyElement
from tinygrad_cnn.elements.requirements import lifted
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError

from .row import Refusal, ints, refusal, zeros

REFUSALS: tuple[Refusal, ...] = (
    refusal("lifted", lambda: lifted("mse_loss", np.ones(2), zeros(2)), DTypeError,
            r"mse_loss: it works on Tensors and Scalars; got ndarray\. Wrap it"),
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
