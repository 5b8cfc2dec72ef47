"""tinygrad_cnn: an autograd engine and educational framework for convolutional networks.

A network is a *composite function* of *function elements*. Running it records a graph;
walking the graph backward propagates *error signals* δ(v) = ∂J/∂v by the chain rule; and the
graph can explain itself::

    import tinygrad_cnn as tg

    w, x, b = tg.Scalar(0.5, requires_grad=True), tg.Scalar(2.0), tg.Scalar(-1.0)
    with tg.explain.record() as record:
        loss = tg.functional.squared_error((w * x + b).sigmoid(), tg.Scalar(1.0))
        loss.backward()
    print(tg.explain.story(loss))

Importing this package loads NumPy and nothing heavier; Numba compiles kernels when they are
first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from numpy import float32, float64, int64

from tinygrad_cnn import errors, functional, hooks, kernels, memory
from tinygrad_cnn.anomaly import detect_anomaly
from tinygrad_cnn.creation import (
    arange,
    full,
    ones,
    ones_like,
    rand,
    randn,
    tensor,
    zeros,
    zeros_like,
)
from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.elements.join import cat, concatenate, stack
from tinygrad_cnn.elements.recompute import checkpoint, checkpoint_sequential
from tinygrad_cnn.gradcheck import gradcheck, gradgradcheck
from tinygrad_cnn.gradients import grad, hessian_vector_product
from tinygrad_cnn.graph import enable_grad, is_grad_enabled, no_grad
from tinygrad_cnn.memory import saved_bytes
from tinygrad_cnn.random import manual_seed
from tinygrad_cnn.scalar import Scalar
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.variable import name
from tinygrad_cnn.version import __version__

if TYPE_CHECKING:
    from tinygrad_cnn import data, explain, models, nn, optim, train
    from tinygrad_cnn.nn.summary import summary

_ON_FIRST_USE = ("data", "explain", "models", "nn", "optim", "train")

__all__ = [
    "FunctionElement",
    "Scalar",
    "Tensor",
    "__version__",
    "arange",
    "cat",
    "checkpoint",
    "checkpoint_sequential",
    "concatenate",
    "data",
    "detect_anomaly",
    "enable_grad",
    "errors",
    "explain",
    "float32",
    "float64",
    "full",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "hessian_vector_product",
    "hooks",
    "int64",
    "is_grad_enabled",
    "kernels",
    "manual_seed",
    "memory",
    "models",
    "name",
    "nn",
    "no_grad",
    "ones",
    "ones_like",
    "optim",
    "rand",
    "randn",
    "saved_bytes",
    "stack",
    "summary",
    "tensor",
    "train",
    "zeros",
    "zeros_like",
]


def __getattr__(attribute: str) -> Any:
    if attribute == "summary":
        return importlib.import_module(f"{__name__}.nn.summary").summary
    if attribute in _ON_FIRST_USE:
        return importlib.import_module(f"{__name__}.{attribute}")
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
