"""The lectures' reference network in NumPy, step for step as its MATLAB toolbox computes it.

Written from the published algorithm (R. B. Palm, "Prediction as a candidate for learning deep
hierarchical models of data", Technical University of Denmark, 2012, and the folder CNN of his
DeepLearnToolbox), in its own order of axes: a map is an array (rows, columns, images), a layer a
list of maps. Its one tool is a true convolution along all three axes, computed here by a Fourier
transform, which shares nothing with a sliding window.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def convolve(a: Array, b: Array, shape: str) -> Array:
    """Multiply the spectra: places that overlap, or those where b lies inside a."""
    full = tuple(p + q - 1 for p, q in zip(a.shape, b.shape, strict=True))
    axes = tuple(range(a.ndim))
    spectrum = np.fft.rfftn(a, full, axes) * np.fft.rfftn(b, full, axes)
    result = np.fft.irfftn(spectrum, full, axes)
    if shape == "full":
        return result
    inside = tuple(slice(q - 1, p) for p, q in zip(a.shape, b.shape, strict=True))
    return result[inside]


def rot180(k: Array) -> Array:
    return np.rot90(k, 2)


def flipall(a: Array) -> Array:
    return np.flip(a)


def squash(z: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-z))


def expand(d: Array, scale: int) -> Array:
    return np.kron(d, np.ones((scale, scale, 1)))


@dataclass
class Layer:
    """One layer: 'i' input, 'c' convolution, 's' mean pooling."""

    kind: str
    k: list[list[Array]] = field(default_factory=list)  # by input map, then by output map
    b: list[float] = field(default_factory=list)
    scale: int = 2
    a: list[Array] = field(default_factory=list)
    d: list[Array] = field(default_factory=list)
    dk: list[list[Array]] = field(default_factory=list)
    db: list[float] = field(default_factory=list)


@dataclass
class Network:
    """Layers and a fully connected sigmoid output behind them."""

    layers: list[Layer]
    output_weight: Array  # (classes, features); features run down the columns of each map
    output_bias: Array
    state: dict[str, Any] = field(default_factory=dict)

    def forward(self, images: Array) -> None:
        self.layers[0].a = [images]
        for before, layer in zip(self.layers, self.layers[1:], strict=False):
            if layer.kind == "c":
                layer.a = []
                for j, offset in enumerate(layer.b):
                    z = sum(
                        convolve(a, layer.k[i][j][..., None], "valid")
                        for i, a in enumerate(before.a)
                    )
                    layer.a.append(squash(z + offset))
            else:
                mean = np.full((layer.scale, layer.scale, 1), 1 / layer.scale**2)
                pooled = (convolve(a, mean, "valid") for a in before.a)
                layer.a = [z[:: layer.scale, :: layer.scale] for z in pooled]
        maps = self.layers[-1].a
        count = maps[0].shape[-1]
        self.state["fv"] = np.concatenate([a.reshape(-1, count, order="F") for a in maps])
        z = self.output_weight @ self.state["fv"] + self.output_bias[:, None]
        self.state["o"] = squash(z)

    def backward(self, targets: Array) -> None:
        o, fv = self.state["o"], self.state["fv"]
        count = o.shape[1]
        e = o - targets
        self.state["L"] = 0.5 * np.sum(e**2) / count
        od = e * (o * (1 - o))
        fvd = self.output_weight.T @ od
        self.state |= {"e": e, "od": od, "fvd": fvd}
        last = self.layers[-1]
        rows, columns, _ = last.a[0].shape
        size = rows * columns
        last.d = [
            fvd[size * j : size * (j + 1)].reshape(rows, columns, count, order="F")
            for j in range(len(last.a))
        ]
        for place in range(len(self.layers) - 2, 0, -1):
            layer, after = self.layers[place], self.layers[place + 1]
            if layer.kind == "c":
                layer.d = [
                    a * (1 - a) * expand(d, after.scale) / after.scale**2
                    for a, d in zip(layer.a, after.d, strict=True)
                ]
            else:
                layer.d = [
                    sum(
                        (
                            convolve(d, rot180(k)[..., None], "full")
                            for d, k in zip(after.d, after.k[i], strict=True)
                        ),
                        start=np.zeros(()),
                    )
                    for i in range(len(layer.a))
                ]
        for before, layer in zip(self.layers, self.layers[1:], strict=False):
            if layer.kind == "c":
                layer.dk = [
                    [convolve(flipall(a), d, "valid")[..., 0] / count for d in layer.d]
                    for a in before.a
                ]
                layer.db = [d.sum() / count for d in layer.d]
        self.state["d_weight"] = od @ fv.T / count
        self.state["d_bias"] = od.mean(1)

    def step(self, rate: float) -> None:
        for layer in self.layers:
            for row, gradients in zip(layer.k, layer.dk, strict=True):
                for k, gradient in zip(row, gradients, strict=True):
                    k -= rate * gradient
            layer.b = [b - rate * db for b, db in zip(layer.b, layer.db, strict=True)]
        self.output_weight -= rate * self.state["d_weight"]
        self.output_bias -= rate * self.state["d_bias"]
