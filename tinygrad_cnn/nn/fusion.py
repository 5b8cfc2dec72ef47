"""Layers that run one behind the other, made one where a single element computes them all.

Each layer reads its input from memory and writes its output back. A rectifier does nothing
else, and a normalisation by constants is a scale and a shift that a convolution could have in
its filters. :func:`fuse` rewrites a network to use the elements that do both at once.

Which layers run directly one behind the other is known to the module that holds them alone: it
says so in its `chains`.
"""

import copy
from collections import Counter
from collections.abc import Sequence
from types import FunctionType
from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.nn.activation import ReLU, Sigmoid, Tanh
from tinygrad_cnn.nn.container import Identity
from tinygrad_cnn.nn.conv import Conv2d
from tinygrad_cnn.nn.linear import Linear
from tinygrad_cnn.nn.module import Module, Parameter
from tinygrad_cnn.nn.norm import BatchNorm1d, BatchNorm2d
from tinygrad_cnn.nn.residual import Add

# A class that somebody derived may compute anything: only the library's own are known.
_ACTIVATED = (Conv2d, Linear, BatchNorm1d, BatchNorm2d, Add)
_ACTIVATIONS: dict[Any, str] = {
    ReLU: "relu", Sigmoid: "sigmoid", Tanh: "tanh",
    F.relu: "relu", F.sigmoid: "sigmoid", F.tanh: "tanh",
}  # fmt: skip


def fuse(model: Module) -> Module:
    """Return a copy of a network in which one element computes what several did.

    * A rectifier behind a convolution, an affine layer, a batch normalisation or a sum becomes
      the `activation` of that layer; so does a sigmoid or a hyperbolic tangent behind one of the
      first two. One function behind several layers becomes the activation of all, or of none.
    * Batch normalisation behind a convolution, where both are in evaluation mode, is folded into
      its weight and bias.

    A layer that is used twice, that has hooks, or whose class is derived from the library's stays
    as it is, and so does a rectifier whose derivative at 0 was chosen. What a layer is merged
    into stands in its place; where it stood is an ``Identity``.

    Parameters
    ----------
    model : Module
        It is not changed, and shares no parameter with the result: give those of the result to
        the optimiser.

    Raises
    ------
    DTypeError
        If the model is no module.

    Returns
    -------
    Module
        Computes the same up to rounding. Without folding its state dictionary has the same
        names.

    Notes
    -----
    With the running statistics μ and σ² and the parameters γ and β of the normalisation,
    ``s = γ / √(σ² + ε)``, the filters of a convolution become ``s_o w_o`` and its bias
    ``s (b - μ) + β``.

    Examples
    --------
    >>> from tinygrad_cnn import nn
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    >>> print(fuse(model))
    Sequential(
      0: Conv2d(1, 4, kernel 3x3, stride (1, 1), padding (0, 0))
      1: BatchNorm2d(4, activation relu)
      2: Identity()
    )
    >>> print(fuse(model.eval()))
    Sequential(
      0: Conv2d(1, 4, kernel 3x3, stride (1, 1), padding (0, 0), activation relu)
      1: Identity()
      2: Identity()
    )
    """
    if not isinstance(model, Module):
        raise DTypeError(f"fuse: it takes a network, a Module; got {type(model).__name__}")
    fused = copy.deepcopy(model)
    uses = Counter(id(child) for owner in fused.modules() for _, child in owner.named_children())
    for owner in list(fused.modules()):
        if _says_what_it_runs(owner):
            _fuse_functions(owner, uses)
            for chain in owner.chains:
                _fuse_chain(owner, chain, uses)
    return fused


def _says_what_it_runs(owner: Module) -> bool:
    """Tell whether `chains` were declared for the forward that runs, and not for one before it."""
    ancestors = type(owner).__mro__
    declared = next(k for k, kind in enumerate(ancestors) if "chains" in vars(kind))
    return declared <= next(k for k, kind in enumerate(ancestors) if "forward" in vars(kind))


def _fuse_functions(owner: Module, uses: Counter[int]) -> None:
    """Make a function that chains name the activation of all layers it runs behind."""
    layers: dict[str, list[Any]] = {}
    for chain in owner.chains:
        for before, name in zip(("", *chain), chain, strict=False):
            if "." not in name and isinstance(getattr(owner, name), FunctionType):
                layers.setdefault(name, []).append(getattr(owner, before, None))
    for name, those_before in layers.items():
        activation = _ACTIVATIONS.get(getattr(owner, name))
        if all(_takes(layer, activation) and _is_free(layer, uses) for layer in those_before):
            for layer in those_before:
                layer.activation = activation
            setattr(owner, name, _unchanged)


def _unchanged(x: Any) -> Any:
    """Stand where a function was; a module would cost as much as a small element."""
    return x


def _fuse_chain(owner: Module, chain: Sequence[str], uses: Counter[int]) -> None:
    """Merge each layer of a chain into the one before it, where that is possible."""
    before: Module | None = None
    for path in chain:
        *part, name = path.split(".")
        holder = getattr(owner, part[0]) if part else owner
        if part and not (_is_free(holder, uses) and _runs(holder, name)):
            before = None
            continue
        layer: Module | None = getattr(holder, name)
        if layer is None or isinstance(layer, Identity):
            continue
        free = _is_free(layer, uses)
        if before is not None and free and _merge(before, layer):
            setattr(holder, name, Identity())
        else:
            before = layer if free else None


def _runs(part: Module, name: str) -> bool:
    """Tell whether a part says that it runs a layer of this name; others may stand in its place."""
    return _says_what_it_runs(part) and any(name in chain for chain in part.chains)


def _is_free(layer: Module, uses: Counter[int]) -> bool:
    """Tell whether a layer runs in one place, and nobody watches it."""
    return uses[id(layer)] == 1 and not vars(layer).get("_forward_hooks")


def _takes(layer: Any, activation: str | None) -> bool:
    """Tell whether a layer has no activation and can have this one."""
    known = type(layer) in _ACTIVATED and layer.activation is None
    return known and activation in layer.activations


def _merge(first: Any, second: Module) -> bool:
    """Make the first layer compute what both did, or say that it cannot."""
    activation = None if getattr(second, "at_zero", 0.0) else _ACTIVATIONS.get(type(second))
    if _takes(first, activation):
        first.activation = activation
        return True
    if type(first) is Conv2d and type(second) is BatchNorm2d and first.activation is None:
        return _fold(first, second)
    return False


def _fold(conv: Conv2d, norm: BatchNorm2d) -> bool:
    """Put a normalisation by constants into the filters and the bias of a convolution."""
    if conv.training or norm.training or norm.running_mean is None or norm.running_var is None:
        return False
    dtype = conv.weight.dtype
    scale = 1.0 / np.sqrt(norm.running_var.astype(np.float64) + norm.eps)
    shift = -norm.running_mean.astype(np.float64)
    if conv.bias is not None:
        shift += conv.bias.numpy()
    if norm.weight is not None:
        scale *= norm.weight.numpy()
    shift *= scale
    if norm.bias is not None:
        shift += norm.bias.numpy()
    trained = [p.requires_grad for p in (conv.bias, norm.bias) if p is not None]
    filters = scale[:, None, None, None] * conv.weight.numpy()
    conv.weight = Parameter(filters.astype(dtype), conv.weight.requires_grad)
    conv.bias = Parameter(shift.astype(dtype), any(trained or [conv.weight.requires_grad]))
    if norm.activation is not None:
        conv.activation = norm.activation
    return True
