"""Rows of the convolutions: of images, of rows, transposed."""

import warnings
from itertools import product
from typing import Any

from tinygrad_cnn import functional as F

from .. import oracles
from .row import Case, Twins, case

#      row          image          filters       bias   options                        twice  adds
CONVS = (
    ("3x3",        (2, 2, 4, 5), (2, 2, 3, 3), True,  {},                              False, 432),
    ("no-bias",    (1, 1, 3, 3), (1, 1, 2, 2), False, {},                              True, 16),
    ("biased",     (1, 2, 3, 3), (2, 2, 2, 2), True,  {},                              True, 64),
    ("1x1",        (2, 3, 2, 2), (2, 3, 1, 1), True,  {},                              True, 48),
    ("gray",       (2, 1, 4, 4), (3, 1, 3, 3), True,  {"padding": 1},                  False, 864),
    ("rectangle",  (1, 2, 4, 5), (1, 2, 2, 3), True,  {"padding": (0, 1)},             False, 180),
    ("flat",       (1, 1, 1, 5), (1, 1, 1, 3), False, {},                              True, 9),
    ("stride-2",   (1, 2, 5, 5), (2, 2, 3, 3), True,  {"stride": 2, "padding": 1},     False, 324),
    ("stride-3",   (1, 1, 7, 7), (1, 1, 3, 3), False, {"stride": 3},                   False, 36),
    ("uneven",     (1, 1, 4, 5), (1, 1, 2, 2), True,  {"stride": (2, 3)},              True, 16),
    ("left-over",  (1, 1, 6, 6), (2, 1, 3, 3), False, {"stride": 2},                   False, 72),
    ("wide-frame", (1, 1, 2, 2), (1, 1, 3, 3), True,  {"padding": 2},                  True, 144),
    ("whole",      (2, 3, 2, 2), (2, 3, 2, 2), True,  {},                              True, 48),
    ("far-side",   (1, 1, 3, 3), (1, 1, 2, 2), True,  {"padding": ((0, 1), (2, 0))},   True, 48),
    ("near-side",  (1, 1, 4, 3), (1, 1, 3, 3), False,
     {"padding": ((2, 0), (1, 0)), "stride": 2}, True, 18),
    ("same-even",  (1, 1, 3, 4), (1, 1, 2, 2), True,  {"padding": "same"},             True, 48),
    ("same-holes", (1, 1, 3, 4), (1, 1, 2, 3), False,
     {"padding": "same", "dilation": (3, 2)}, True, 72),
    ("valid",      (1, 1, 3, 3), (1, 1, 3, 2), True,  {"padding": "valid"},            True, 12),
    ("holes-meet-strides", (1, 1, 7, 8), (1, 1, 3, 2), False,
     {"stride": (2, 6), "dilation": (2, 4), "padding": (1, 2)}, True, 36),
    ("strides-pass-holes", (1, 1, 8, 7), (1, 1, 2, 2), False,
     {"stride": (4, 3), "dilation": 2, "padding": 1}, True, 24),
    ("groups",     (2, 4, 3, 3), (6, 2, 2, 2), True,  {"groups": 2},                   False, 384),
    ("depthwise",  (1, 3, 3, 3), (3, 1, 2, 2), True,  {"groups": 3},                   True, 48),
    ("multiplier", (1, 2, 3, 3), (6, 1, 2, 2), True,  {"groups": 2, "padding": 1},     False, 384),
    ("multiplied", (1, 2, 2, 3), (4, 1, 2, 2), False, {"groups": 2},                   True, 32),
    ("depthwise-stride", (2, 3, 4, 4), (3, 1, 3, 3), False,
     {"groups": 3, "stride": 2, "padding": 1}, False, 216),
    ("flipped",    (1, 2, 3, 3), (2, 2, 2, 2), True,  {"flip": True},                  True, 64),
)  # fmt: skip
STRIDES, PADDINGS, DILATIONS = (1, 2), (0, ((1, 0), (0, 2))), (1, 2)


def _row(name: str, id: str, function: Any, x: Any, weight: Any, bias: Any, options: Any,
         twice: bool = True, adds: int = 0) -> Case:  # fmt: skip
    return case(
        f"{name} channel_sum" if bias else name,
        id,
        function,
        [x, weight, bias] if bias else [x, weight],
        getattr(oracles, name),
        options,
        batched=(0,),
        twice=twice,
        multiply_adds=adds,
    )


