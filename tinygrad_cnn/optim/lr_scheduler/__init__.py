"""Schedules as objects: told to step, they set the rates of an optimiser's groups.

They have PyTorch's names and, step for step, its rates. Where training runs for a number of
steps that is known beforehand, the plain functions of :mod:`tinygrad_cnn.optim.schedules` say
the same without a memory.
"""

from tinygrad_cnn.optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from tinygrad_cnn.optim.lr_scheduler.cosine import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    OneCycleLR,
)
from tinygrad_cnn.optim.lr_scheduler.factors import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from tinygrad_cnn.optim.lr_scheduler.plateau import ReduceLROnPlateau
from tinygrad_cnn.optim.lr_scheduler.scheduler import LRScheduler

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
