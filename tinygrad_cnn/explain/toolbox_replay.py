"""Three columns: the chain rule, the lectures' reference code, and what it becomes here.

R. B. Palm's DeepLearnToolbox [1]_ computes with MATLAB's ``convn``, a *true* convolution in as
many axes as its arguments have: it flips its second argument along all of them. Everything that
puzzles its readers follows from that: where the chain rule asks for a correlation, something
has to be flipped first, so that ``convn`` flips it back.

:func:`toolbox_replay` runs one convolution layer with its neighbours in all three ways, on the
same numbers, and :func:`print` shows them side by side, with what comes out where a flip is
forgotten.

.. [1] R. B. Palm, "Prediction as a candidate for learning deep hierarchical models of data",
   master's thesis, Technical University of Denmark, 2012; folder CNN of its toolbox.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError, OptionError
from tinygrad_cnn.explain.recording import record
from tinygrad_cnn.explain.rendering.notebook import Printed
from tinygrad_cnn.explain.rendering.text_table import text_table
from tinygrad_cnn.tensor import Tensor

__all__ = ["ReplayRow", "Slip", "ToolboxReplay", "convn", "toolbox_replay"]

Array = npt.NDArray[np.float64]

WHY = """\
rot180: x_r meets w_(i+K-1-r) on its way to z_i, so δ(x)_r = Σ_i δ(z)_i w_(i+K-1-r). There i and
  the place in w grow together, a correlation; convn flips k, so rot180 flips it before.
'full': a pixel at the border lies under fewer weights, and δ(z) is smaller than x: the sum runs
  over all places where they overlap. 'valid': forward, and in ∇w, where one lies in the other.
flipall: convn(flipall(a), d)_u = Σ_i a_(i+K-1-u) d_i, as ∇w_u asks. Images are an axis as rows
  are: convn flips d along them too; with a flipped as well, image n of a meets image n of d.
  (With one image in a batch rot180 does as well, and nobody notices.)
