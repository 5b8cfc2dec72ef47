"""The output layer of radial basis functions."""

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import nn

from .case import ROWS, Case

CASES = (
    Case(
        lambda: nn.RBFOutput(3, 4, np.random.default_rng(2)),
        (ROWS,),
        lambda layer, x: tg.Tensor(-((x.numpy()[:, None] - layer.codes) ** 2).sum(2)),
        "RBFOutput(3, 4)",
    ),
)
