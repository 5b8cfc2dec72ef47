"""Random small networks, to try a diagnosis on: no two have the same layers, sizes or options."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.tensor import Tensor

__all__ = ["RandomNet"]

Layer = Callable[[Any], Any]

ACTIVATIONS: dict[str, Layer] = {"relu": F.relu, "tanh": F.tanh, "sigmoid": F.sigmoid}
POOLS = ("max_pool2d", "avg_pool2d", "none")
HEADS = ("cross_entropy", "nll_loss", "softmax and squared_error", "mse_loss")
CLASSES = 4


@dataclass
class _Drawn:
    """What the layers are drawn with."""

    generator: np.random.Generator
    dtype: str
    parameters: list[Tensor]

    def parameter(self, *shape: int, centre: float = 0.0) -> Tensor:
        fan_in = max(1, int(np.prod(shape[1:])))
        values = self.generator.normal(size=shape) * (1.5 / fan_in**0.5) + centre
        name = f"p{len(self.parameters)}"
        one = Tensor(values, dtype=self.dtype, requires_grad=True, name=name)
        self.parameters.append(one)
        return one

    def one_of(self, *choices: Any) -> Any:
        return choices[int(self.generator.integers(len(choices)))]

    def chance(self, share: float) -> bool:
        return bool(self.generator.random() < share)


class RandomNet:
    """A network with random layers on random images; calling it computes the loss.

    Parameters
    ----------
    seed : int
        Draws everything.
    needs : iterable of str
        Names of elements, one of which it has to have: "conv2d", "max_pool2d", "dropout" ...

    Attributes
    ----------
    parameters : list of Tensor
    description : str

    Examples
    --------
    >>> net = RandomNet(0, ["max_pool2d"])
    >>> net().shape, "max_pool2d" in net.description
    ((), True)
    """

    def __init__(self, seed: int, needs: Iterable[str] = ()) -> None:
        drawn = _Drawn(np.random.default_rng(seed), "", [])
        drawn.dtype = drawn.one_of("float32", "float64")
        needed = drawn.one_of(*needs) if (needs := tuple(needs)) else ""
        self._mask_seed = seed
        self._layers: list[Layer] = []
        self._words: list[str] = [drawn.dtype]
        batch, channels = drawn.one_of(2, 3, 5), drawn.one_of(2, 4)
        size = (drawn.one_of(7, 8, 9, 10), drawn.one_of(7, 8, 9, 10))
        self._images = Tensor(
            drawn.generator.normal(size=(batch, channels, *size)), dtype=drawn.dtype,
            requires_grad=drawn.chance(0.5), name="images",
        )  # fmt: skip
        rows = needed == "conv1d"
        blocks = drawn.one_of(1, 2, 3)
        first = int(drawn.generator.integers(blocks))  # where what is needed stands
        for block in range(blocks):
            channels = self._block(drawn, channels, needed if block == first else "")
        if rows:
            channels = self._rows(drawn, channels)
        self._head(drawn, needed, batch)
        self.parameters = drawn.parameters

    @property
    def description(self) -> str:
        """The layers, one behind the other."""
        return ", ".join(self._words)

    def __call__(self) -> Any:
        """Run forward; the masks of dropout are the same each time."""
        self._generator = np.random.default_rng(self._mask_seed)
        x: Any = self._images
        for layer in self._layers:
            x = layer(x)
        return x

    # -- layers --------------------------------------------------------------------------

    def _add(self, word: str, layer: Layer) -> None:
        self._words.append(word)
        self._layers.append(layer)

    def _block(self, drawn: _Drawn, channels: int, needed: str) -> int:
        """Add a convolution and what stands behind it; return its channels."""
        out, groups = drawn.one_of(2, 4, 6), drawn.one_of(1, 1, 2)
        kernel, stride, dilation = drawn.one_of(1, 2, 3, 3), drawn.one_of(1, 1, 2), 1
        if kernel < 3 and drawn.chance(0.3):
            dilation = 2
        padding = drawn.one_of(0, 1, 2)
        weight = drawn.parameter(out, channels // groups, kernel, kernel)
        bias = drawn.parameter(out) if drawn.chance(0.7) else None
        name = needed if needed in ACTIVATIONS else drawn.one_of(*ACTIVATIONS)
        normalised = needed == "batch_norm" or drawn.chance(0.3)
        fused = name if not normalised and drawn.chance(0.4) else None
        padding = max(padding, 1 if kernel > 2 else 0)

        def convolution(x: Any) -> Any:
            pads = max(padding, _short(x.shape, dilation * (kernel - 1) + 1))
            options = (stride, pads, dilation, groups)
            return F.conv2d(x, weight, bias, *options, activation=fused)

        self._add(f"conv2d {kernel}x{kernel}/{stride} g{groups} d{dilation} p{padding}"
                  + (f" with {fused}" if fused else ""), convolution)  # fmt: skip
        if normalised:
            scale, shift = drawn.parameter(out, centre=1.0), drawn.parameter(out)
            with_relu = (
                "relu" if name == "relu" and needed != "relu" and drawn.chance(0.4) else None
            )
            self._add("batch_norm" + (" with relu" if with_relu else ""),
                      lambda x: F.batch_norm(x, None, None, scale, shift, training=True,
                                             activation=with_relu))  # fmt: skip
            if with_relu:
                name = ""
        if not fused and name:
            self._add(name, ACTIVATIONS[name])
        if needed.startswith("values") or drawn.chance(0.3):
            self._residual(drawn, out)
        pool = needed if needed in POOLS else drawn.one_of(*POOLS)
        if pool != "none":
            self._pool(drawn, pool)
        return int(out)

    def _residual(self, drawn: _Drawn, channels: int) -> None:
        weight = drawn.parameter(channels, channels, 3, 3)
        self._add("residual", lambda x: x + F.tanh(F.conv2d(x, weight, None, 1, 1)))

    def _pool(self, drawn: _Drawn, name: str) -> None:
        kernel, stride = drawn.one_of(2, 3), drawn.one_of(1, 2)
        pool: Any = F.max_pool2d if name == "max_pool2d" else F.avg_pool2d

        def pooling(x: Any) -> Any:
            pads = 1 if min(x.shape[2:]) < kernel else 0
            return x if min(x.shape[2:]) + 2 * pads < kernel else pool(x, kernel, stride, pads)

        self._add(f"{name} {kernel}/{stride}", pooling)

    def _rows(self, drawn: _Drawn, channels: int) -> int:
        weight = drawn.parameter(3, channels, 3)
        stride = drawn.one_of(1, 2)
        self._add("conv1d", lambda x: F.conv1d(
            x.reshape(x.shape[0], x.shape[1], -1), weight, None, stride, 2))  # fmt: skip
        return 3

    def _head(self, drawn: _Drawn, needed: str, batch: int) -> None:
        mean = needed == "global_avg_pool2d" or (needed != "conv1d" and drawn.chance(0.3))
        grid = needed == "adaptive_avg_pool2d"
        if grid:
            self._add("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, 2))
        elif mean:
            self._add("global_avg_pool2d", F.global_avg_pool2d)
        self._add("flatten", lambda x: x.reshape(x.shape[0], -1))
        if needed == "dropout" or drawn.chance(0.2):
            share = drawn.one_of(0.2, 0.4, 0.5)
            self._add("dropout", lambda x: F.dropout(x, share, generator=self._generator))
        features = int(_shape_after(self)[1])
        hidden = drawn.one_of(3, 5, 6)
        name = needed if needed in ACTIVATIONS else drawn.one_of(*ACTIVATIONS)
        weight, bias = drawn.parameter(hidden, features), drawn.parameter(hidden)
        self._add("affine", lambda x: F.linear(x, weight, bias))
        self._add(name, ACTIVATIONS[name])
        last, last_bias = drawn.parameter(CLASSES, hidden), drawn.parameter(CLASSES)
        self._add("affine", lambda x: F.linear(x, last, last_bias))
        self._loss(drawn, needed, batch)

    def _loss(self, drawn: _Drawn, needed: str, batch: int) -> None:
        head = next((each for each in HEADS if needed and needed in each), drawn.one_of(*HEADS))
        labels = drawn.generator.integers(0, CLASSES, batch)
        targets = Tensor(np.eye(CLASSES)[labels], dtype=drawn.dtype)
        losses: dict[str, Layer] = {
            "cross_entropy": lambda x: F.cross_entropy(x, labels),
            "nll_loss": lambda x: F.nll_loss(F.log_softmax(x), labels),
            "softmax and squared_error": lambda x: F.squared_error(F.softmax(x), targets, "mean"),
            "mse_loss": lambda x: F.mse_loss(x, targets),
        }
        self._add(head, losses[head])


def _short(shape: tuple[int, ...], span: int) -> int:
    """Return how much padding a window needs to fit at least."""
    return max(0, -(-(span - min(shape[2:])) // 2))


def _shape_after(net: RandomNet) -> tuple[int, ...]:
    shape: tuple[int, ...] = net().shape
    return shape
