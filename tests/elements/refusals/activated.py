"""What the elements with an activation refuse."""

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError
from tinygrad_cnn.scalar import Scalar
from tinygrad_cnn.tensor import Tensor

from .row import Refusal, refusal, zeros

REFUSALS: tuple[Refusal, ...] = (
    refusal("conv-activation",
            lambda: F.conv2d(zeros(1, 1, 2, 2), zeros(1, 1, 1, 1), activation="elu"),
            OptionError,
            "conv2d: activation is None, 'relu', 'sigmoid' or 'tanh', .*; got 'elu'. Apply"),
    refusal("affine-activation", lambda: F.affine(zeros(1, 2), zeros(1, 2), activation=True),
            OptionError, "affine: activation is None, 'relu', 'sigmoid' or 'tanh', .*; got True"),
    refusal("norm-activation", lambda: F.batch_norm(zeros(2, 2), training=True, activation=""),
            OptionError, "batch_norm: activation is None or 'relu', .*; got ''"),
    refusal("affine-relu-scalar",
            lambda: F.affine(Scalar(1.0), Scalar(2.0), activation="relu"),
            DTypeError, "affine_relu: it works on tensors; got a Scalar"),
    refusal("norm-squash",
            lambda: F.batch_norm(zeros(2, 2), training=True, activation="sigmoid"),
            OptionError, "batch_norm: activation is None or 'relu', .*; got 'sigmoid'"),
    refusal("conv-sigmoid-types",
            lambda: F.conv2d(zeros(1, 1, 2, 2), Tensor(np.zeros((1, 1, 1, 1))),
                             activation="sigmoid"),
            DTypeError, "conv2d_sigmoid: .*float64"),
    refusal("affine-tanh-scalar",
            lambda: F.affine(Scalar(1.0), Scalar(2.0), activation="tanh"),
            DTypeError, "affine_tanh: it works on tensors; got a Scalar"),
    refusal("add-relu-shapes", lambda: F.add_relu(zeros(2), zeros(3)), ShapeError,
            r"add_relu: .*\(2,\).*\(3,\)"),
    refusal("add-relu-types",
            lambda: F.add_relu(zeros(2), Tensor([1.0, 2.0], dtype=np.float64)), DTypeError,
            "add_relu: .*float64"),
    refusal("add-relu-array", lambda: F.add_relu(zeros(2), [1.0, 2.0]), DTypeError,
            "add_relu: it works on Tensors and Scalars; got list"),
)  # fmt: skip
