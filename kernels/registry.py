"""From an operation's name to the kernel that computes it.

A kernel is one decorated function::

    @implements("max_pool2d_forward", device="cpu", variant="direct")
    def forward(x, window, out, winners): ...

It takes read-only C-contiguous arrays (4-D activations as (N, H, W, C)), then the geometry,
then the arrays it fills; it writes all of them and returns None. Kernels on device
``scalar`` take and return Python floats.

Which variant runs is the one named by ``with use(max_pool2d_forward="reference")``, else
the first in rank order whose ``supports(geometry, dtype)`` has nothing to object. Timing,
thread count and history never decide.

To add a variant, write such a function in

* a module of ``kernels/<device>/`` that :data:`MODULES` lists for the operation;
* or a new module there, and list it: an operation may stand under several modules, and its
  first look-up loads all of them that the device has;
* or any other place: once the decorator has run, ``use`` can name the variant.
"""

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import MissingKernelError, OptionError

Geometry = tuple[Any, ...] | None  # a Window, or of a convolution the whole layer
Supports = Callable[[Geometry, np.dtype[Any]], str]

# Where each operation lives: the modules of that name in kernels/<device>/, where a device
# need not have them all. They load at the first look-up of one of their operations, so
# nothing is compiled before it is needed.
MODULES: dict[str, tuple[str, ...]] = {
    "conv": (
        "conv2d_forward",
        "conv2d_relu_forward",
        "conv2d_grad_input",
        "conv2d_grad_weight",
        "channel_sum",
    ),
    "im2col": (
        "conv2d_forward",
        "conv2d_relu_forward",
        "conv2d_grad_input",
        "conv2d_grad_weight",
    ),
    "winograd_weight_gradient": ("conv2d_grad_weight",),
    "winograd": ("conv2d_forward", "conv2d_relu_forward", "conv2d_grad_input"),
    "pool_max": ("max_pool2d_forward", "max_pool2d_scatter", "max_pool2d_gather"),
    "pool_places": (
        "max_pool2d_places",
        "max_pool2d_places_grad",
        "max_pool2d_places_gather",
    ),
    "pool_ties": ("max_pool2d_share", "max_pool2d_collect"),
    "pool_mean": ("mean_pool2d_forward", "mean_pool2d_grad_input"),
    "pool_power": ("lp_pool2d_forward", "lp_pool2d_grad_input"),
    "pool_windows": ("windows_forward", "windows_grad_input"),
    "batch_norm": (
        "batch_norm_statistics",
        "batch_norm_forward",
        "batch_norm_grad_sums",
        "batch_norm_grad_input",
        "batch_norm_relu_forward",
        "batch_norm_relu_grad_sums",
        "batch_norm_relu_grad_input",
    ),
    "residual": ("add_relu",),
    "copies": ("join_channels", "slice_channels", "transpose_matrices"),
    "images": ("normalise_images", "crop_images", "cutout_images"),
    "displacements": ("smooth_images", "warp_images"),
    "random_words": ("random_words",),
    "dropout": ("dropout", "dropout_mask"),
    "local_response_norm": ("local_response_norm_forward", "local_response_norm_grad"),
    "affine": (
        "affine_forward",
        "affine_relu_forward",
        "affine_grad_input",
        "affine_grad_weight",
        "matmul",
    ),
    "elementwise": (
        "add",
        "subtract",
        "multiply",
        "divide",
        "power",
        "negative",
        "exp",
        "log",
        "sqrt",
        "sigmoid",
        "sigmoid_grad",
        "tanh",
        "tanh_grad",
        "scaled_tanh",
        "scaled_tanh_grad",
        "relu",
        "relu_grad",
        "relu_grad_at_zero",
        "leaky_relu",
        "leaky_relu_grad",
        "elu",
        "elu_grad",
        "softplus",
        "softplus_slope",
        "hardsigmoid",
        "hardsigmoid_grad",
        "abs",
        "abs_grad",
    ),
    "arithmetic": (
        "add",
        "subtract",
        "multiply",
        "divide",
        "negative",
        "exp",
        "log",
        "sqrt",
        "abs",
        "abs_grad",
    ),
    "rectifiers": (
        "relu",
        "relu_grad",
        "relu_grad_at_zero",
        "leaky_relu",
        "leaky_relu_grad",
        "hardsigmoid",
        "hardsigmoid_grad",
    ),
    "smooth": (
        "sigmoid",
        "sigmoid_grad",
        "tanh",
        "tanh_grad",
        "scaled_tanh",
        "scaled_tanh_grad",
        "elu",
        "elu_grad",
        "softplus",
        "softplus_slope",
    ),
    "distances": ("squared_distances", "squared_distances_grad"),
    "softmax": ("softmax", "log_softmax", "cross_entropy_forward", "cross_entropy_grad"),
    "loss": (
        "nll_loss_forward",
        "nll_loss_grad",
        "multi_margin_loss_forward",
        "multi_margin_loss_grad",
    ),
    "optimiser": (
        "sgd_update",
        "adagrad_update",
        "adadelta_update",
        "rmsprop_update",
        "adam_update",
        "average_update",
    ),
}
_HOMES: dict[str, tuple[str, ...]] = {
    operation: tuple(module for module in MODULES if operation in MODULES[module])
    for names in MODULES.values()
    for operation in names
}

