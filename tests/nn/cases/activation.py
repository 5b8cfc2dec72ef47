"""Activation functions."""

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

from .case import ROWS, Case

CASES = (
    Case(nn.Sigmoid, (ROWS,), lambda _, z: F.sigmoid(z), "Sigmoid()"),
    Case(nn.Tanh, (ROWS,), lambda _, z: F.tanh(z), "Tanh()"),
    Case(nn.ScaledTanh, (ROWS,), lambda _, z: F.scaled_tanh(z), "ScaledTanh()"),
    Case(nn.ReLU, (ROWS,), lambda _, z: F.relu(z), "ReLU()"),
)
