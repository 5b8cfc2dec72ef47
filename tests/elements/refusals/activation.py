"""What the activations refuse."""

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError

from .row import Refusal, ints, refusal

REFUSALS: tuple[Refusal, ...] = (
    refusal("sigmoid-integers", lambda: ints(2).sigmoid(), DTypeError, "sigmoid: .*int64"),
    refusal("no-variable", lambda: F.relu(np.ones(2)), DTypeError, r"got ndarray.*tg\.Tensor"),
)  # fmt: skip
