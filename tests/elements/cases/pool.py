"""Rows of the poolings."""

from tinygrad_cnn import functional as F

from .. import oracles
from .row import Case, Twins, apart, case

CASES: tuple[Case, ...] = tuple(
    case(name, id, function, (apart(*shape),), oracle, options, batched=(0,))
    for name, function, oracle in (
        ("max_pool2d", F.max_pool2d, oracles.max_pool2d),
        ("avg_pool2d", F.avg_pool2d, oracles.avg_pool2d),
    )
    for id, shape, options in (
        ("halves", (2, 2, 4, 4), {"kernel_size": 2}),
        ("overlap", (1, 2, 5, 5), {"kernel_size": 3, "stride": 2}),
        ("framed", (1, 1, 4, 4), {"kernel_size": 2, "stride": 2, "padding": 1}),
        ("dense", (1, 1, 4, 3), {"kernel_size": 3, "stride": 1, "padding": 1}),
        ("rectangle", (1, 2, 4, 6), {"kernel_size": (2, 3), "stride": (2, 1)}),
        ("left-over", (1, 1, 5, 5), {"kernel_size": 2}),
        ("gaps", (1, 1, 5, 5), {"kernel_size": 1, "stride": 2}),
        ("whole", (2, 3, 2, 2), {"kernel_size": 2}),
    )
)
RECORDED_BACKWARD_OF = {
    "avg_pool2d_grad": "avg_pool2d",
    "max_pool2d_gather": "max_pool2d",
    "max_pool2d_grad": "max_pool2d",
}
NOT_IN_TORCH: frozenset[str] = frozenset()


def in_torch() -> Twins:
    from torch.nn import functional as T

    return {
        F.max_pool2d: T.max_pool2d,
        F.avg_pool2d: T.avg_pool2d,
    }
