"""What the losses refuse."""

from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.loss_cross_entropy import CrossEntropyElement
from tinygrad_cnn.elements.requirements import lifted
from tinygrad_cnn.errors import DeviceError, DTypeError, OptionError, ShapeError

from .row import Refusal, ints, leaf, refusal, zeros

binary = F.binary_cross_entropy_with_logits


def entropy(weight: Any = None, **options: Any) -> Any:
    return F.cross_entropy(zeros(2, 3), ints(2), weight, **options)


REFUSALS: tuple[Refusal, ...] = (
    refusal("lifted", lambda: lifted("mse_loss", np.ones(2), zeros(2)), DTypeError,
            r"mse_loss: it works on Tensors and Scalars; got ndarray\. Wrap it"),
    refusal("scores-array", lambda: F.cross_entropy(np.ones((2, 3)), np.zeros(2, int)), DTypeError,
            "cross_entropy: .*got ndarray"),
    refusal("labels-shape", lambda: F.cross_entropy(zeros(2, 3), ints(3)), ShapeError,
            r"scores \(2, 3\) and labels \(3,\)"),
    refusal("labels-maps", lambda: F.cross_entropy(zeros(2, 3, 4, 4), ints(2, 4)), ShapeError,
            r"or \(N, K, H, W\) and \(N, H, W\); got scores \(2, 3, 4, 4\) and labels \(2, 4\)"),
    refusal("labels-type", lambda: F.cross_entropy(zeros(2, 3), zeros(2)), DTypeError,
            "labels are integers; got float32"),
    refusal("labels-range", lambda: F.cross_entropy(zeros(2, 3), np.array([0, 3])), OptionError,
            r"lie in 0\.\.2 for 3 classes; got 3 at position 1"),
    refusal("labels-map-range", lambda: F.nll_loss(zeros(1, 2, 1, 2), np.array([[[0, 2]]])),
            OptionError, r"nll_loss: labels lie in 0\.\.1 .*; got 2 at position \(0, 0, 1\)"),
    refusal("labels-not-ignored", lambda: F.nll_loss(zeros(1, 2), np.array([-1])), OptionError,
            "got -1 at position 0"),
    refusal("scores-type", lambda: CrossEntropyElement("mean")(ints(2, 3), ints(2)), DTypeError,
            "values are float32 or float64; got int64"),
    refusal("scores-scalar", lambda: F.cross_entropy(tg.Scalar(1.0), 0), DTypeError,
            "cross_entropy: it works on tensors; got a Scalar"),
    refusal("reduction", lambda: entropy(reduction="average"), OptionError,
            "one of mean, sum, none; got 'average'"),
    refusal("weights-count", lambda: entropy(zeros(2)), ShapeError,
            r"cross_entropy: there is one weight for each of 3 classes; got shape \(2,\)"),
    refusal("weights-type", lambda: entropy(np.ones(3)), DTypeError,
            "cross_entropy: all inputs have one type; got float32, float64"),
    refusal("weights-trained", lambda: entropy(leaf(3)), OptionError,
            r"class weights are constants; .*requires a gradient.*\.detach\(\)"),
    refusal("weights-word", lambda: entropy("mean"), DTypeError, "data are numbers"),
    refusal("ignored-fraction", lambda: entropy(ignore_index=0.5), OptionError,
            "cross_entropy: ignore_index is an integer, .*; got 0.5"),
    refusal("ignored-huge", lambda: entropy(ignore_index=2**63), OptionError, "of 64 bits at most"),
    refusal("smoothing", lambda: entropy(label_smoothing=1.1), OptionError,
            "cross_entropy: label_smoothing is a finite number from 0 to 1; got 1.1"),
    refusal("smoothing-truth-value", lambda: entropy(label_smoothing=True), OptionError,
            "label_smoothing is a finite number from 0 to 1; got True"),
    refusal("mse-shapes", lambda: F.mse_loss(zeros(2), zeros(2, 1)), ShapeError,
            r"one shape; got \(2,\) and \(2, 1\)"),
    refusal("mse-types", lambda: F.mse_loss(zeros(2), np.zeros(2)), DTypeError, "float32, float64"),
    refusal("l1-shapes", lambda: F.l1_loss(zeros(2), zeros(3)), ShapeError,
            "l1_loss: prediction and target have one shape"),
    refusal("squared-error-none", lambda: F.squared_error(zeros(2), zeros(2), "none"), OptionError,
            "one of sum, mean; got 'none'"),
    refusal("binary-shapes", lambda: binary(zeros(2), zeros(3)), ShapeError, "have one shape"),
    refusal("binary-weight", lambda: binary(zeros(2), zeros(2), zeros(3, 2)), ShapeError,
            r"weight broadcasts to the shape of x; got \(3, 2\) for \(2,\)"),
    refusal("binary-weight-shape", lambda: binary(zeros(2), zeros(2), zeros(3)), ShapeError,
            r"shapes broadcast when.*\(2,\) and \(3,\)"),
    refusal("binary-trained", lambda: binary(zeros(2), zeros(2), pos_weight=leaf(2)), OptionError,
            r"pos_weight is a constant; .*pos_weight\.detach\(\)"),
    refusal("binary-type", lambda: binary(zeros(2), ints(2)), DTypeError, "got int64"),
    refusal("hinge-targets", lambda: F.hinge_loss(zeros(2), np.array([0, 1])), OptionError,
            r"hinge_loss: targets are 1 or -1; got others\. Use 2 \* y - 1"),
    refusal("hinge-scalar-target", lambda: F.hinge_loss(tg.Scalar(1.0), 0.0), OptionError,
            "targets are 1 or -1"),
    refusal("hinge-trained", lambda: F.hinge_loss(zeros(2), leaf(2)), OptionError,
            "hinge_loss: targets are constants"),
    refusal("hinge-margin", lambda: F.hinge_loss(zeros(1), np.array([1]), None), OptionError,
            "hinge_loss: margin is a finite number; got None"),
    refusal("hinge-devices", lambda: F.hinge_loss(zeros(1), tg.Scalar(1.0)), DeviceError,
            "Scalar on 'scalar'"),
    refusal("margin-power", lambda: F.multi_margin_loss(zeros(1, 2), ints(1), 2), OptionError,
            "multi_margin_loss: p is 1, other powers are not built; got 2"),
    refusal("margin-maps", lambda: F.multi_margin_loss(zeros(1, 2, 1, 1), ints(1, 1, 1)),
            ShapeError, r"multi_margin_loss: scores are \(N, K\) and labels \(N,\); got"),
    refusal("margin-infinite", lambda: F.multi_margin_loss(zeros(1, 2), ints(1), 1, np.inf),
            OptionError, "margin is a finite number; got inf"),
    refusal("rbf-labels", lambda: F.rbf_loss(zeros(1, 2), np.array([2])), OptionError,
            r"rbf_loss: labels lie in 0\.\.1"),
    refusal("rbf-j", lambda: F.rbf_loss(zeros(1, 2), ints(1), "j"), OptionError,
            "rbf_loss: j is a finite number; got 'j'"),
)  # fmt: skip
