"""Optimisers: how gradients change parameters.

:mod:`tinygrad_cnn.optim.schedules` lowers the learning rate as training goes on.
"""

from tinygrad_cnn.optim import schedules
from tinygrad_cnn.optim.optimisers import SGD, Adam, Optimiser

__all__ = ["SGD", "Adam", "Optimiser", "schedules"]
