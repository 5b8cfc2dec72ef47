"""The error signals of batch normalisation, and their own derivatives."""

from typing import Any

from tinygrad_cnn.elements.activation_rectifiers import ReluGradElement
from tinygrad_cnn.elements.arithmetic import add, divide, multiply, negative, subtract
from tinygrad_cnn.elements.channelwise import ChannelwiseElement
from tinygrad_cnn.elements.powers import sqrt
from tinygrad_cnn.elements.reduce import broadcast_to, mean, sum
from tinygrad_cnn.elements.shape import reshape
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable

NORMALISED = "({x} - {mean}) / √({variance} + ε)"


def _behind_rectifier(rule: Rule) -> Rule:
    """Return the rule of an error signal that counts where a further input a is positive."""

    def counted(text: str) -> str:
        return text.replace("{δ}", "({δ} ∘ [{a} > 0])")

    where = r", \quad \delta = \delta(a) \circ [a > 0]"
    backward = {symbol: counted(text) for symbol, text in rule.backward.items()}
    backward["δ"] = f"({backward['δ']}) ∘ [{{a}} > 0]"
    latex = {symbol: text + where for symbol, text in rule.latex_backward.items()}
    latex["δ"] = rule.latex_backward["δ"] + r", \quad \text{where } a > 0"
    first, *others = rule.inputs
    return Rule(
        (first, "a", *others),
        rule.outputs,
        counted(rule.forward),
        backward,
        rule.latex + where,
        latex,
    )


