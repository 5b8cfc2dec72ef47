"""Rows of what moves values and leaves them as they are: selections, shapes, axes, joins."""

from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F

from .. import oracles
from .row import Case, Twins, case

# -- functions that take their inputs one by one, or that are methods -----------------


def index(x: Any, key: Any) -> Any:
    return x[key]


def joined(*tensors: Any, dim: int = 0) -> Any:
    return F.concatenate(tensors, dim)


def stacked(*tensors: Any, dim: int = 0) -> Any:
    return F.stack(tensors, dim)


def squares_of_scalars(x: Any) -> Any:
    return tg.stack([scalar * scalar for scalar in x.scalars()])


# -- rows ------------------------------------------------------------------------------

KEYS = {
    "integer": 1,
    "negative": -1,
    "slice": slice(1, None),
    "step": (slice(None), slice(None, None, 2)),
    "backwards": (slice(None), slice(None, None, -1)),
    "ellipsis": (..., 0),
    "new-axis": (None, 0, slice(None), None),
    "integers": np.array([0, 2]),
    "repeated": np.array([1, 1, 0, 1]),
    "list": [2, 0],
    "pairs": (np.array([0, 1, 1]), np.array([2, 2, 2])),
    "mask": np.array([True, False, True]),
    "nothing": slice(0, 0),
}
CASES: tuple[Case, ...] = (
    *(case("index place", id, index, [(3, 4)], index, {"key": k}) for id, k in KEYS.items()),
    case("place", "place", F.place, [(3,)], oracles.place,
         {"key": np.array([2, 0, 2]), "shape": (4,)}),
    case("place", "place-slice", F.place, [(2, 2)], oracles.place,
         {"key": (slice(None), slice(1, 3)), "shape": (2, 4)}),
    case("reshape", "flat", F.reshape, [(2, 3)], oracles.reshape, {"shape": (6,)}),
    case("reshape", "free", F.reshape, [(2, 3)], oracles.reshape, {"shape": (3, -1)}),
    case(
        "reshape", "images", F.reshape, [(2, 3, 2, 2)], oracles.reshape, {"shape": (2, 2, 6)}
    ),
    case(
        "reshape", "flatten", F.flatten, [(2, 3, 2, 2)], oracles.flatten, {"start_dim": 1},
        batched=(0,),
    ),
    case("reshape", "squeezed", F.squeeze, [(1, 3, 1)], oracles.squeeze),
    case("reshape", "squeezed-one", F.squeeze, [(1, 3, 1)], oracles.squeeze, {"dim": -1}),
    case("reshape", "unsqueezed", F.unsqueeze, [(2, 3)], oracles.unsqueeze, {"dim": 1}),
    case("clone", "rows", F.clone, [(2, 3)], np.array),
    case("clone", "images", F.clone, [(2, 3, 2, 2)], np.array, batched=(0,)),
    case("transpose", "swap", F.transpose, [(2, 3, 4)], oracles.transpose, {"dim0": 0, "dim1": 2}),
    case("transpose", "cycle", F.permute, [(2, 3, 4)], oracles.permute, {"dims": (1, 2, 0)}),
    case(
        "transpose", "last-channels", F.permute, [(2, 3, 2, 2)], oracles.permute,
        {"dims": (0, 2, 3, 1)}, batched=(0,),
    ),
    case("pad", "vector", F.pad, [(3,)], oracles.pad, {"pad": (1, 2)}),
    case("pad", "ones", F.pad, [(2, 3)], oracles.pad, {"pad": (1, 2), "value": 1.5}),
    case("pad", "lowest", F.pad, [(2, 1, 2, 3)], oracles.pad,
         {"pad": (1, 0, 2, 1), "value": -3.0}, batched=(0,)),
    case("pad", "images", F.pad, [(2, 1, 2, 3)], oracles.pad, {"pad": (1, 0, 2, 1)}, batched=(0,)),
    case("concatenate", "rows", joined, [(2, 3), (1, 3)], oracles.joined),
    case("concatenate", "three", joined, [(2, 1), (2, 2), (2, 1)], oracles.joined, {"dim": -1}),
    case(
        "concatenate", "channels", joined, [(2, 1, 2, 2), (2, 2, 2, 2)], oracles.joined,
        {"dim": 1}, batched=(0, 1),
    ),
    case("concatenate reshape", "stacked", stacked, [(2, 3), (2, 3)], oracles.stacked, {"dim": 1}),
    case("stack_scalars unstack_scalars", "squares", squares_of_scalars, [(3,)], np.square,
         keeps_dtype=False),
    case("broadcast_to", "rows", F.broadcast_to, [(3,)], oracles.broadcast_to, {"shape": (2, 3)}),
    case(
        "broadcast_to", "columns", F.broadcast_to, [(2, 1)], oracles.broadcast_to,
        {"shape": (3, 2, 2)},
    ),
    case("broadcast_to", "same", F.broadcast_to, [(2,)], oracles.broadcast_to, {"shape": (2,)}),
)  # fmt: skip
RECORDED_BACKWARD_OF: dict[str, str] = {}
NOT_IN_TORCH = frozenset({"index", "place", "stack_scalars"})  # of index: steps backwards


def in_torch() -> Twins:
    import torch
    from torch.nn import functional as T

    return {
        index: index,
        F.reshape: torch.reshape,
        F.flatten: torch.flatten,
        F.squeeze: torch.squeeze,
        F.unsqueeze: torch.unsqueeze,
        F.clone: torch.clone,
        F.transpose: torch.transpose,
        F.permute: torch.permute,
        F.pad: T.pad,
        F.broadcast_to: lambda x, shape: torch.broadcast_to(x, shape),
        joined: lambda *tensors, dim=0: torch.cat(tensors, dim),
        stacked: lambda *tensors, dim=0: torch.stack(tensors, dim),
    }
