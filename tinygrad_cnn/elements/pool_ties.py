"""Maximum pooling whose error signal goes to all winners of a window: a study of sub-gradients.

Where several values are the largest, the maximum has no derivative; any weights that add up
to 1 over the winners are a sub-gradient.
"""

from typing import Any

import numpy as np

from tinygrad_cnn.elements.pool import PoolElement
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class _SharedElement(PoolElement):
    """Common part: among whom and how an error signal is shared."""

    def __init__(self, window: Window, ceil_mode: bool, ties: str) -> None:
        super().__init__(window, ceil_mode)
        self.ties = ties

    def options(self) -> dict[str, Any]:
        return super().options() | {"ties": self.ties}

    def run(self, operation: str, values: Any, x: Any, y: Any, shape: Shape) -> Any:
        out = self.device.empty_activation(shape, values.dtype)
        self.device.kernel(operation, values.dtype, self.window).function(
            *map(layout.channels_last, (values, x, y)),
            self.window,
            self.ties == "split",
            layout.channels_last(out),
        )
        return out


class MaxPool2dSharedElement(_SharedElement, name="max_pool2d_shared"):
    """Keep the largest value under each window; several winners share its error signal."""

    rule = Rule(
        ("x",),
        ("y",),
        "max of {x} over each window",
        {"x": "{δy} shared by the winners of each window, 0 elsewhere"},
        r"y = \max_{k \in \text{window}} x_k",
        {"x": r"\delta(x)_k = \sum_{\text{windows}} s \, \delta(y) \, [x_k = y]"},
    )
    saves = {"x": ("x", "y")}
    called = "max_pool2d"
    convention = (
        "equal values share the error signal, with ties='all' each of them receives all of it; "
        "padding never wins"
    )

    def forward(self, x: Any) -> Any:
        shape = self.pooled(x.shape)
        out = self.device.empty_activation(shape, x.dtype)
        # Who won does not matter here, so it is noted in a byte wherever that is enough.
        small = self.window.kh * self.window.kw <= 256
        winners = self.device.empty_activation(shape, np.dtype(np.uint8 if small else np.intp))
        name = "max_pool2d_places" if small else "max_pool2d_forward"
        self.device.kernel(name, x.dtype, self.window).function(
            layout.channels_last(x),
            self.window,
            False,
            layout.channels_last(out),
            layout.channels_last(winners),
        )
        return out

    def backward(self, signal: Variable) -> Variable:
        element = MaxPool2dSharedGradElement(self.window, False, self.ties)
        return element(signal, self.saved("x"), self.saved("y"))


class MaxPool2dSharedGradElement(_SharedElement, name="max_pool2d_shared_grad"):
    """Send the error signal of each window to all pixels that won it."""

    rule = Rule(
        ("δ", "x", "m"),
        ("y",),
        "{δ} shared by the winners of each window, 0 elsewhere",
        {"δ": "{δy} of the winners, weighted with their shares"},
        r"y_k = \sum_{\text{windows}} s \, \delta \, [x_k = m]",
        {"δ": r"\delta(\delta) = \sum_k s \, \delta(y)_k \, [x_k = m]"},
    )
    saves = {"δ": ("x", "m")}

    def check(self, *_: Variable) -> None:
        """Take what the maximum has been taken of."""

    def forward(self, signal: Any, x: Any, y: Any) -> Any:
        return self.run("max_pool2d_share", signal, x, y, x.shape)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, _, _ = self.wanted  # the shares are constant in x, away from ties
        if not want_signal:
            return None, None, None
        element = MaxPool2dSharedGatherElement(self.window, False, self.ties)
        return element(signal, self.saved("x"), self.saved("m")), None, None


class MaxPool2dSharedGatherElement(_SharedElement, name="max_pool2d_shared_gather"):
    """Add an image up over the winners of another: the adjoint of the adjoint."""

    rule = Rule(
        ("v", "x", "m"),
        ("y",),
        "Σ {v} over the winners of each window, weighted with their shares",
        {"v": "{δy} shared by the winners of each window, 0 elsewhere"},
        r"y = \sum_k s \, v_k \, [x_k = m]",
        {"v": r"\delta(v)_k = \sum_{\text{windows}} s \, \delta(y) \, [x_k = m]"},
    )
    saves = {"v": ("x", "m")}

    def check(self, *_: Variable) -> None:
        """Take what the maximum has been taken of."""

    def forward(self, signal: Any, x: Any, y: Any) -> Any:
        return self.run("max_pool2d_collect", signal, x, y, y.shape)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_values, _, _ = self.wanted
        if not want_values:
            return None, None, None
        element = MaxPool2dSharedGradElement(self.window, False, self.ties)
        return element(signal, self.saved("x"), self.saved("m")), None, None
