"""Networks at full size without memory: what they count, what each stage returns and costs."""

from functools import cache
from typing import Any

import tinygrad_cnn as tg
from tinygrad_cnn import models, nn

Shapes = dict[str, tuple[int, ...]]


@cache
def built(name: str, **options: Any) -> nn.Module:
    return models.build(name, allocate=False, **options)


@cache
def summed_up(name: str, **options: Any) -> Any:
    return tg.summary(built(name, **options), models.find(name).input_shape)


def output_of(name: str, *paths: str, **options: Any) -> list[tuple[int, ...]]:
    """Return the shapes, without the image, that the last row at or below each path has."""
    rows = summed_up(name, **options).rows
    return [
        [r.output_shape[1:] for r in rows if r.path == path or r.path.startswith(f"{path}.")][-1]
        for path in paths
    ]


def count(name: str, inside: str = "", **options: Any) -> int:
    """Return the trainable parameters of a network, or of those below a path."""
    named = built(name, **options).named_parameters()
    return sum(p.numel() for path, p in named if path.startswith(inside))


def state_shapes(name: str, **options: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Return names and shapes of what the state dictionary holds."""
    model = built(name, **options)
    named = [*model.named_parameters(), *model.named_buffers()]
    return [(path, tuple(value.shape)) for path, value in named]


def batch_norm(path: str, channels: int) -> Shapes:
    vectors = ("weight", "bias", "running_mean", "running_var")
    return {f"{path}.{name}": (channels,) for name in vectors} | {f"{path}.num_batches_tracked": ()}


def filters(path: str, out: int, channels: int, kernel: int) -> Shapes:
    return {f"{path}.weight": (out, channels, kernel, kernel)}


def affine(path: str, out: int, features: int) -> Shapes:
    return {f"{path}.weight": (out, features), f"{path}.bias": (out,)}
