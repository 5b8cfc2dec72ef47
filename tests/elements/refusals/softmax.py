"""What the softmax refuses."""

import numpy as np

from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError

from .row import Refusal, refusal, zeros

REFUSALS: tuple[Refusal, ...] = (
    refusal("softmax-fraction", lambda: zeros(2).softmax(0.5), OptionError, "dim is an integer"),
    refusal("softmax-several", lambda: zeros(2, 2).softmax((0, 1)), OptionError, "an integer; got"),
    refusal("softmax-dim", lambda: zeros(2).softmax(1), ShapeError, "softmax: dim lies between"),
    refusal("softmax-nothing", lambda: zeros(2, 0).softmax(1), ShapeError, "at least one class"),
    refusal("softmax-half", lambda: zeros(2, dtype=np.float16).softmax(0), DTypeError, "float16"),
)  # fmt: skip
