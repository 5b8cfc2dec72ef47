"""What the convolution refuses."""

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError

from .row import Refusal, refusal, zeros

REFUSALS: tuple[Refusal, ...] = (
    refusal("conv-rank", lambda: F.conv2d(zeros(3, 5, 5), zeros(1, 3, 2, 2)), ShapeError,
            r"x is \(N, C, H, W\)"),
    refusal("conv-channels", lambda: F.conv2d(zeros(1, 3, 5, 5), zeros(1, 2, 2, 2)), ShapeError,
            "x has 3 channels but weight expects 2"),
    refusal("conv-bias", lambda: F.conv2d(zeros(1, 1, 3, 3), zeros(2, 1, 2, 2), zeros(3)),
            ShapeError, "one value for each output channel"),
    refusal("conv-empty", lambda: F.conv2d(zeros(1, 1, 3, 3), zeros(0, 1, 2, 2)), ShapeError,
            "no size of the weight is zero"),
    refusal("conv-window", lambda: F.conv2d(zeros(1, 1, 2, 2), zeros(1, 1, 3, 3)), ShapeError,
            r"image 2x2, kernel 3x3, padding \(0, 0\), which gives 0x0"),
    refusal("conv-stride", lambda: F.conv2d(zeros(1, 1, 2, 2), zeros(1, 1, 1, 1), None, 0),
            OptionError, "stride is an integer of at least 1"),
    refusal("conv-padding", lambda: F.conv2d(zeros(1, 1, 2, 2), zeros(1, 1, 1, 1), padding=(0, -1)),
            OptionError, r"padding is an integer of at least 0.*got \(0, -1\)"),
    refusal("conv-types", lambda: F.conv2d(zeros(1, 1, 2, 2), zeros(1, 1, 1, 1, dtype=np.float64)),
            DTypeError, "conv2d: all inputs have one type"),
)  # fmt: skip