class BatchNormGradElement(ChannelwiseElement, name="batch_norm_grad"):
    """Error signals of values, scale and shift at once: they share their sums over pixels."""

    rule = Rule(
        ("δ", "x", "mean", "variance", "weight"),
        ("y", "weight_grad", "bias_grad"),
        "{weight} / √({variance} + ε) ∘ ({δ} - Σ {δ} / m - x̂ ∘ Σ {δ} ∘ x̂ / m), x̂ = " + NORMALISED,
        {
            "δ": "{weight} / √({variance} + ε) ∘ ({δy} - Σ {δy} / m - x̂ ∘ Σ {δy} ∘ x̂ / m)"
            " + {δweight_grad} ∘ x̂ + {δbias_grad}",
            "x": "({δweight_grad} ∘ P({δ}) - {weight} ∘ x̂ ∘ Σ {δy} ∘ P({δ}) / m / √({variance} + ε)"
            " - {weight} ∘ (P({δ}) ∘ Σ {δy} ∘ x̂ / m + P({δy}) ∘ Σ {δ} ∘ x̂ / m)"
            " / √({variance} + ε)) / √({variance} + ε), P(u) = u - Σ u / m - x̂ ∘ Σ u ∘ x̂ / m",
            "weight": "Σ {δy} ∘ ({δ} - Σ {δ} / m - x̂ ∘ Σ {δ} ∘ x̂ / m) / √({variance} + ε)",
        },
        r"y = \gamma s P(\delta), \quad P(u) = u - \tfrac{1}{m} \sum u"
        r" - \hat{x} \, \tfrac{1}{m} \sum u \hat{x}, \quad s = 1 / \sqrt{\sigma^2 + \varepsilon}",
        {
            "δ": r"\delta(\delta) = \gamma s P(\delta(y)) + \delta(\nabla\gamma) \, \hat{x}"
            r" + \delta(\nabla\beta)",
            "x": r"\delta(x) = s \, \delta(\nabla\gamma) P(\delta) - \gamma s^2 \left("
            r" \hat{x} \, \tfrac{1}{m} \sum \delta(y) P(\delta)"
            r" + P(\delta) \tfrac{1}{m} \sum \delta(y) \hat{x}"
            r" + P(\delta(y)) \tfrac{1}{m} \sum \delta \hat{x} \right)",
            "weight": r"\nabla \gamma = \sum \delta(y) \, s P(\delta)",
        },
    )
    saves = {"δ": ("x", "weight"), "x": ("δ", "x", "weight"), "weight": ("δ", "x")}

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def options(self) -> dict[str, Any]:
        return {"eps": self.eps}

    def forward(self, signal: Any, x: Any, mean: Any, variance: Any, weight: Any = None) -> Any:
        signals = (self.channels_last(signal),)
        return self.gradients("batch_norm", signals, x, mean, variance, weight)

    def gradients(
        self, family: str, signals: tuple[Any, ...], x: Any, mean: Any, variance: Any, weight: Any
    ) -> Any:
        """Run the two kernels of a family; `signals` are δ and what says where it counts."""
        kernel, values = self.device.kernel, self.channels_last(x)
        to_weight, to_bias = (self.device.empty(mean.shape, x.dtype) for _ in range(2))
        kernel(f"{family}_grad_sums", x.dtype).function(
            *signals, values, mean, variance, self.eps, to_weight, to_bias
        )
        out = self.empty_like(x)
        kernel(f"{family}_grad_input", x.dtype).function(
            *signals,
            values,
            mean,
            variance,
            weight,
            to_weight,
            to_bias,
            self.eps,
            layout.channels_last(out),
        )
        return self.api_view(out, x.shape), to_weight, to_bias

    def backward(
        self, signal: Variable | None, weight_signal: Variable | None, bias_signal: Variable | None
    ) -> tuple[Variable | None, ...]:
        want_delta, want_x, _, _, *want_weight = self.wanted
        to_delta, to_x, *to_weight = self.second_derivatives(
            (want_delta, want_x, *want_weight), signal, weight_signal, bias_signal
        )
        return to_delta, to_x, None, None, *to_weight

    def delta(self) -> Variable:
        """Return the error signal that this element has brought back to x."""
        delta: Variable = self.saved("δ")
        return delta

    def second_derivatives(
        self,
        wanted: tuple[bool, ...],
        signal: Variable | None,
        weight_signal: Variable | None,
        bias_signal: Variable | None,
    ) -> tuple[Variable | None, ...]:
        """Return the error signals of δ, x and, where it is given, weight."""
        # The statistics are functions of x here: so they are computed again, as elements.
        want_delta, want_x, *want_weight = wanted
        x, weight = self.saved("x"), self.saved("weight") if "weight" in self._saved else None
        pixels = _Pixels(x, self.eps)
        to_delta = to_x = to_weight = None
        if want_delta:
            parts = []
            if signal is not None:
                parts.append(pixels.scaled(pixels.projected(signal), weight))
            if weight_signal is not None:
                parts.append(multiply(pixels.normalised, pixels.row(weight_signal)))
            if bias_signal is not None:
                parts.append(broadcast_to(pixels.row(bias_signal), x.shape))
            to_delta = _total(parts)
        if want_x:
            to_x = self._second_derivative(pixels, weight, signal, weight_signal)
        if any(want_weight) and signal is not None:
            product = multiply(signal, pixels.scaled(pixels.projected(self.delta()), None))
            to_weight = sum(product, pixels.axes)
        return to_delta, to_x, *(to_weight for _ in want_weight)

    def _second_derivative(
        self,
        pixels: "_Pixels",
        weight: Any,
        signal: Variable | None,
        weight_signal: Variable | None,
    ) -> Any:
        delta = self.delta()
        projected, parts = pixels.projected(delta), []
        if weight_signal is not None:
            parts.append(pixels.scaled(multiply(projected, pixels.row(weight_signal)), None))
        if signal is not None:
            normalised = pixels.normalised
            through = _total(
                [
                    multiply(normalised, pixels.mean(multiply(signal, projected))),
                    multiply(projected, pixels.mean(multiply(signal, normalised))),
                    multiply(pixels.projected(signal), pixels.mean(multiply(delta, normalised))),
                ]
            )
            parts.append(negative(pixels.scaled(pixels.scaled(through, None), weight)))
        return _total(parts)


class BatchNormReluGradElement(BatchNormGradElement, name="batch_norm_relu_grad"):
    """The same behind a rectifier: δ counts where its output a is positive."""

    rule = _behind_rectifier(BatchNormGradElement.rule)
    saves = {"δ": ("a", "x", "weight"), "x": ("δ", "a", "x", "weight"), "weight": ("δ", "a", "x")}

    def forward(  # type: ignore[override]  # there is one more input
        self, signal: Any, a: Any, x: Any, mean: Any, variance: Any, weight: Any = None
    ) -> Any:
        signals = self.channels_last(signal), self.channels_last(a)
        return self.gradients("batch_norm_relu", signals, x, mean, variance, weight)

    def delta(self) -> Variable:
        return ReluGradElement()(self.saved("δ"), self.saved("a"))

    def backward(self, *signals: Variable | None) -> tuple[Variable | None, ...]:
        want_delta, _, want_x, _, _, *want_weight = self.wanted
        to_delta, to_x, *to_weight = self.second_derivatives(
            (want_delta, want_x, *want_weight), *signals
        )
        if to_delta is not None:
            to_delta = ReluGradElement()(to_delta, self.saved("a"))
        return to_delta, None, to_x, None, None, *to_weight


