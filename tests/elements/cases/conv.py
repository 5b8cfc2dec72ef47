"""Rows of the convolution."""

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
)  # fmt: skip
CASES: tuple[Case, ...] = tuple(
    case(
        "conv2d channel_sum" if bias else "conv2d",
        id,
        F.conv2d,
        [x, weight, weight[:1]] if bias else [x, weight],
        oracles.conv2d,
        options,
        batched=(0,),
        twice=twice,
        multiply_adds=adds,
    )
    for id, x, weight, bias, options, twice, adds in CONVS
)
RECORDED_BACKWARD_OF = {
    "conv2d_grad_input": "conv2d",
    "conv2d_grad_weight": "conv2d",
}
NOT_IN_TORCH: frozenset[str] = frozenset()


def in_torch() -> Twins:
    from torch.nn import functional as T

    return {
        F.conv2d: T.conv2d,
    }