def _grid() -> list[Case]:
    """Return every combination of options; the second derivatives of those that flip."""
    rows = []
    for stride, padding, dilation, groups, flip, bias in product(
        STRIDES, PADDINGS, DILATIONS, (1, 2), (False, True), (False, True)
    ):
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        id = f"s{stride}-p{int(padding != 0)}-d{dilation}-g{groups}"
        id += ("-flip" if flip else "") + ("-bias" if bias else "")
        shapes = (1, 2, 3, 4), (2, 2 // groups, 2, 2), (2,) if bias else None
        options |= {"flip": True} if flip else {}
        rows.append(_row("conv2d", id, F.conv2d, *shapes, options, twice=flip != bias))
    return rows


IMAGES = [
    _row("conv2d", id, F.conv2d, x, weight, weight[:1] if bias else None, options, twice, adds)
    for id, x, weight, bias, options, twice, adds in CONVS
]
ROWS = [
    _row("conv1d", id, F.conv1d, x, weight, weight[:1] if bias else None, options, adds=adds)
    for id, x, weight, bias, options, adds in (
        ("lecture", (1, 1, 5), (1, 1, 3), False, {}, 9),
        ("batch", (2, 2, 4), (3, 2, 2), True, {}, 72),
        ("framed", (1, 2, 4), (2, 2, 3), True, {"padding": 1}, 48),
        ("stride", (1, 1, 7), (2, 1, 3), False, {"stride": 2, "padding": (1,)}, 24),
        ("holes", (1, 2, 6), (1, 2, 2), True, {"dilation": 3, "stride": 2}, 8),
        ("uneven", (1, 1, 4), (1, 1, 2), False, {"padding": ((0, 2),)}, 10),
        ("same", (1, 1, 4), (1, 1, 4), True, {"padding": "same", "dilation": 2}, 16),
        ("valid", (1, 1, 4), (1, 1, 2), False, {"padding": "valid"}, 6),
        ("groups", (2, 4, 4), (2, 2, 2), True, {"groups": 2}, 48),
        ("depthwise", (1, 2, 4), (4, 1, 2), False, {"groups": 2}, 24),
        ("flipped", (1, 2, 4), (2, 2, 3), True, {"flip": True}, 24),
        ("flipped-all", (1, 2, 6), (2, 1, 2), True,
         {"flip": True, "groups": 2, "stride": 2, "dilation": 3, "padding": 1}, 12),
    )
]  # fmt: skip
TRANSPOSED = [
    _row("conv_transpose2d", id, F.conv_transpose2d, x, weight, bias, options, adds=adds)
    for id, x, weight, bias, options, adds in (
        ("plain", (1, 2, 2, 3), (2, 1, 2, 2), (1,), {}, 48),
        ("doubled", (2, 1, 2, 2), (1, 2, 2, 2), (2,), {"stride": 2}, 64),
        ("gaps", (1, 1, 2, 2), (1, 1, 1, 2), None, {"stride": (2, 3)}, 8),
        ("cut", (1, 1, 3, 3), (1, 1, 3, 3), None, {"stride": 2, "padding": (1, 0)}, 81),
        ("extra", (1, 1, 2, 2), (1, 1, 2, 3), (1,), {"stride": (2, 3), "output_padding": 1}, 24),
        ("extra-by-holes", (1, 1, 2, 2), (1, 1, 2, 2), None,
         {"dilation": (3, 2), "output_padding": (2, 1)}, 16),
        ("groups", (1, 4, 2, 2), (4, 1, 2, 2), (2,), {"groups": 2}, 64),
        ("depthwise", (1, 2, 2, 2), (2, 2, 2, 2), None, {"groups": 2, "stride": 2}, 64),
        ("all", (1, 2, 3, 2), (2, 2, 2, 3), (4,),
         {"stride": (3, 2), "padding": (2, 1), "output_padding": (1, 0), "groups": 2,
          "dilation": (2, 3)}, 144),
    )
]  # fmt: skip

CASES: tuple[Case, ...] = (*IMAGES, *_grid(), *ROWS, *TRANSPOSED)
RECORDED_BACKWARD_OF = {
    "conv1d_grad_input": "conv1d",
    "conv1d_grad_weight": "conv1d",
    "conv2d_grad_input": "conv2d",
    "conv2d_grad_weight": "conv2d",
}
NOT_IN_TORCH: frozenset[str] = frozenset()


def in_torch() -> Twins:
    import torch
    from torch.nn import functional as T

    def framed(function: Any, spatial: int) -> Any:
        """Pad where the two sides differ, and flip, since PyTorch's convolutions cannot."""

        def convolved(x: Any, weight: Any, bias: Any = None, padding: Any = 0, flip: bool = False,
                      **options: Any) -> Any:  # fmt: skip
            if isinstance(padding, tuple) and isinstance(padding[0], tuple):
                widths = [width for side in reversed(padding) for width in side]
                x, padding = T.pad(x, widths), 0
            weight = torch.flip(weight, list(range(2, 2 + spatial))) if flip else weight
            with warnings.catch_warnings():  # an even filter makes PyTorch copy, and say so
                warnings.filterwarnings("ignore", "Using padding='same'", UserWarning)
                return function(x, weight, bias, padding=padding, **options)

        return convolved

    return {
        F.conv1d: framed(T.conv1d, 1),
        F.conv2d: framed(T.conv2d, 2),
        F.conv_transpose2d: T.conv_transpose2d,
    }