class BatchNormGradAffineElement(ChannelwiseElement, name="batch_norm_grad_affine"):
    """Error signals of scale and shift alone; the statistics are constants."""

    rule = Rule(
        ("δ", "x", "mean", "variance"),
        ("weight_grad", "bias_grad"),
        "Σ {δ} ∘ " + NORMALISED,
        {
            "δ": "{δweight_grad} ∘ " + NORMALISED + " + {δbias_grad}",
            "x": "{δweight_grad} ∘ {δ} / √({variance} + ε)",
        },
        r"\nabla \gamma = \sum \delta \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \quad"
        r" \nabla \beta = \sum \delta",
        {
            "δ": r"\delta(\delta) = \delta(\nabla\gamma)"
            r" \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \delta(\nabla\beta)",
            "x": r"\delta(x) = \delta(\nabla\gamma) \frac{\delta}{\sqrt{\sigma^2 + \varepsilon}}",
        },
    )
    saves = {"δ": ("x", "mean", "variance"), "x": ("δ", "variance")}

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def options(self) -> dict[str, Any]:
        return {"eps": self.eps}

    def forward(self, signal: Any, x: Any, mean: Any, variance: Any) -> Any:
        to_weight, to_bias = (self.device.empty(mean.shape, x.dtype) for _ in range(2))
        self.device.kernel("batch_norm_grad_sums", x.dtype).function(
            self.channels_last(signal),
            self.channels_last(x),
            mean,
            variance,
            self.eps,
            to_weight,
            to_bias,
        )
        return to_weight, to_bias

    def backward(
        self, weight_signal: Variable | None, bias_signal: Variable | None
    ) -> tuple[Variable | None, ...]:
        want_delta, want_x, _, _ = self.wanted
        shape = self.inputs[1].shape
        row = (1, shape[1], *(1,) * (len(shape) - 2))
        variance: Any = self.saved("variance")
        deviation = reshape(sqrt(variance + self.eps), row)
        to_delta = to_x = None
        if want_delta:
            parts = []
            if weight_signal is not None:
                centred = subtract(self.saved("x"), reshape(self.saved("mean"), row))
                parts.append(divide(multiply(reshape(weight_signal, row), centred), deviation))
            if bias_signal is not None:
                parts.append(broadcast_to(reshape(bias_signal, row), shape))
            to_delta = _total(parts)
        if want_x and weight_signal is not None:
            to_x = divide(multiply(reshape(weight_signal, row), self.saved("δ")), deviation)
        return to_delta, to_x, None, None


class _Pixels:
    """The values of a batch, normalised by elements: for derivatives of the derivative."""

    def __init__(self, x: Any, eps: float) -> None:
        self.axes = (0, *range(2, len(x.shape)))
        self.shape = (1, x.shape[1], *(1,) * (len(x.shape) - 2))
        centred = subtract(x, self.mean(x))
        variance = self.mean(multiply(centred, centred))
        self.deviation = sqrt(add(variance, variance.constant(eps)))
        self.normalised = divide(centred, self.deviation)

    def mean(self, values: Any) -> Any:
        return mean(values, self.axes, keepdim=True)

    def row(self, channels: Any) -> Any:
        """Return (C,) in a shape that repeats for every pixel."""
        return reshape(channels, self.shape)

    def projected(self, values: Any) -> Any:
        """Return what is left of values without their mean and their part along x̂."""
        along = multiply(self.normalised, self.mean(multiply(values, self.normalised)))
        return subtract(subtract(values, self.mean(values)), along)

    def scaled(self, values: Any, weight: Any) -> Any:
        """Return weight · values / √(variance + ε)."""
        inverse = divide(values, self.deviation)
        return inverse if weight is None else multiply(inverse, self.row(weight))


def _total(parts: list[Any]) -> Any:
    """Add up what there is; None for nothing."""
    total = None
    for part in parts:
        total = part if total is None else add(total, part)
    return total
