"""What the activations refuse."""

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError

from .row import Refusal, flags, ints, refusal, zeros

REFUSALS: tuple[Refusal, ...] = (
    refusal("sigmoid-integers", lambda: ints(2).sigmoid(), DTypeError, "sigmoid: .*int64"),
    refusal("no-variable", lambda: F.relu(np.ones(2)), DTypeError, r"got ndarray.*tg\.Tensor"),
    refusal("elu-integers", lambda: F.elu(ints(2)), DTypeError, "elu: .*int64"),
    refusal("relu-above-one", lambda: F.relu(zeros(2), 1.5), OptionError,
            "relu: at_zero is a finite number from 0 to 1; got 1.5"),
    refusal("relu-word", lambda: F.relu(zeros(2), "half"), OptionError, "at_zero .*; got 'half'"),
    refusal("leaky-infinite", lambda: F.leaky_relu(zeros(2), float("inf")), OptionError,
            "leaky_relu: negative_slope is a finite number; got inf"),
    refusal("elu-nan", lambda: F.elu(zeros(2), float("nan")), OptionError,
            "elu: alpha is a finite number; got nan"),
    refusal("softplus-flat", lambda: F.softplus(zeros(2), 0), OptionError,
            "softplus: beta is a finite number above 0; got 0"),
    refusal("softplus-threshold", lambda: F.softplus(zeros(2), 1, None), OptionError,
            "softplus: threshold is a finite number; got None"),
    refusal("hardsigmoid-slope", lambda: F.hardsigmoid(zeros(2), -0.2), OptionError,
            "hardsigmoid: slope is a finite number above 0; got -0.2"),
    refusal("clamp-unbounded", lambda: F.clamp(zeros(2)), OptionError, "clamp: there is a bound"),
    refusal("clamp-crossed", lambda: zeros(2).clamp(1, 0), OptionError,
            "clamp: min is at most max; got 1 and 0"),
    refusal("clamp-text", lambda: F.clamp(zeros(2), "a"), OptionError, "clamp: min is a finite"),
    refusal("clamp-integers", lambda: F.clamp(ints(2), 0), DTypeError, "clamp: .*got int64"),
    refusal("abs-truth-values", lambda: flags(2).abs(), DTypeError,
            r"abs: truth values have no sign; got bool\. Convert with \.long"),
    refusal("var-unbiased", lambda: zeros(2).var(False), OptionError,
            "var: dim is an integer, or several; got False. Write unbiased=False"),
    refusal("var-integers", lambda: ints(2).var(), DTypeError, "var: .*int64"),
    refusal("std-dim", lambda: zeros(2).std(1), ShapeError, "var: dim lies between -1 and 0"),
)  # fmt: skip
