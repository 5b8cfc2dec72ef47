"""Optimisers: how gradients change parameters."""

from tinygrad_cnn.optim.optimisers import SGD, Adam, Optimiser

__all__ = ["SGD", "Adam", "Optimiser"]
