"""What the normalisations refuse."""

from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError

from .row import Refusal, ints, leaf, refusal, zeros


def trained(*shape: int, **options: Any) -> Any:
    return lambda: F.batch_norm(zeros(*shape), training=True, **options)


REFUSALS: tuple[Refusal, ...] = (
    refusal("norm-array", lambda: F.batch_norm(np.ones((4, 3)), training=True), DTypeError,
            "batch_norm: it works on Tensors and Scalars; got ndarray"),
    refusal("norm-rank", trained(4), ShapeError,
            r"batch_norm: x is \(N, C\), \(N, C, L\) or \(N, C, H, W\); got \(4,\)"),
    refusal("norm-volumes", trained(2, 3, 1, 2, 2), ShapeError, r"got \(2, 3, 1, 2, 2\)"),
    refusal("norm-integers", lambda: F.batch_norm(ints(4, 3), training=True), DTypeError,
            "batch_norm: values are float32 or float64; got int64"),
    refusal("norm-types", trained(4, 3, weight=zeros(3, dtype=np.float64)), DTypeError,
            "all inputs have one type; got float32, float64"),
    refusal("norm-weight", trained(4, 3, weight=zeros(4)), ShapeError,
            r"weight has one value for each channel, \(3,\); got \(4,\) for x \(4, 3\)"),
    refusal("norm-bias", trained(4, 3, weight=zeros(3), bias=zeros(1)), ShapeError,
            r"bias has one value for each channel, \(3,\); got \(1,\)"),
    refusal("norm-one-value", trained(1, 3), ShapeError,
            r"a channel has at least two values.*; got x \(1, 3\)\. Use a larger batch, or eval"),
    refusal("norm-one-pixel", trained(1, 3, 1, 1), ShapeError, r"got x \(1, 3, 1, 1\)"),
    refusal("norm-empty", trained(0, 3, 2, 2), ShapeError, r"got x \(0, 3, 2, 2\)"),
    refusal("norm-eps", trained(4, 3, eps=-1.0), OptionError,
            "eps is a finite number of at least 0; got -1.0"),
    refusal("norm-running-absent", lambda: F.batch_norm(zeros(4, 3)), OptionError,
            "in evaluation running_mean and running_var are given; got NoneType and NoneType"),
    refusal("norm-running-size", lambda: F.batch_norm(zeros(4, 3), np.zeros(2), np.ones(2)),
            ShapeError, r"mean has one value for each channel, \(3,\); got \(2,\)"),
    refusal("norm-running-size-trained",
            lambda: F.batch_norm(zeros(4, 3), np.zeros(2), np.ones(2), training=True),
            ShapeError, r"running statistics have one value for each channel, \(3,\); got \(2,\)"),
    refusal("norm-running-grad", lambda: F.batch_norm(zeros(4, 3), leaf(3), zeros(3)), DTypeError,
            r"running statistics are constants; got one that requires a gradient\. Use detach"),
    refusal("norm-running-grad-trained", trained(4, 3, running_mean=leaf(3)), DTypeError,
            r"batch_norm: running statistics are constants; .* Use detach"),
    refusal("norm-running-list", trained(4, 3, running_var=[1.0] * 3), DTypeError,
            "which training changes in place; got list"),
    refusal("norm-running-integers", trained(4, 3, running_mean=np.zeros(3, int)), DTypeError,
            "Tensors of floating-point values, .* got int64"),
    refusal("norm-momentum", trained(4, 3, momentum=None), OptionError,
            "batch_norm: momentum is a finite number; got None"),
    refusal("norm-eps-nan", trained(4, 3, eps=float("nan")), OptionError, "got nan"),
    refusal("norm-bias-array", trained(4, 3, bias=np.ones(3)), DTypeError,
            "batch_norm: it works on Tensors and Scalars; got ndarray"),
    refusal("response-rank", lambda: F.local_response_norm(zeros(2, 3), 3), ShapeError,
            r"x is \(N, C, ...\) with at least one axis behind C; got \(2, 3\)"),
    refusal("response-integers", lambda: F.local_response_norm(ints(2, 3, 2), 3), DTypeError,
            "local_response_norm: values are float32 or float64; got int64"),
    refusal("response-size", lambda: F.local_response_norm(zeros(2, 3, 2), 0), OptionError,
            "size is a positive integer; got 0"),
    refusal("response-word", lambda: F.local_response_norm(zeros(2, 3, 2), 3, "a"), OptionError,
            "local_response_norm: alpha is a finite number; got 'a'"),
    refusal("response-nan", lambda: F.local_response_norm(zeros(2, 3, 2), 3, k=float("nan")),
            OptionError, "k is a finite number; got nan"),
    refusal("response-array", lambda: F.local_response_norm(np.ones((2, 3, 2)), 3), DTypeError,
            "local_response_norm: it works on Tensors and Scalars; got ndarray"),
)  # fmt: skip
