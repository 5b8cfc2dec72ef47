"""Runs of every element that has an index form: a row makes a loss of named tensors."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.recompute import IdentityElement


class Row(NamedTuple):
    """Shapes of tensors a, b, c, … that want a gradient, and what is computed of them."""

    elements: tuple[str, ...]  # that the row is about
    shapes: tuple[tuple[int, ...], ...]
    compute: Callable[..., Any]
    positive: bool = False


def _conv(x: Any, w: Any, b: Any = None, **options: Any) -> Any:
    return F.conv2d(x, w, b, **options)


def _row1d(**options: Any) -> Callable[..., Any]:
    return functools.partial(F.conv1d, **options)


def _images(**options: Any) -> Callable[..., Any]:
    return functools.partial(_conv, **options)


def _pool(function: Callable[..., Any], *given: Any, **options: Any) -> Callable[..., Any]:
    return lambda x: function(x, *given, **options)


def _labels(*labels: int) -> Any:
    return np.array(labels)


ACTIVATIONS = ("sigmoid", "tanh", "scaled_tanh", "relu", "leaky_relu", "elu", "hardsigmoid")
UNARY = (*ACTIVATIONS, "exp", "abs", "clone")
IMAGES, FILTERS = (2, 4, 7, 6), (6, 4, 3, 2)
GROUPED = (6, 2, 3, 2)

ROWS = {
    "conv1d": Row(("conv1d",), ((2, 3, 9), (4, 3, 3), (4,)), _row1d()),
    "conv1d all": Row(
        ("conv1d",),
        ((2, 4, 9), (6, 2, 3)),
        _row1d(stride=2, padding=((1, 3),), dilation=2, groups=2, flip=True),
    ),
    "conv2d": Row(("conv2d",), (IMAGES, FILTERS, (6,)), _images()),
    "conv2d stride": Row(("conv2d",), (IMAGES, FILTERS), _images(stride=(2, 3))),
    "conv2d padding": Row(("conv2d",), (IMAGES, FILTERS, (6,)), _images(padding=(1, 2))),
    "conv2d uneven": Row(
        ("conv2d",), (IMAGES, FILTERS), _images(stride=2, padding=((0, 2), (1, 0)))
    ),
    "conv2d dilation": Row(("conv2d",), (IMAGES, FILTERS), _images(dilation=(2, 3), padding=1)),
    "conv2d groups": Row(("conv2d",), (IMAGES, GROUPED, (6,)), _images(groups=2, padding=1)),
    "conv2d depthwise": Row(
        ("conv2d",), (IMAGES, (8, 1, 3, 2)), _images(groups=4, stride=2, padding=1, dilation=2)
    ),
    "conv2d flip": Row(("conv2d",), (IMAGES, FILTERS), _images(flip=True, stride=2, padding=1)),
    "conv2d wide": Row(("conv2d",), ((2, 16, 12, 12), (16, 16, 3, 3)), _images(padding=1)),
    **{
        f"conv2d {activation}": Row(
            (f"conv2d_{activation}",),
            (IMAGES, FILTERS, (6,)),
            _images(activation=activation, stride=2, padding=1),
        )
        for activation in ("relu", "sigmoid", "tanh")
    },
    "transposed convolution": Row(
        ("conv_transpose2d",),
        ((2, 4, 3, 5), (4, 3, 3, 2), (3,)),
        functools.partial(F.conv_transpose2d, stride=2, padding=1, output_padding=1),
    ),
    "transposed convolution in groups": Row(
        ("conv_transpose2d",),
        ((2, 4, 3, 5), (4, 3, 3, 2), (6,)),
        functools.partial(F.conv_transpose2d, groups=2, dilation=2),
    ),
    "affine": Row(("affine",), ((3, 4), (5, 4), (5,)), F.affine),
    "affine vectors": Row(("affine",), ((2, 3, 4), (5, 4)), F.affine),
    "affine one": Row(("affine",), ((4,), (5, 4), (5,)), F.affine),
    **{
        f"affine {activation}": Row(
            (f"affine_{activation}",),
            ((3, 4), (5, 4), (5,)),
            functools.partial(F.affine, activation=activation),
        )
        for activation in ("relu", "sigmoid", "tanh")
    },
    "average": Row(("avg_pool2d",), (IMAGES,), _pool(F.avg_pool2d, 2)),
    "average overlapping": Row(
        ("avg_pool2d",), (IMAGES,), _pool(F.avg_pool2d, 3, 2, 1, count_include_pad=False)
    ),
    "average beyond": Row(("avg_pool2d",), (IMAGES,), _pool(F.avg_pool2d, 3, 2, 1, ceil_mode=True)),
    "average divided": Row(
        ("avg_pool2d",), (IMAGES,), _pool(F.avg_pool2d, (2, 3), 2, divisor_override=5)
    ),
    "sum of windows": Row(("sum_pool2d",), (IMAGES,), _pool(F.sum_pool2d, 3, 2, 1)),
    "maximum": Row(("max_pool2d",), (IMAGES,), _pool(F.max_pool2d, 2)),
    "maximum overlapping": Row(
        ("max_pool2d",), (IMAGES,), _pool(F.max_pool2d, 3, 2, 1, ceil_mode=True)
    ),
    "maximum dilated": Row(("max_pool2d",), (IMAGES,), _pool(F.max_pool2d, 2, 1, 0, 2)),
    "maximum with indices": Row(
        ("max_pool2d",), (IMAGES,), lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True)[0]
    ),
    "maximum last": Row(
        ("max_pool2d",), (IMAGES,), lambda x: F.max_pool2d(F.relu(x), 2, ties="last")
    ),
    "maximum shared": Row(
        ("max_pool2d_shared",), (IMAGES,), lambda x: F.max_pool2d(F.relu(x), 2, ties="split")
    ),
    "maximum for all": Row(
        ("max_pool2d_shared",), (IMAGES,), lambda x: F.max_pool2d(F.relu(x), 3, 2, 1, ties="all")
    ),
    "norms": Row(("lp_pool2d",), (IMAGES,), lambda x: F.lp_pool2d(F.relu(x), 3.0, 2)),
    "over all pixels": Row(("global_avg_pool2d",), (IMAGES,), F.global_avg_pool2d),
    "cells": Row(("adaptive_avg_pool2d",), (IMAGES,), _pool(F.adaptive_avg_pool2d, (3, 4))),
    "one cell": Row(("adaptive_avg_pool2d",), (IMAGES,), _pool(F.adaptive_avg_pool2d, 1)),
    "largest": Row(("max",), ((3, 4, 5),), lambda x: x.max(1)[0]),
    "largest kept": Row(("max",), ((3, 4),), lambda x: x.max(0, keepdim=True)[0]),
    "smallest of all": Row(("min",), ((3, 4),), lambda x: x.min()),
    **{
        f"{name} {ties}": Row(
            (f"{name}_shared",),
            ((3, 4, 5),),
            lambda x, name=name, ties=ties: getattr(F, name)(F.relu(x), (0, 2), ties=ties),
        )
        for name in ("max", "min")
        for ties in ("split", "all")
    },
    "largest shared and kept": Row(
        ("max_shared",), ((3, 4),), lambda x: F.max(x, 1, keepdim=True, ties="split")
    ),
    "maximum shared at a border": Row(
        ("max_pool2d_shared",), (IMAGES,), lambda x: F.max_pool2d(F.relu(x), 3, 2, 1, ties="split")
    ),
    "put at winners": Row(
        ("max_unpool2d",),
        ((2, 3, 2, 2),),
        lambda x: F.max_unpool2d(x, np.array([[[[5, 0], [11, 5]]] * 3] * 2), 2, output_size=(3, 4)),
    ),
    "windows": Row(("windows",), (IMAGES,), _pool(F.windows, (3, 2), 2, 1)),
    "windows dilated": Row(("windows",), (IMAGES,), _pool(F.windows, 2, (1, 2), 0, 2)),
    "clamp": Row(("clamp",), ((3, 4),), lambda x: F.clamp(x, -0.5, 0.75)),
    "clamp above": Row(("clamp",), ((3, 4),), lambda x: F.clamp(x, max=0.25)),
    "index": Row(("index",), ((3, 6, 5),), lambda x: x[1, 1:5:2]),
    "index backward": Row(("index",), ((3, 6, 5),), lambda x: x[::-1, :, -2]),
    "index places": Row(("index",), ((4, 6),), lambda x: x[[2, 0, 2]]),
    "index pairs": Row(("index",), ((4, 6, 2),), lambda x: x[np.array([2, 0, 2]), [1, 1, 5]]),
    "index crossed": Row(
        ("index",), ((4, 6, 2),), lambda x: x[np.array([[3], [1]]), np.array([[0, 0, 2]]), 1]
    ),
    "index between": Row(("index",), ((4, 6, 2),), lambda x: x[..., None, [5, 1], :]),
    "index mask": Row(("index",), ((2, 3),), lambda x: x[np.array([[1, 0, 1], [0, 0, 1]]) > 0]),
    "place": Row(
        ("place",), ((2, 3),), lambda x: F.place(x, (slice(1, 3), slice(None, None, 2)), (4, 6))
    ),
    "place at places": Row(
        ("place",), ((3, 2),), lambda x: F.place(x, ([2, 0, 2], [1, 1, 1]), (4, 6, 2))
    ),
    "index step": Row(("index",), (IMAGES,), lambda x: x[:, :, ::2, ::2]),
    "mean": Row(("mean",), (IMAGES,), lambda x: x.mean((1, 3))),
    "mean kept": Row(("mean",), (IMAGES,), lambda x: x.mean((0, 2), keepdim=True)),
    "sum": Row(("sum",), (IMAGES,), lambda x: x.sum((0,))),
    "repeated": Row(("broadcast_to",), ((3, 1),), lambda x: F.broadcast_to(x, (2, 3, 4))),
    "reshape": Row(("reshape",), (IMAGES,), lambda x: x.reshape(2, -1)),
    "reshape all": Row(("reshape",), (IMAGES,), lambda x: x.reshape(4, 3, 7, 4)),
    "transpose": Row(("transpose",), ((2, 3, 4),), lambda x: x.permute(2, 0, 1)),
    "concatenate": Row(
        ("concatenate",), ((2, 3, 4, 4), (2, 1, 4, 4)), lambda x, y: F.concatenate([x, y], 1)
    ),
    "concatenate itself": Row(
        ("concatenate",), ((2, 3),), lambda x: F.concatenate([x, x * 2.0], 0)
    ),
    "pad with a value": Row(("pad",), ((2, 1, 3),), lambda x: F.pad(x, (1, 2, 0, 1), value=-2.5)),
    "taken apart": Row(
        ("unstack_scalars", "stack_scalars"),
        ((4,),),
        lambda x: F.stack([2.0 * k for k in x.scalars()]),
    ),
    "pad": Row(("pad",), ((2, 1, 3, 3),), lambda x: F.pad(x, (1, 2, 0, 1))),
    **{
        name: Row((name,), ((2, 3), (2, 3)), getattr(F, name))
        for name in ("add", "subtract", "multiply", "divide", "add_relu")
    },
    "add repeated": Row(("add",), ((2, 3, 4), (3, 1)), F.add),
    "multiply repeated": Row(("multiply",), ((2, 3, 1, 1), (2, 3, 4, 5)), F.multiply),
    "divide repeated": Row(("divide",), ((4,), (2, 3, 4)), F.divide, True),
    "squared": Row(("multiply",), ((2, 3),), lambda x: x * x),
    "power": Row(("power",), ((2, 3), (2, 3)), lambda x, y: x**y, True),
    **{name: Row((name,), ((3, 4),), getattr(F, name)) for name in UNARY},
    "identity": Row(("identity",), ((3, 4),), lambda x: IdentityElement()(x)),
    "softplus": Row(("softplus",), ((3, 4),), lambda x: F.softplus(x * 30.0)),
    "softplus sharp": Row(("softplus",), ((3, 4),), lambda x: F.softplus(x, 2.5, 3.0)),
    "product": Row(("matmul",), ((3, 4), (4, 2)), lambda x, y: x @ y),
    "products": Row(("matmul",), ((2, 1, 3, 4), (5, 4, 2)), lambda x, y: x @ y),
    "negative": Row(("negative",), ((3, 4),), lambda x: -x),
    "log": Row(("log",), ((3, 4),), F.log, True),
    "sqrt": Row(("sqrt",), ((3, 4),), F.sqrt, True),
    "cast": Row(("cast",), ((3, 4),), lambda x: x.to(np.float32)),
    "dropout": Row(("dropout",), ((3, 4),), lambda x: F.dropout(x, 0.5, training=True)),
    "softmax": Row(("softmax",), ((3, 4),), lambda x: F.softmax(x, 1)),
    "log softmax": Row(("log_softmax",), ((3, 4, 2),), lambda x: F.log_softmax(x, 1)),
    **{
        f"cross entropy {reduction}": Row(
            ("cross_entropy",),
            ((3, 4),),
            lambda x, reduction=reduction: F.cross_entropy(
                x, _labels(0, 3, 1), reduction=reduction
            ),
        )
        for reduction in ("mean", "sum", "none")
    },
    "cross entropy of pixels": Row(
        ("cross_entropy",),
        ((2, 3, 2, 2),),
        lambda x: F.cross_entropy(x, np.array([[[0, 1], [2, -100]], [[2, 2], [-100, 0]]])),
    ),
    **{
        f"cross entropy {reduction}, weighted, smoothed by {smoothing}": Row(
            ("cross_entropy",),
            ((4, 3),),
            lambda x, reduction=reduction, smoothing=smoothing: F.cross_entropy(
                x,
                _labels(0, 2, 1, -100),
                np.array([0.5, 2.0, 1.25]),
                reduction=reduction,
                label_smoothing=smoothing,
            ),
        )
        for reduction in ("mean", "sum", "none")
        for smoothing in (0.0, 0.25)
    },
    "cross entropy smoothed": Row(
        ("cross_entropy",),
        ((2, 3, 2, 2),),
        lambda x: F.cross_entropy(
            x, np.array([[[0, 1], [2, -100]], [[2, 2], [-100, 0]]]), label_smoothing=0.1
        ),
    ),
    "likelihood weighted": Row(
        ("nll_loss",),
        ((3, 4),),
        lambda x: F.nll_loss(x, _labels(0, 3, 1), np.array([1.0, 2.0, 3.0, 0.5])),
    ),
    **{
        f"margins {reduction}": Row(
            ("multi_margin_loss",),
            ((5, 4),),
            lambda x, reduction=reduction: F.multi_margin_loss(
                x, _labels(0, 3, 1, 1, 2), margin=1.5, reduction=reduction
            ),
        )
        for reduction in ("mean", "sum", "none")
    },
    "likelihood": Row(
        ("nll_loss",), ((3, 4),), lambda x: F.nll_loss(F.log_softmax(x, 1), _labels(0, 3, 1))
    ),
    **{
        f"{name} {reduction}": Row(
            (name,), ((3, 4), (3, 4)), functools.partial(getattr(F, name), reduction=reduction)
        )
        for name in ("mse_loss", "l1_loss")
        for reduction in ("mean", "sum", "none")
    },
    **{
        f"squared_error {reduction}": Row(
            ("squared_error",),
            ((3, 4), (3, 4)),
            functools.partial(F.squared_error, reduction=reduction),
        )
        for reduction in ("mean", "sum")
    },
    "hinge": Row(
        ("hinge_loss",),
        ((6,),),
        lambda x: F.hinge_loss(x, np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])),
    ),
    "binary": Row(
        ("binary_cross_entropy_with_logits",),
        ((6,),),
        lambda x: F.binary_cross_entropy_with_logits(x, np.array([1.0, 0.0, 1.0, 1.0, 0.0, 0.25])),
    ),
    "binary weighted": Row(
        ("binary_cross_entropy_with_logits",),
        ((6,),),
        lambda x: F.binary_cross_entropy_with_logits(
            x, np.eye(6)[2], np.arange(1.0, 7.0), pos_weight=np.array([2.5])
        ),
    ),
    "a slope at zero": Row(("relu",), ((6,),), lambda x: F.relu(F.relu(x), at_zero=0.5)),
    "local response": Row(
        ("local_response_norm",),
        ((2, 6, 3, 2),),
        lambda x: F.local_response_norm(x, 4, alpha=0.5, beta=0.75, k=2.0),
    ),
    "distances": Row(
        ("squared_distances",), ((3, 4), (5, 4)), lambda x, y: F.squared_distances(x, y)
    ),
    "rubbish": Row(("rbf_loss",), ((3, 4),), lambda x: F.rbf_loss(x, _labels(0, 3, 1))),
    "batch norm": Row(
        ("batch_norm",),
        ((3, 4, 3, 2), (4,), (4,)),
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
    ),
    "batch norm of rows": Row(
        ("batch_norm",), ((5, 4),), lambda x: F.batch_norm(x, training=True, eps=0.1)
    ),
    "batch norm relu": Row(
        ("batch_norm_relu",),
        ((3, 4, 3, 2), (4,), (4,)),
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, activation="relu"),
    ),
    "batch norm inference": Row(
        ("batch_norm_inference",),
        ((3, 4, 3, 2), (4,), (4,)),
        lambda x, w, b: F.batch_norm(x, np.arange(4.0), np.arange(1.0, 5.0), w, b),
    ),
}


def run(row: Row, seed: int = 0) -> Any:
    """Run a row, recorded, with a loss that gives every output another error signal."""
    generator = np.random.default_rng(seed)
    given = []
    for shape, name in zip(row.shapes, "abcdef", strict=False):
        numbers = generator.normal(size=shape)
        numbers = np.abs(numbers) + 0.1 if row.positive else numbers
        given.append(tg.Tensor(numbers, requires_grad=True, name=name))
    with tg.explain.record(keep="arrays"):
        result = row.compute(*given)
        result = result.to(np.float64) if result.dtype != np.float64 else result
        loss = (result * tg.Tensor(generator.normal(size=result.shape))).sum()
        loss.backward()
    return loss, given
