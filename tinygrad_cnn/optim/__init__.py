"""Optimisers: how gradients change parameters.

:mod:`tinygrad_cnn.optim.learning_rules` holds two rules that are older than gradients of
networks. :mod:`tinygrad_cnn.optim.schedules` lowers the learning rate as training goes on,
by plain functions, and :mod:`tinygrad_cnn.optim.lr_scheduler` by objects with PyTorch's names.
"""

from tinygrad_cnn.optim import lr_scheduler, schedules
from tinygrad_cnn.optim.adam import Adam, AdamW
from tinygrad_cnn.optim.adaptive import Adadelta, Adagrad, RMSprop
from tinygrad_cnn.optim.averaging import EMA
from tinygrad_cnn.optim.clipping import clip_grad_norm_, clip_grad_value_
from tinygrad_cnn.optim.learning_rules import Adaline, Perceptron
from tinygrad_cnn.optim.optimiser import Optimiser
from tinygrad_cnn.optim.sgd import SGD

__all__ = [
    "EMA",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adaline",
    "Adam",
    "AdamW",
    "Optimiser",
    "Perceptron",
    "RMSprop",
    "clip_grad_norm_",
    "clip_grad_value_",
    "lr_scheduler",
    "schedules",
]
