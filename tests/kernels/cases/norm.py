"""Batch and local response normalisation, their adjoints, and what is fused with them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .case import Case

# shapes (..., C): few and many channels, whole blocks and rests, and work enough to fork
BATCHES = ((2, 3, 4, 3), (7, 5), (1, 1, 2, 600), (0, 4, 4, 2), (5, 50, 41, 16), (70, 1), (3, 33))
NEIGHBOURS = (
    ((2, 2, 3, 7), 5, 0.75),
    ((1, 3, 1, 4), 4, 0.75),
    ((3, 2, 1), 2, 0.5),
    ((2, 2, 33), 3, 1.5),
    ((0, 2, 2, 3), 5, 0.75),
)


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for shape in BATCHES:
        label = f"{shape}"
        vector, same = ((shape[-1:], dtype),), ((shape, dtype),)
        channels = shape[-1]
        x, grad, a = 3 * values(*shape) + 5, values(*shape), np.maximum(values(*shape), 0)
        mean, weight, bias, to_weight, to_bias = (values(channels) for _ in range(5))
        variance = values(channels) ** 2
        pixels = x.size // channels
        if x.size:
            yield Case("batch_norm_statistics", label, (x,), vector * 2, terms=pixels)
        for scale, shift in ((weight, bias), (None, None)):
            affine = label if scale is not None else f"{label} plain"
            arguments = (x, mean, variance, scale, shift, 0.1)
            yield Case("batch_norm_forward", affine, arguments, same)
            yield Case("batch_norm_relu_forward", affine, arguments, same)
            arguments = (grad, x, mean, variance, scale, to_weight, to_bias, 0.1)
            yield Case("batch_norm_grad_input", affine, arguments, same)
            rectified = (grad, a, *arguments[1:])
            yield Case("batch_norm_relu_grad_input", affine, rectified, same)
        arguments = (grad, x, mean, variance, 0.1)
        yield Case("batch_norm_grad_sums", label, arguments, vector * 2, terms=50 * pixels)
        arguments = (grad, a, x, mean, variance, 0.1)
        yield Case("batch_norm_relu_grad_sums", label, arguments, vector * 2, terms=50 * pixels)
        yield Case("add_relu", label, (grad, values(*shape)), same)
        yield Case("add_relu", f"{label} and channels", (grad, values(channels)), same)
        yield Case("add_relu", f"number and {label}", (values(1), grad), same)
    for shape, size, beta in NEIGHBOURS:
        x, grad, same = values(*shape), values(*shape), ((shape, dtype),)
        numbers = (size, 0.5, beta, 2.0)
        label = f"{shape} size {size} beta {beta}"
        yield Case("local_response_norm_forward", label, (x, *numbers), same, terms=size)
        yield Case("local_response_norm_grad", label, (grad, x, *numbers), same, terms=size)
    for shape in ((3, 2, 2, 5), (7,), (0, 3)):
        mask = rng.integers(0, 2, shape).astype(np.bool_)
        yield Case("dropout", f"{shape}", (values(*shape), mask, 1.25), ((shape, dtype),))
    for shape in ((20_000,), (3, 5000, 3)):
        mask = rng.integers(0, 2, shape).astype(np.bool_)
        yield Case("dropout", f"{shape}", (values(*shape), mask, 1.25), ((shape, dtype),))
    for shape in ((), (7,), (0, 3), (3, 2, 2, 5), (256,), (3, 257), (16_384 + 300,), (5, 7, 1200)):
        for key, threshold in ((0, 2**31), (2**64 - 3, 2**32 - 2**29), (123, 0), (123, 2**32)):
            form = f"{shape} key {key} threshold {threshold}"
            yield Case("dropout_mask", form, (key, threshold), ((shape, np.bool_),))
