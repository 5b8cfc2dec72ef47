"""Activation functions."""

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

from .case import IMAGES, ROWS, Case

CASES = (
    Case(nn.Sigmoid, (ROWS,), lambda _, z: F.sigmoid(z), "Sigmoid()"),
    Case(nn.Tanh, (ROWS,), lambda _, z: F.tanh(z), "Tanh()"),
    Case(nn.ScaledTanh, (ROWS,), lambda _, z: F.scaled_tanh(z), "ScaledTanh()"),
    Case(nn.ReLU, (ROWS,), lambda _, z: F.relu(z), "ReLU()"),
    Case(lambda: nn.ReLU(True), (ROWS,), lambda _, z: F.relu(z), "ReLU()"),
    Case(lambda: nn.ReLU(at_zero=0.5), (ROWS,), lambda _, z: F.relu(z, 0.5), "ReLU(at_zero=0.5)"),
    Case(nn.LeakyReLU, (ROWS,), lambda _, z: F.leaky_relu(z), "LeakyReLU(negative_slope=0.01)"),
    Case(
        lambda: nn.LeakyReLU(0.2, True),
        (IMAGES,),
        lambda _, z: F.leaky_relu(z, 0.2),
        "LeakyReLU(negative_slope=0.2)",
    ),
    Case(nn.ELU, (ROWS,), lambda _, z: F.elu(z), "ELU(alpha=1.0)"),
    Case(lambda: nn.ELU(0.5), (IMAGES,), lambda _, z: F.elu(z, 0.5), "ELU(alpha=0.5)"),
    Case(nn.Softplus, (ROWS,), lambda _, z: F.softplus(z), "Softplus(beta=1.0, threshold=20.0)"),
    Case(
        lambda: nn.Softplus(3.0, 2.0),
        (IMAGES,),
        lambda _, z: F.softplus(z, 3.0, 2.0),
        "Softplus(beta=3.0, threshold=2.0)",
    ),
    Case(nn.Hardsigmoid, (ROWS,), lambda _, z: F.hardsigmoid(z), "Hardsigmoid()"),
    Case(
        lambda: nn.Hardsigmoid(slope=0.2),
        (ROWS,),
        lambda _, z: F.hardsigmoid(z, 0.2),
        "Hardsigmoid(slope=0.2)",
    ),
    Case(lambda: nn.Softmax(1), (ROWS,), lambda _, x: F.softmax(x, 1), "Softmax(dim=1)"),
    Case(
        lambda: nn.LogSoftmax(1), (IMAGES,), lambda _, x: F.log_softmax(x, 1), "LogSoftmax(dim=1)"
    ),
)