# Folders that may hold kernels for a device, in the order they are read.
_FOLDERS = {"scalar": ("scalar",), "cpu": ("cpu", "reference")}


@dataclass(frozen=True)
class Kernel:
    """One way to compute one operation on one device."""

    operation: str
    device: str
    variant: str
    function: Callable[..., Any]
    rank: int = 0
    supports: Supports = field(default=lambda geometry, dtype: "", repr=False)

    def __call__(self, *arguments: Any) -> Any:
        """Run the kernel."""
        return self.function(*arguments)


_KERNELS: dict[tuple[str, str], dict[str, Kernel]] = {}
_loaded: set[tuple[str, str]] = set()


class _Block(NamedTuple):
    """What the ``with`` blocks around a look-up ask for."""

    chosen: Mapping[str, str] = {}  # operation → variant
    trace: list[Kernel] | None = None  # where looked-up kernels are listed


_block: ContextVar[_Block | None] = ContextVar("what is asked of look-ups", default=None)
_answers: dict[tuple[Any, ...], Kernel] = {}


def implements(
    operation: str,
    *,
    device: str,
    variant: str,
    rank: int = 0,
    supports: Supports | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as a kernel.

    Parameters
    ----------
    operation : str
        One of the names in :data:`MODULES`, or a new one.
    device : {"scalar", "cpu"}
    variant : str
        Name of this way of computing it, unique for operation and device.
    rank : int
        Kernels are tried from the lowest rank up, those of one rank in order of their
        names: it does not matter which was registered first.
    supports : callable, optional
        ``supports(geometry, dtype)`` returns "" or the reason why it cannot serve.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        known = _KERNELS.setdefault((operation, device), {})
        if variant in known:
            raise OptionError(
                f"implements: a variant has one kernel; got a second {variant!r} for "
                f"{operation!r} on {device!r}"
            )
        options = {} if supports is None else {"supports": supports}
        known[variant] = Kernel(operation, device, variant, function, rank, **options)
        _answers.clear()
        return function

    return register


def variants(operation: str, device: str = "cpu") -> tuple[Kernel, ...]:
    """Return all kernels of an operation on a device, in the order they are tried.

    Examples
    --------
    >>> [kernel.variant for kernel in variants("sigmoid")]
    ['direct', 'numpy', 'reference']
    """
    if (operation, device) not in _loaded:
        for folder in _FOLDERS.get(device, ()):
            for module in _HOMES.get(operation, ()):
                name = f"{__package__}.{folder}.{module}"
                if importlib.util.find_spec(name) is not None:
                    importlib.import_module(name)
        _loaded.add((operation, device))
    found = _KERNELS.get((operation, device), {}).values()
    return tuple(sorted(found, key=lambda kernel: (kernel.rank, kernel.variant)))


def lookup(
    operation: str,
    device: str = "cpu",
    dtype: npt.DTypeLike = np.float32,
    geometry: Geometry = None,
) -> Kernel:
    """Return the kernel to run; asking again for the same thing costs one dictionary look-up.

    Raises
    ------
    MissingKernelError
        If there is none; the message lists what exists.
    """
    block = _block.get()
    named = None if block is None else block.chosen.get(operation)
    key = (operation, device, dtype, geometry, named)
    kernel = _answers.get(key)
    if kernel is None:
        dtype = np.dtype(dtype)
        kernel = _answers[key] = _choose(operation, device, dtype, geometry, named)
    if block is not None and block.trace is not None:
        block.trace.append(kernel)
    return kernel


def _choose(
    operation: str,
    device: str,
    dtype: np.dtype[Any],
    geometry: Geometry,
    chosen: str | None,
) -> Kernel:
    candidates = variants(operation, device)
    if not candidates:
        raise MissingKernelError(_nothing_found(operation, device))
    if chosen is not None:
        named = {kernel.variant: kernel for kernel in candidates}
        if chosen not in named:
            raise MissingKernelError(
                f"{operation}: use() names a variant that exists on {device!r}; got "
                f"{chosen!r}, known are {', '.join(named)}"
            )
        kernel = named[chosen]
        if objection := kernel.supports(geometry, dtype):
            raise MissingKernelError(
                f"{operation}: variant {kernel.variant!r} was asked for by name and cannot "
                f"serve here: {objection}; got {dtype} and {geometry}"
            )
        return kernel
    for kernel in candidates:
        if not kernel.supports(geometry, dtype):
            return kernel
    reasons = "; ".join(f"{k.variant}: {k.supports(geometry, dtype)}" for k in candidates)
    raise MissingKernelError(
        f"{operation}: no variant on {device!r} serves {dtype} and {geometry}; {reasons}"
    )


def _known() -> set[str]:
    return {*_HOMES, *(operation for operation, _ in _KERNELS)}


def _nothing_found(operation: str, device: str) -> str:
    if operation not in _known():
        names = ", ".join(sorted(_known()))
        return f"lookup: no operation is called {operation!r}; known are {names}"
    devices = {*_FOLDERS, *(device for _, device in _KERNELS)}
    have = [other for other in sorted(devices) if variants(operation, other)]
    return f"{operation}: no kernel on device {device!r}; it exists on {', '.join(have) or 'none'}"


@contextmanager
def use(**named: str) -> Iterator[None]:
    """Run the named variants inside a ``with`` block.

    What is named for an operation holds for the one that rectifies its result as well, if that
    has a variant of the name and is not named itself.

    Examples
    --------
    >>> with use(sigmoid="reference"):
    ...     lookup("sigmoid").variant
    'reference'
    """
    for operation in named:
        if operation not in _known():
            raise MissingKernelError(_nothing_found(operation, "cpu"))
    block = _block.get() or _Block()
    chosen = {**block.chosen, **_rectifying(named), **named}
    token = _block.set(block._replace(chosen=chosen))
    try:
        yield
    finally:
        _block.reset(token)


def _rectifying(named: Mapping[str, str]) -> dict[str, str]:
    """Return what variants of unfused operations mean for the fused ones."""
    fused = {name.replace("_forward", "_relu_forward"): name for name in named}
    return {
        operation: named[name]
        for operation, name in fused.items()
        if any(kernel.variant == named[name] for kernel in variants(operation))
    }


@contextmanager
def traced() -> Iterator[list[Kernel]]:
    """List the kernels that are looked up inside a ``with`` block, in order.

    Examples
    --------
    >>> with traced() as used:
    ...     kernel = lookup("sigmoid")
    >>> [(kernel.operation, kernel.variant) for kernel in used]
    [('sigmoid', 'direct')]
    """
    used: list[Kernel] = []
    token = _block.set((_block.get() or _Block())._replace(trace=used))
    try:
        yield used
    finally:
        _block.reset(token)


def load_all() -> tuple[Kernel, ...]:
    """Load every module of kernels and return all kernels, for tests and benchmarks."""
    return tuple(
        kernel
        for device in _FOLDERS
        for operation in _HOMES
        for kernel in variants(operation, device)
    )
