"""Optimisers: how gradients change parameters.

:mod:`tinygrad_cnn.optim.learning_rules` holds two rules that are older than gradients of
networks. :mod:`tinygrad_cnn.optim.schedules` lowers the learning rate as training goes on.
"""

from tinygrad_cnn.optim import schedules
from tinygrad_cnn.optim.learning_rules import Adaline, Perceptron
from tinygrad_cnn.optim.optimisers import SGD, Adam, Optimiser

__all__ = ["SGD", "Adaline", "Adam", "Optimiser", "Perceptron", "schedules"]
