"""Rows of the poolings."""

from typing import Any

from tinygrad_cnn import functional as F

from ..oracles import pool as oracles
from .row import Case, Drawn, Shape, Twins, apart, case

# Of every pooling with a window: id, shape, options.
WINDOWS: tuple[tuple[str, Shape, dict[str, Any]], ...] = (
    ("halves", (2, 2, 4, 4), {"kernel_size": 2}),
    ("overlap", (1, 2, 5, 5), {"kernel_size": 3, "stride": 2}),
    ("framed", (1, 1, 4, 4), {"kernel_size": 2, "stride": 2, "padding": 1}),
    ("dense", (1, 1, 4, 3), {"kernel_size": 3, "stride": 1, "padding": 1}),
    ("rectangle", (1, 2, 4, 6), {"kernel_size": (2, 3), "stride": (2, 1)}),
    ("left-over", (1, 1, 5, 5), {"kernel_size": 2}),
    ("gaps", (1, 1, 5, 5), {"kernel_size": 1, "stride": 2}),
    ("whole", (2, 3, 2, 2), {"kernel_size": 2}),
    ("rounded-up", (1, 1, 5, 5), {"kernel_size": 2, "ceil_mode": True}),
    ("up-framed", (1, 1, 4, 5), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("up-exact", (1, 1, 5, 3), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    # the last window would begin beyond the image, so it is left out
    ("up-outside", (1, 1, 3, 3), {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True}),
    ("up-small", (1, 1, 2, 2), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
)
DILATED: tuple[tuple[str, Shape, dict[str, Any]], ...] = (
    ("dilated", (1, 2, 5, 4), {"kernel_size": 2, "stride": 1, "dilation": 2}),
    ("wide-steps", (1, 1, 7, 5), {"kernel_size": (3, 2), "stride": (2, 3), "dilation": (2, 3)}),
    ("dilated-frame", (1, 1, 4, 4), {"kernel_size": 2, "stride": 1, "padding": 1, "dilation": 3}),
    ("dilated-up", (1, 1, 6, 6), {"kernel_size": 2, "stride": 3, "dilation": 2, "ceil_mode": True}),
)
FRAMES: tuple[tuple[str, Shape, dict[str, Any]], ...] = tuple(
    (f"{id}-uncounted", shape, {**options, "count_include_pad": False})
    for id, shape, options in WINDOWS
    if id in ("framed", "dense", "rounded-up", "up-framed")
)


def smooth_maximum(values: Any) -> Any:
    return F.log(F.mean(F.exp(values), -1))


def _rows(name: str, id: str, shape: Shape, **options: Any) -> Case:
    element = "max_pool2d_shared" if options.get("ties") in ("split", "all") else name
    oracle = getattr(oracles, name)
    return case(element, id, getattr(F, name), (apart(*shape),), oracle, options, batched=(0,))


CASES: tuple[Case, ...] = (
    *(
        _rows(name, id, shape, **options)
        for name, grid in (
            ("max_pool2d", (*WINDOWS, *DILATED)),
            ("avg_pool2d", (*WINDOWS, *FRAMES)),
            ("sum_pool2d", WINDOWS),
            ("windows", (*WINDOWS, *DILATED)),
        )
        for id, shape, options in grid
    ),
    *(
        _rows("max_pool2d", f"{id}-{ties}", shape, ties=ties, **options)
        for ties in ("last", "split", "all")
        for id, shape, options in (*WINDOWS, *DILATED)
        if id in ("halves", "overlap", "up-framed", "dilated-frame")
    ),
    *(
        _rows("lp_pool2d", f"{id}-{p}", shape, norm_type=p, **options)
        for p in (1, 1.5, 2, 3.0)
        for id, shape, options in WINDOWS
        if id in ("halves", "overlap", "framed", "rounded-up")
    ),
    _rows("avg_pool2d", "divisor", (1, 2, 4, 4), kernel_size=2, divisor_override=3),
    _rows(
        "avg_pool2d", "negative-divisor", (1, 1, 4, 5),
        kernel_size=3, stride=2, padding=1, ceil_mode=True, divisor_override=-2,
    ),
    *(
        _rows("adaptive_avg_pool2d", id, shape, output_size=size)
        for id, shape, size in (
            ("one", (2, 3, 3, 2), 1),
            ("even", (1, 2, 4, 6), (2, 3)),
            ("uneven", (1, 1, 5, 7), (3, 4)),
            ("kept", (1, 1, 3, 4), (None, 2)),
            ("all-kept", (1, 2, 2, 3), (None, None)),
            ("enlarged", (1, 1, 2, 3), (5, 4)),
        )
    ),
    _rows("global_avg_pool2d", "all", (2, 3, 3, 2)),
    _rows("global_avg_pool2d", "pixel", (2, 3, 1, 1)),
    *(
        case(
            "windows", f"{id}-function", F.pool2d, (apart(*shape),), oracles.log_mean_exp,
            {"function": smooth_maximum, **options}, batched=(0,),
        )
        for id, shape, options in (*WINDOWS, *DILATED)
        if id in ("halves", "overlap", "framed", "dilated-up")
    ),
    *(
        case(
            "max_unpool2d", id, F.max_unpool2d, (shape, Drawn("labels", shape, pixels)),
            oracles.max_unpool2d, options, batched=() if id == "whole-shape" else (0, 1),
        )
        for id, shape, pixels, options in (
            ("halves", (2, 3, 2, 2), 16, {"kernel_size": 2}),
            ("overlap", (1, 2, 2, 3), 35, {"kernel_size": 3, "stride": 2}),
            ("framed", (1, 1, 3, 3), 16, {"kernel_size": 2, "stride": 2, "padding": 1}),
            ("asked", (1, 1, 2, 2), 20, {"kernel_size": 2, "output_size": (5, 4)}),
            ("whole-shape", (1, 2, 2, 2), 15, {"kernel_size": 2, "output_size": (1, 2, 3, 5)}),
        )
    ),
    *(
        case(
            name.replace("1d", "2d"), f"pool1d-{id}", getattr(F, name), (apart(2, 2, 5),),
            getattr(oracles, name), options, batched=(0,),
        )
        for name in ("max_pool1d", "avg_pool1d")
        for id, options in (
            ("pairs", {"kernel_size": 2}),
            ("framed", {"kernel_size": 3, "stride": 1, "padding": 1}),
            ("up", {"kernel_size": 2, "ceil_mode": True}),
        )
    ),
    case(
        "max_pool2d", "pool1d-dilated", F.max_pool1d, (apart(1, 2, 6),), oracles.max_pool1d,
        {"kernel_size": 2, "stride": 1, "dilation": 3}, batched=(0,),
    ),
)  # fmt: skip
RECORDED_BACKWARD_OF = {
    "avg_pool2d_grad": "avg_pool2d",
    "lp_pool2d_grad": "lp_pool2d",
    "max_pool2d_gather": "max_pool2d",
    "max_pool2d_grad": "max_pool2d",
    "max_pool2d_shared_gather": "max_pool2d_shared",
    "max_pool2d_shared_grad": "max_pool2d_shared",
    "sum_pool2d_grad": "sum_pool2d",
    "windows_grad": "windows",
}
# Its rows repeat indices: PyTorch keeps one of the values there, and may keep any.
NOT_IN_TORCH: frozenset[str] = frozenset({"max_unpool2d"})


def in_torch() -> Twins:
    import torch
    from torch.nn import functional as T

    def max_pool2d(x: Any, *window: Any, ties: str = "first", **options: Any) -> Any:
        return T.max_pool2d(x, *window, **options)

    def sum_pool2d(x: Any, *window: Any, **options: Any) -> Any:
        return T.avg_pool2d(x, *window, **options, divisor_override=1)

    def windows(x: Any, kernel_size: Any, **options: Any) -> Any:
        """Pad as ceil_mode does; unfold; part the axes that unfold joins."""
        stride, padding = options.get("stride") or kernel_size, options.get("padding", 0)
        gaps = options.get("dilation", 1)
        wanted = T.max_pool2d(
            x, kernel_size, stride, padding, gaps, options.get("ceil_mode", False)
        ).shape[2:]
        pairs = [
            v if isinstance(v, tuple) else (v, v) for v in (kernel_size, stride, padding, gaps)
        ]
        missing = [
            max(0, (out - 1) * s + d * (k - 1) + 1 - size - 2 * p)
            for out, size, k, s, p, d in zip(wanted, x.shape[2:], *pairs, strict=True)
        ]
        (ph, pw), (down, across) = pairs[2], missing
        framed = T.pad(x, (pw, pw + across, ph, ph + down))
        joined = T.unfold(framed, kernel_size, gaps, 0, stride)
        parted = joined.reshape(*x.shape[:2], -1, joined.shape[-1]).transpose(2, 3)
        return parted.reshape(*x.shape[:2], *wanted, -1) if len(x) else parted

    def pool2d(x: Any, function: Any, **options: Any) -> Any:
        return torch.log(torch.mean(torch.exp(windows(x, **options)), -1))

    def lp_pool2d(x: Any, norm_type: float, **options: Any) -> Any:
        values = windows(x, **options).abs()
        flat = values.flatten(2, 3)  # one window below the other, on end
        m = flat.shape[-1]
        return T.lp_pool2d(flat, norm_type, (1, m)).reshape(values.shape[:-1])

    return {
        F.adaptive_avg_pool2d: T.adaptive_avg_pool2d,
        F.avg_pool1d: T.avg_pool1d,
        F.avg_pool2d: T.avg_pool2d,
        F.global_avg_pool2d: lambda x: x.mean((2, 3)),
        F.lp_pool2d: lp_pool2d,
        F.max_pool1d: T.max_pool1d,
        F.max_pool2d: max_pool2d,
        F.pool2d: pool2d,
        F.sum_pool2d: sum_pool2d,
        F.windows: windows,
    }