/batch: there it stands in each gradient, and d is N times δ; here in the loss, once for all.
a.*(1-a): there it is part of the step back through pooling, so that each convolution must be
  followed by pooling; here each element has its own backward, whatever stands beside it."""


class ReplayRow(NamedTuple):
    """One quantity in three ways."""

    quantity: str
    chain_rule: str
    toolbox: str
    here: str
    values: tuple[Array, Array, Array]  # of the three columns, as images (N, C, H, W) or alike

    @property
    def apart(self) -> float:
        """The largest difference between two columns, relative to the largest element."""
        rule, toolbox, here = self.values
        scale = float(np.abs(rule).max()) or 1.0
        return max(float(np.abs(other - rule).max()) / scale for other in (toolbox, here))


class Slip(NamedTuple):
    """What comes out where one flip, or one word, of the reference code is forgotten."""

    written: str
    instead_of: str
    shape: tuple[int, ...]
    right_shape: tuple[int, ...]
    apart: float | None  # from what is right, relative to its largest element; None: other shape


@dataclass(frozen=True)
class ToolboxReplay(Printed):
    """What :func:`toolbox_replay` computed; ``print`` shows the columns."""

    rows: tuple[ReplayRow, ...]
    slips: tuple[Slip, ...]

    def __str__(self) -> str:
        table = [("", "chain rule", "DeepLearnToolbox", "here", "apart")]
        table += [(*row[:4], f"{row.apart:.0e}" if row.apart else "0") for row in self.rows]
        slips = [("written", "instead of", "and what comes of it")]
        for slip in self.slips:
            shape, right = ("x".join(map(str, each)) for each in (slip.shape, slip.right_shape))
            wrong = f"shape {shape}, not {right}"
            if slip.apart is not None:
                wrong = f"right shape, wrong by {slip.apart:.0%} of the largest element"
            slips.append((slip.written, slip.instead_of, wrong))
        return "\n".join(
            [
                "one layer in three ways, on the same numbers",
                *text_table(table),
                "",
                WHY,
                "",
                "what a slip does",
                *text_table(slips),
            ]
        )


def convn(a: Array, b: Array, shape: str = "full") -> Array:
    """Convolve along all axes, as MATLAB's function of that name: `b` is flipped along each.

    Parameters
    ----------
    a, b : ndarray, with as many axes
    shape : {"full", "valid"}
        All places where they overlap, or those where `b` lies inside `a`.

    Returns
    -------
    ndarray
        Along an axis of sizes S and T: S + T - 1, or S - T + 1.

    Raises
    ------
    OptionError
        If the shape is another word.

    Examples
    --------
    >>> convn(np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0]))
    array([ 1., 12., 23., 30.])
    >>> convn(np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0]), "valid")
    array([12., 23.])
    """
    if shape not in ("full", "valid"):
        raise OptionError(f"convn: shape is one of full, valid; got {shape!r}")
    if shape == "full":
        a = np.pad(a, [(size - 1, size - 1) for size in b.shape])
    windows = np.lib.stride_tricks.sliding_window_view(a, b.shape)
    axes = tuple(range(-b.ndim, 0))
    return np.asarray((windows * np.flip(b)).sum(axes), np.float64)


def toolbox_replay(generator: np.random.Generator | None = None) -> ToolboxReplay:
    """Run a convolution layer between two others in three ways, and compare all they compute.

    A layer of three filters 3x3 on two maps of 6x6, sigmoid, mean pooling over 2x2, a fully
    connected sigmoid output, ½ Σ e² / N; four images.

    Parameters
    ----------
    generator : numpy.random.Generator, optional
        Draws images, filters and targets; by default one with a fixed seed.

    Returns
    -------
    ToolboxReplay

    Raises
    ------
    DTypeError
        If it is another generator.

    Examples
    --------
    >>> replay = toolbox_replay()
    >>> max(row.apart for row in replay.rows) < 1e-13
    True
    >>> print(str(replay).splitlines()[2])  # doctest: +ELLIPSIS
      z       Σ_c,u,v w_uv x_(i+2-u, j+2-v) + b  Σ_c convn(a, k, 'valid') + b ...
    """
    if generator is not None and not isinstance(generator, np.random.Generator):
        raise DTypeError(
            "toolbox_replay: numbers are drawn by a numpy.random.Generator; got "
            f"{type(generator).__name__}. Pass np.random.default_rng(seed)"
        )
    drawn = generator or np.random.default_rng(0)
    images, weight = drawn.normal(size=(4, 2, 6, 6)), drawn.normal(size=(3, 2, 3, 3))
    bias, matrix = drawn.normal(size=3), drawn.normal(size=(5, 12))
    offset, target = drawn.normal(size=5), drawn.uniform(size=(4, 5))
    given = (images, weight, bias, matrix, offset, target)
    right, toolbox, here = _by_the_chain_rule(*given), _by_the_toolbox(*given), _here(*given)
    rows = tuple(
        ReplayRow(name, *formulas, (right[name], toolbox[name], here[name]))
        for name, formulas in FORMULAS.items()
    )
    return ToolboxReplay(rows, tuple(_slips(images, weight, right["δ(z)"] * len(images), right)))


# Rows of the table: of each quantity the three formulas.
FORMULAS: dict[str, tuple[str, str, str]] = {
    "z": (
        "Σ_c,u,v w_uv x_(i+2-u, j+2-v) + b",
        "Σ_c convn(a, k, 'valid') + b",
        "conv2d(x, w, b, flip=True)",
    ),
    "a": ("1 / (1 + exp(-z))", "sigm(z)", "sigmoid(z)"),
    "pooled": (
        "Σ a / 4 over 2x2",
        "convn(a, ones(2)/4, 'valid')(1:2:end, 1:2:end)",
        "avg_pool2d(a, 2)",
    ),
    "o": ("sigmoid(W f + c)", "sigm(ffW * fv + ffb)", "sigmoid(affine(flatten(p), W, c))"),
    "J": ("½ Σ (o - y)² / N", "1/2 * sum(e(:).^2) / N", "squared_error(o, y, 'mean')"),
    "δ(Wf)": ("(o - y) o (1 - o) / N", "e .* (o .* (1 - o))", "sigmoid_grad"),
    "δ(f)": ("Wᵀ δ(Wf)", "ffW' * od", "affine_grad_input"),
    "δ(z)": (
        "δ(pooled) / 4 · a (1 - a)",
        "a .* (1 - a) .* expand(d, [2 2 1]) / 4",
        "avg_pool2d_grad, sigmoid_grad",
    ),
    "δ(x)": (
        "Σ_o,i,j δ(z)_ij w_(i+2-r, j+2-q)",
        "Σ_o convn(d, rot180(k), 'full')",
        "conv2d(δ(z), w, padding=2), o and c swapped",
    ),
    "∇w": (
        "Σ_n,i,j δ(z)_ij x_(i+2-u, j+2-v)",
        "convn(flipall(a), d, 'valid') / N",
        "Σ_n x ⋆ δ(z), turned by 180°",
    ),
    "∇b": ("Σ_n,i,j δ(z)_ij", "sum(d(:)) / N", "channel_sum(δ(z))"),
    "∇W": ("Σ_n δ(Wf) fᵀ", "od * fv' / N", "affine_grad_weight"),
}
Values = dict[str, Array]


def _sigmoid(z: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-z)), np.float64)


def _by_the_chain_rule(
    x: Array, w: Array, b: Array, matrix: Array, offset: Array, y: Array
) -> Values:
    """Compute every quantity as its definition says, index by index."""
    count = len(x)
    z = np.zeros((count, len(w), 4, 4))
    for n, o, i, j in np.ndindex(z.shape):
        z[n, o, i, j] = b[o]
        for c, u, v in np.ndindex(w.shape[1:]):
            z[n, o, i, j] += w[o, c, u, v] * x[n, c, i + 2 - u, j + 2 - v]
    a = _sigmoid(z)
    pooled = np.zeros((count, len(w), 2, 2))
    for n, o, i, j in np.ndindex(a.shape):
        pooled[n, o, i // 2, j // 2] += a[n, o, i, j] / 4
    f = pooled.reshape(count, -1)
    out = _sigmoid(f @ matrix.T + offset)
    to_sum = (out - y) * out * (1 - out) / count
    to_f = to_sum @ matrix
    to_pooled = to_f.reshape(pooled.shape)
    to_z, to_x, to_w = np.zeros(z.shape), np.zeros(x.shape), np.zeros(w.shape)
    for n, o, i, j in np.ndindex(z.shape):
        slope = a[n, o, i, j] * (1 - a[n, o, i, j])
        to_z[n, o, i, j] = to_pooled[n, o, i // 2, j // 2] / 4 * slope
        for c, u, v in np.ndindex(w.shape[1:]):
            to_x[n, c, i + 2 - u, j + 2 - v] += to_z[n, o, i, j] * w[o, c, u, v]
            to_w[o, c, u, v] += to_z[n, o, i, j] * x[n, c, i + 2 - u, j + 2 - v]
    cost = np.array(0.5 * np.square(out - y).sum() / count)
    values = (z, a, pooled, out, cost, to_sum, to_f, to_z, to_x, to_w, to_z.sum((0, 2, 3)))
    return dict(zip(FORMULAS, (*values, to_sum.T @ f), strict=True))


def _by_the_toolbox(x: Array, w: Array, b: Array, matrix: Array, offset: Array, y: Array) -> Values:
    """Compute as the reference code does: one array (rows, columns, images) for each map."""
    count, maps, outputs = len(x), range(x.shape[1]), range(len(w))
    a_in, k = np.moveaxis(x, 0, -1), w[..., None]  # a filter has one "image"
    z = [sum(convn(a_in[c], k[o, c], "valid") for c in maps) + b[o] for o in outputs]
    a = [_sigmoid(each) for each in z]
    ones = np.full((2, 2, 1), 0.25)
    pooled = [convn(each, ones, "valid")[::2, ::2] for each in a]
    # A feature vector runs down the columns of each map; W knows it row by row.
    order = np.arange(12).reshape(3, 2, 2).transpose(0, 2, 1).ravel()
    fv = np.concatenate([each.reshape(4, count, order="F") for each in pooled])
    ff_w = matrix[:, order]
    out = _sigmoid(ff_w @ fv + offset[:, None])
    e = out - y.T
    cost = np.array(0.5 * (e**2).sum() / count)
    od = e * (out * (1 - out))
    fvd = ff_w.T @ od
    d_pooled = [fvd[4 * o : 4 * o + 4].reshape(2, 2, count, order="F") for o in outputs]
    d = [a[o] * (1 - a[o]) * d_pooled[o].repeat(2, 0).repeat(2, 1) / 4 for o in outputs]
    d_in = [sum(convn(d[o], _rot180(k[o, c]), "full") for o in outputs) for c in maps]
    dk = [[convn(np.flip(a_in[c]), d[o], "valid")[..., 0] / count for c in maps] for o in outputs]
    db = [d[o].sum() / count for o in outputs]
    dff_w = od @ fv.T / count

    def images(each: Any) -> Array:
        return np.moveaxis(np.array(each), -1, 0)

    back = np.argsort(order)
    forward = (images(z), images(a), images(pooled), out.T, cost)
    signals = (each / count for each in (od.T, fvd.T[:, back], images(d), images(d_in)))
    gradients = (np.array(dk), np.array(db), dff_w[:, back])
    return dict(zip(FORMULAS, (*forward, *signals, *gradients), strict=True))


def _here(x: Array, w: Array, b: Array, matrix: Array, offset: Array, y: Array) -> Values:
    """Let the engine run forward and backward, and read what it recorded."""
    leaves = [Tensor(each, requires_grad=True) for each in (x, w, b, matrix, offset)]
    image, weight, bias, connections, offsets = leaves
    with record(keep="arrays") as recording:
        activity = F.sigmoid(F.conv2d(image, weight, bias, flip=True))
        features = F.flatten(F.avg_pool2d(activity, 2), 1)
        loss = F.squared_error(F.sigmoid(F.linear(features, connections, offsets)), y, "mean")
        loss.backward()
    steps = {step.name: step for step in recording.steps}  # of two sigmoids the last
    made = {name: step.outputs[0].value for name, step in steps.items()}
    arrived = ((name, step.outgoing[0]) for name, step in steps.items() if step.outgoing)
    signals = {name: signal.value for name, signal in arrived if signal is not None}
    forward = (made["conv2d"], activity.numpy(), made["avg_pool2d"], made["sigmoid"], loss.numpy())
    came = (signals["affine"], signals["reshape"], signals["conv2d"])
    gradients = (leaf.grad.numpy() for leaf in leaves[:4] if leaf.grad is not None)
    return dict(zip(FORMULAS, (*forward, *came, *gradients), strict=True))


def _rot180(k: Array) -> Array:
    """Turn a filter: flip rows and columns, and not the images."""
    return k[::-1, ::-1]


def _slips(x: Array, w: Array, d: Array, right: Values) -> Any:
    """Yield what comes of forgetting a flip; `d` is the toolbox's, N times δ."""
    a, dm, k = np.moveaxis(x, 0, -1), np.moveaxis(d, 0, -1), w[..., None]

    def of_x(one: Callable[[int, int], Array]) -> Array:
        maps = [sum(one(o, c) for o in range(len(w))) for c in range(len(a))]
        return np.moveaxis(np.array(maps), -1, 0)

    def of_w(one: Callable[[int, int], Array]) -> Array:
        return np.array([[one(o, c)[..., 0] for c in range(len(a))] for o in range(len(w))])

    tried: tuple[tuple[str, str, str, Array], ...] = (
        (
            "convn(d, k, 'full')",
            "convn(d, rot180(k), 'full')",
            "δ(x)",
            of_x(lambda o, c: convn(dm[o], k[o, c], "full")),
        ),
        (
            "convn(d, rot180(k), 'valid')",
            "convn(d, rot180(k), 'full')",
            "δ(x)",
            of_x(lambda o, c: convn(dm[o], _rot180(k[o, c]), "valid")),
        ),
        (
            "convn(rot180(a), d, 'valid')",
            "convn(flipall(a), d, 'valid')",
            "∇w",
            of_w(lambda o, c: convn(_rot180(a[c]), dm[o], "valid")),
        ),
        (
            "convn(a, d, 'valid')",
            "convn(flipall(a), d, 'valid')",
            "∇w",
            of_w(lambda o, c: convn(a[c], dm[o], "valid")),
        ),
        (
            "convn(flipall(a), d, 'full')",
            "convn(flipall(a), d, 'valid')",
            "∇w",
            of_w(lambda o, c: convn(np.flip(a[c]), dm[o], "full")),
        ),
    )
    for written, instead_of, quantity, value in tried:
        expected = right[quantity]
        apart = None
        if value.shape == expected.shape:
            apart = float(np.abs(value / len(x) - expected).max() / np.abs(expected).max())
        yield Slip(written, instead_of, value.shape, expected.shape, apart)
