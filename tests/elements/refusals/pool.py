"""What the poolings refuse."""

from collections.abc import Callable
from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError

from .row import Refusal, ints, refusal, zeros


def pool(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: function(zeros(1, 1, 4, 4), *arguments)


REFUSALS: tuple[Refusal, ...] = (
    refusal("pool-rank", lambda: F.max_pool2d(zeros(4, 4), 2), ShapeError, r"x is \(N, C, H, W\)"),
    refusal("pool-integers", lambda: F.max_pool2d(ints(1, 1, 4, 4), 2), DTypeError, "got int64"),
    refusal("pool-window", pool(F.avg_pool2d, 5), ShapeError, "avg_pool2d: the window fits"),
    refusal("pool-kernel", pool(F.max_pool2d, 0), OptionError, "kernel_size is an integer"),
    refusal("pool-fraction", pool(F.max_pool2d, 2.5), OptionError, "got 2.5"),
    refusal("pool-triple", pool(F.max_pool2d, (1, 2, 3)), OptionError, r"got \(1, 2, 3\)"),
    refusal("pool-padding", pool(F.avg_pool2d, 2, 2, 2), OptionError, "at most half the kernel"),
)  # fmt: skip
