"""Layers that hold layers, or change shapes only."""

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

from .case import IMAGES, ROWS, Case

CASES = (
    Case(nn.Identity, (IMAGES,), lambda _, x: x, "Identity()"),
    Case(nn.Flatten, (IMAGES,), lambda _, x: F.flatten(x, 1), "Flatten()"),
    Case(
        lambda: nn.Flatten(1, 2), (IMAGES,), lambda _, x: F.flatten(x, 1, 2),
        "Flatten(start_dim=1, end_dim=2)",
    ),
    Case(
        lambda: nn.Sequential({"tanh": nn.Tanh()}), (ROWS,), lambda _, x: F.tanh(x),
        "Sequential(\n  tanh: Tanh()\n)",
    ),
    Case(nn.Add, (IMAGES, IMAGES), lambda _, x, y: x + y, "Add()"),
    Case(lambda: nn.Add("relu"), (ROWS, ROWS), lambda _, x, y: F.add_relu(x, y), "Add(relu)"),
    Case(
        lambda: nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Tanh())),
        (ROWS,),
        lambda layers, x: F.tanh(F.linear(x, layers[0].weight, layers[0].bias)),
        "Sequential(\n  0: Linear(3, 2)\n  1: Sequential(\n    0: Tanh()\n  )\n)",
    ),
)  # fmt: skip
