"""Batch normalisation: each channel is brought to mean 0 and variance 1, then scaled and shifted.

In training the statistics are those of the batch, and the error signal flows through them too:
what moves a whole channel, or stretches it, changes nothing. In evaluation they are constants.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, cast

import numpy as np

from tinygrad_cnn.device import DEVICES, ArrayDevice
from tinygrad_cnn.elements.activated import RectifiedElement, activated, require_activation
from tinygrad_cnn.elements.activation_rectifiers import ReluElement, relu
from tinygrad_cnn.elements.batch_norm_grad import (
    NORMALISED,
    BatchNormGradAffineElement,
    BatchNormGradElement,
    BatchNormReluGradElement,
)
from tinygrad_cnn.elements.channelwise import ChannelwiseElement
from tinygrad_cnn.elements.reduce import broadcast_to
from tinygrad_cnn.elements.requirements import finite_number, one_float_type, require_variables
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError
from tinygrad_cnn.graph import Shape, is_recomputing, is_recording
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

CONSTANTS = "running statistics are constants; got one that requires a gradient. Use detach()"
LATEX_NORMALISED = r"\frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}"


def unscaled(rule: Rule) -> Rule:
    """Return the rule as it reads where no weight is given."""

    def plain(text: str) -> str:
        return text.replace("{weight} ∘ ", "").replace("{weight} / ", "1 / ")

    signals = {symbol: plain(text) for symbol, text in rule.backward.items()}
    return replace(rule, forward=plain(rule.forward), backward=signals)


class _BatchNorm(ChannelwiseElement):
    """Common part: ε, and vectors with a value for each channel."""

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def options(self) -> dict[str, Any]:
        return {"eps": self.eps}

    def check_channels(self, x: Variable, **vectors: Variable | None) -> None:
        """Refuse what is not (N, C), (N, C, L) or (N, C, H, W) with vectors of C values."""
        given = {name: vector for name, vector in vectors.items() if vector is not None}
        if "weight" not in given:
            self.rule = unscaled(self.rule)
        if not 2 <= len(x.shape) <= 4:
            raise ShapeError(f"{self.name}: x is (N, C), (N, C, L) or (N, C, H, W); got {x.shape}")
        one_float_type(self.name, x, *given.values())
        for name, vector in given.items():
            if vector.shape != x.shape[1:2]:
                raise ShapeError(
                    f"{self.name}: {name} has one value for each channel, ({x.shape[1]},); got "
                    f"{vector.shape} for x {x.shape}"
                )


class BatchNormElement(_BatchNorm, name="batch_norm"):
    """Normalise each channel by the mean and the variance of the batch."""

    rule = Rule(
        ("x", "weight", "bias"),
        ("y", "mean", "variance"),
        "{weight} ∘ " + NORMALISED + " + {bias}",
        {
            "x": "{weight} / √({variance} + ε) ∘ "
            "({δy} - Σ {δy} / m - x̂ ∘ Σ {δy} ∘ x̂ / m), x̂ = " + NORMALISED,
            "weight": "Σ {δy} ∘ " + NORMALISED,
            "bias": "Σ {δy}",
        },
        rf"y = \gamma {LATEX_NORMALISED} + \beta, \quad \mu = \frac{{1}}{{m}} \sum x, \quad"
        r" \sigma^2 = \frac{1}{m} \sum (x - \mu)^2",
        {
            "x": r"\delta(x) = \frac{\gamma}{\sqrt{\sigma^2 + \varepsilon}} \left( \delta(y)"
            r" - \tfrac{1}{m} \sum \delta(y) - \hat{x} \, \tfrac{1}{m} \sum \delta(y) \, \hat{x}"
            rf" \right), \quad \hat{{x}} = {LATEX_NORMALISED}",
            "weight": rf"\nabla \gamma = \sum \delta(y) {LATEX_NORMALISED}",
            "bias": r"\nabla \beta = \sum \delta(y)",
        },
    )
    saves = {
        "x": ("x", "mean", "variance", "weight"),
        "weight": ("x", "mean", "variance"),
        "bias": ("x", "mean", "variance"),
    }
    differentiable: ClassVar[tuple[str, ...] | None] = ("y",)
    operation: ClassVar[str] = "batch_norm_forward"

    def __init__(self, eps: float, running: Sequence[Any] = ()) -> None:
        super().__init__(eps)
        self.running = tuple(each for each in running if each is not None)

    def check(
        self, x: Variable, weight: Variable | None = None, bias: Variable | None = None
    ) -> None:
        self.check_channels(x, weight=weight, bias=bias)
        for statistics in self.running:
            self._check_running(statistics, x.shape[1:2])
        if x.shape[0] * math.prod(x.shape[2:]) < 2:
            raise ShapeError(
                "batch_norm: in training a channel has at least two values, to have a variance; "
                f"got x {x.shape}. Use a larger batch, or eval() to use running statistics"
            )

    def _check_running(self, statistics: Any, channels: Shape) -> None:
        """Refuse what cannot take up the statistics of a batch in place."""
        if not isinstance(statistics, Variable | np.ndarray) or statistics.dtype.kind != "f":
            got = getattr(statistics, "dtype", type(statistics).__name__)
            raise DTypeError(
                f"{self.name}: running statistics are arrays or Tensors of floating-point values, "
                f"which training changes in place; got {got}"
            )
        if isinstance(statistics, Variable) and statistics.requires_grad:
            raise DTypeError(f"{self.name}: {CONSTANTS}")
        if tuple(statistics.shape) != channels:
            raise ShapeError(
                f"{self.name}: running statistics have one value for each channel, {channels}; "
                f"got {tuple(statistics.shape)}"
            )

    def forward(self, x: Any, weight: Any = None, bias: Any = None) -> Any:
        kernel, values = self.device.kernel, self.channels_last(x)
        mean, variance = (self.device.empty(x.shape[1:2], x.dtype) for _ in range(2))
        kernel("batch_norm_statistics", x.dtype).function(values, mean, variance)
        out = self.empty_like(x)
        kernel(self.operation, x.dtype).function(
            values, mean, variance, weight, bias, self.eps, layout.channels_last(out)
        )
        return self.api_view(out, x.shape), mean, variance

    def depends_on_x(self) -> bool:
        """Tell whether mean and variance are more than constants to this walk.

        So they are where the error signal of x is wanted, and where the walk is recorded: then
        the gradient of the weight can be differentiated by x, which they are functions of.
        """
        return self.wanted[0] or (is_recording() and self.inputs[0].requires_grad)

    def backward(self, signal: Variable, *_: Any) -> tuple[Variable | None, ...]:
        want_affine = self.wanted[1:]
        statistics = self.saved("mean"), self.saved("variance")
        if self.depends_on_x():
            given = [self.saved("weight")] if want_affine else []
            all_three = BatchNormGradElement(self.eps)
            return all_three(signal, self.saved("x"), *statistics, *given)[: len(self.wanted)]
        two = BatchNormGradAffineElement(self.eps)
        return None, *two(signal, self.saved("x"), *statistics)[: len(want_affine)]


class BatchNormReluElement(RectifiedElement, BatchNormElement, name="batch_norm_relu"):
    """Normalise each channel by the mean and the variance of the batch, and rectify."""

    rule = activated(BatchNormElement.rule, ReluElement.rule)
    saves = {symbol: (*needed, "a") for symbol, needed in BatchNormElement.saves.items()}
    differentiable = ("a",)
    operation = "batch_norm_relu_forward"

    def backward(self, signal: Variable, *_: Any) -> tuple[Variable | None, ...]:
        want_affine = self.wanted[1:]
        if not self.depends_on_x():
            two: tuple[Variable | None, ...] = super().backward(signal)
            return two
        given = [self.saved("weight")] if want_affine else []
        values = (self.saved(symbol) for symbol in ("a", "x", "mean", "variance"))
        return BatchNormReluGradElement(self.eps)(signal, *values, *given)[: len(self.wanted)]


class BatchNormInferenceElement(_BatchNorm, name="batch_norm_inference"):
    """Normalise each channel by a given mean and variance: a fixed affine map."""

    rule = Rule(
        ("x", "mean", "variance", "weight", "bias"),
        ("y",),
        "{weight} ∘ " + NORMALISED + " + {bias}",
        {
            "x": "{weight} / √({variance} + ε) ∘ {δy}",
            "weight": "Σ {δy} ∘ " + NORMALISED,
            "bias": "Σ {δy}",
        },
        rf"y = \gamma {LATEX_NORMALISED} + \beta",
        {
            "x": r"\delta(x) = \frac{\gamma}{\sqrt{\sigma^2 + \varepsilon}} \delta(y)",
            "weight": rf"\nabla \gamma = \sum \delta(y) {LATEX_NORMALISED}",
            "bias": r"\nabla \beta = \sum \delta(y)",
        },
    )
    saves = {
        "x": ("mean", "variance", "weight"),
        "weight": ("x", "mean", "variance"),
        "bias": ("x", "mean", "variance"),
    }

    def check(
        self,
        x: Variable,
        mean: Variable,
        variance: Variable,
        weight: Variable | None = None,
        bias: Variable | None = None,
    ) -> None:
        self.check_channels(x, mean=mean, variance=variance, weight=weight, bias=bias)
        if mean.requires_grad or variance.requires_grad:
            raise DTypeError(f"{self.name}: {CONSTANTS}")

    def forward(
        self, x: Any, mean: Any, variance: Any, weight: Any = None, bias: Any = None
    ) -> Any:
        out = self.empty_like(x)
        self.device.kernel("batch_norm_forward", x.dtype).function(
            self.channels_last(x),
            mean,
            variance,
            weight,
            bias,
            self.eps,
            layout.channels_last(out),
        )
        return self.api_view(out, x.shape)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_x, _, _, *want_affine = self.wanted
        mean, variance = self.saved("mean"), self.saved("variance")
        to_x, affine = None, (None,) * len(want_affine)
        if want_x:  # the same map of the error signal, about a mean of zero
            given = [self.saved("weight")] if want_affine else []
            centre = broadcast_to(mean.constant(0.0), mean.shape)
            to_x = BatchNormInferenceElement(self.eps)(signal, centre, variance, *given)
        if any(want_affine):
            gradient = BatchNormGradAffineElement(self.eps)
            affine = gradient(signal, self.saved("x"), mean, variance)[: len(want_affine)]
        return to_x, None, None, *affine


# -- functions -----------------------------------------------------------------------


def batch_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    activation: str | None = None,
) -> Any:
    """Bring each channel to mean 0 and variance 1, then scale and shift it.

    Parameters
    ----------
    x : Tensor, shape (N, C), (N, C, L) or (N, C, H, W)
        Values; a channel has m = N, N·L or N·H·W of them.
    running_mean, running_var : ndarray or Tensor, shape (C,), optional
        Averages over batches. In training they are updated in place, where given; in
        evaluation they are what x is normalised by.
    weight, bias : Tensor, shape (C,), optional
        Scale γ and shift β; 1 and 0 by default.
    training : bool
        Normalise by the statistics of the batch.
    momentum : float
        Share of the batch in the new running averages.
    eps : float
        Added to the variance, so that a constant channel has a finite result.
    activation : {None, "relu"}
        What is applied to the result: in training in the same pass over memory, as one element
        with the rule of both.

    Returns
    -------
    Tensor, shape of x

    Raises
    ------
    ShapeError
        If the sizes do not fit, or if a channel has less than two values in training.
    DTypeError
        If the types differ or are not float32 or float64, or running statistics require a
        gradient or cannot be changed in place.
    OptionError
        If running statistics are missing in evaluation, eps is negative, momentum no number, or
        the activation another.

    Notes
    -----
    Algorithm 1 of the paper: ``μ = Σ x / m``, ``σ² = Σ (x - μ)² / m``,
    ``x̂ = (x - μ) / √(σ² + ε)``, ``y = γ x̂ + β``. The error signals are, in training,
    ``δ(x) = γ / √(σ² + ε) · (δ(y) - Σ δ(y) / m - x̂ Σ δ(y) x̂ / m)``, ``∇γ = Σ δ(y) x̂`` and
    ``∇β = Σ δ(y)``; in evaluation ``δ(x) = γ / √(σ² + ε) · δ(y)``.

    The running averages become ``(1 - momentum) · running + momentum · batch``, with the
    unbiased variance σ² · m / (m - 1). While a checkpointed part runs for the second time
    they are left alone.

    References
    ----------
    .. [1] S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by
       reducing internal covariate shift", ICML 2015, section 3, algorithms 1 and 2.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[1.0, 10.0], [3.0, 30.0]])
    >>> tg.functional.batch_norm(x, training=True, eps=0.0).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    """
    require_activation("batch_norm", activation, ("relu",))
    affine = tuple(each for each in (weight, bias) if each is not None)
    require_variables("batch_norm", x, *affine)
    eps = finite_number("batch_norm", "eps", eps, 0.0)
    if weight is None and bias is not None:
        affine = broadcast_to(bias.constant(1.0), bias.shape), bias
    if not training:
        if running_mean is None or running_var is None:
            raise OptionError(
                "batch_norm: in evaluation running_mean and running_var are given; got "
                f"{type(running_mean).__name__} and {type(running_var).__name__}. "
                "Pass training=True to use the statistics of the batch"
            )
        statistics = (_constant(x, each) for each in (running_mean, running_var))
        y = BatchNormInferenceElement(eps)(x, *statistics, *affine)
        return y if activation is None else relu(y)
    momentum = finite_number("batch_norm", "momentum", momentum)
    kind = BatchNormElement if activation is None else BatchNormReluElement
    y, batch_mean, variance = kind(eps, (running_mean, running_var))(x, *affine)
    if not is_recomputing():
        pixels = x.shape[0] * math.prod(x.shape[2:])
        _update(running_mean, batch_mean, momentum, 1.0)
        _update(running_var, variance, momentum, pixels / (pixels - 1))
    return y


def _constant(x: Any, statistics: Any) -> Any:
    """Return running statistics as a constant of the type of x, a copy where they are an array."""
    return statistics if isinstance(statistics, Variable) else x.lift(np.array(statistics, x.dtype))


def _update(running: Any, batch: Any, momentum: float, factor: float) -> None:
    """Move a running average towards a factor times the statistics of a batch, in place."""
    if running is None:
        return
    inside = running._value if isinstance(running, Variable) else running
    cast(ArrayDevice, DEVICES[batch.device]).blend(inside, batch._value, momentum, factor)
    if isinstance(running, Variable):
        running.version.count += 1
