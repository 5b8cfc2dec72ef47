"""Options of sliding windows: what may be given, what fits, and how it is printed."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeGuard

from tinygrad_cnn.elements.requirements import is_integer
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.kernels.geometry import Pair, Window

#: Padding as users give it: each side alike, (down, across), ((top, bottom), (left, right)),
#: or by a word.
Padding = int | Pair | tuple[Pair, Pair] | str

#: Padding as elements keep it: ((top, bottom), (left, right)), or "same" until the size of
#: the kernel is known.
Margins = tuple[Pair, Pair] | str


def pair(operation: str, option: str, value: int | Sequence[int], least: int) -> Pair:
    """Return an option as (down, across), both at least `least`."""
    # Asked at every step of a training, nearly always for what is in this form.
    if type(value) is int and value >= least:
        return value, value
    if type(value) is tuple and len(value) == 2:
        down, across = value
        if type(down) is int is type(across) and down >= least and across >= least:
            return value
    both = tuple(value) if isinstance(value, (tuple, Sequence)) else (value, value)
    if len(both) != 2 or not (is_integer(both[0], least) and is_integer(both[1], least)):
        raise OptionError(
            f"{operation}: {option} is an integer of at least {least}, or two of them "
            f"(down, across); got {value}"
        )
    return int(both[0]), int(both[1])


def _are_integers(both: Any) -> TypeGuard[Pair]:
    """Tell whether this is a tuple of two plain integers."""
    return type(both) is tuple and len(both) == 2 and type(both[0]) is int is type(both[1])


def single(operation: str, option: str, value: int | Sequence[int], least: int) -> Pair:
    """Return an option of one dimension as that of an image one pixel high."""
    one = tuple(value) if isinstance(value, Sequence) else (value,)
    if len(one) != 1 or not is_integer(one[0], least):
        raise OptionError(f"{operation}: {option} is an integer of at least {least}; got {value}")
    return (0 if least == 0 else 1), int(one[0])


def group_count(operation: str, groups: Any) -> int:
    """Return into how many groups channels are divided."""
    if not is_integer(groups, 1):
        raise OptionError(f"{operation}: groups is an integer of at least 1; got {groups!r}")
    return int(groups)


def extra_pixels(operation: str, output_padding: Any, stride: Pair, dilation: Pair) -> Pair:
    """Return what a transposed convolution adds to its output, (down, across)."""
    extra = pair(operation, "output_padding", output_padding, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise OptionError(
            f"{operation}: output_padding is below the stride or the dilation, since it "
            "chooses among the sizes that a convolution would reduce to that of x; got "
            f"output_padding {extra}, stride {stride} and dilation {dilation}"
        )
    return extra


def margins(operation: str, padding: Padding) -> Margins:
    """Return padding as ((top, bottom), (left, right)), or "same"."""
    if isinstance(padding, str):
        return _by_word(operation, padding)
    if type(padding) is int and padding >= 0:  # asked at every step, as above
        return (padding, padding), (padding, padding)
    if type(padding) is tuple and len(padding) == 2:
        down, across = padding
        if _are_integers(down) and _are_integers(across) and min(*down, *across) >= 0:
            return down, across
    sides = padding if isinstance(padding, (tuple, Sequence)) else (padding, padding)
    if len(sides) != 2 or not (_is_margin(sides[0]) and _is_margin(sides[1])):
        raise OptionError(
            f"{operation}: padding is an integer of at least 0, two of them (down, across), "
            f"((top, bottom), (left, right)), 'same' or 'valid'; got {padding}"
        )
    return _near_and_far(sides[0]), _near_and_far(sides[1])


def margins_across(operation: str, padding: Any) -> Margins:
    """Return padding of one dimension as that of an image one pixel high, or "same"."""
    if isinstance(padding, str):
        return _by_word(operation, padding)
    one = padding if isinstance(padding, Sequence) else (padding,)
    if len(one) != 1 or not _is_margin(one[0]):
        raise OptionError(
            f"{operation}: padding is an integer of at least 0, ((left, right),), 'same' or "
            f"'valid'; got {padding}"
        )
    return (0, 0), _near_and_far(one[0])


def _by_word(operation: str, padding: str) -> Margins:
    if padding not in ("same", "valid"):
        raise OptionError(
            f"{operation}: padding is 'same' or 'valid' where it is a word; got {padding!r}"
        )
    return "same" if padding == "same" else ((0, 0), (0, 0))


def _is_margin(side: Any) -> bool:
    ends = side if isinstance(side, (tuple, Sequence)) else (side, side)
    return len(ends) == 2 and is_integer(ends[0], 0) and is_integer(ends[1], 0)


def _near_and_far(side: Any) -> Pair:
    near, far = side if isinstance(side, (tuple, Sequence)) else (side, side)
    return int(near), int(far)


# What follows is asked at every step of a training for the same few layers.


@lru_cache(maxsize=4096)
def sliding_window(
    operation: str, kernel: Pair, stride: Pair, padding: Margins, dilation: Pair, groups: int = 1
) -> Window:
    """Return the window of a convolution; "same" pads until input and output are of one size."""
    if isinstance(padding, str):
        if stride != (1, 1):
            raise OptionError(
                f"{operation}: padding 'same' goes with stride 1 only; got stride "
                f"{stride if kernel[0] > 1 else stride[1]}. Give the padding in pixels"
            )
        # An odd row or column goes to the far side, as in PyTorch.
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        (top, bottom), (left, right) = ((t // 2, t - t // 2) for t in total)
    else:
        (top, bottom), (left, right) = padding
    return Window(
        *kernel, *stride, top, left, *dilation, eh=bottom - top, ew=right - left, groups=groups
    )


@lru_cache(maxsize=4096)
def fitted(operation: str, window: Window, height: int, width: int) -> Pair:
    """Return the size of what a window yields, or refuse one that does not fit the image."""
    oh, ow = window.output_size(height, width)
    if oh < 1 or ow < 1:
        dilation = (window.dh, window.dw)
        dilated = f", dilation {dilation}" if dilation != (1, 1) else ""
        raise ShapeError(
            f"{operation}: the window fits into the padded image, "
            "floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1 >= 1; got image "
            f"{height}x{width}, kernel {window.kh}x{window.kw}, padding "
            f"{_padding(window)}{dilated}, which gives {oh}x{ow}"
        )
    return oh, ow


def _padding(window: Window) -> Any:
    """Return (down, across), or ((top, bottom), (left, right)) where they are unequal."""
    _, _, _, _, ph, pw, _, _, eh, ew, _ = window
    return ((ph, ph + eh), (pw, pw + ew)) if eh or ew else (ph, pw)


def window_options(window: Window, usual_stride: Pair) -> dict[str, Any]:
    """Return what is worth printing of a window: the kernel, and what is not as usual."""
    options: dict[str, Any] = {"kernel": f"{window.kh}x{window.kw}"}
    if (window.sh, window.sw) != usual_stride:
        options["stride"] = f"{window.sh}x{window.sw}"
    padding = _padding(window)
    if padding != (0, 0):
        options["padding"] = padding if window.eh or window.ew else "{}x{}".format(*padding)
    if (window.dh, window.dw) != (1, 1):
        options["dilation"] = f"{window.dh}x{window.dw}"
    if window.groups != 1:
        options["groups"] = window.groups
    return options


def row_options(window: Window) -> dict[str, Any]:
    """Return what is worth printing of a window over rows of pixels."""
    options: dict[str, Any] = {"kernel": window.kw}
    if window.sw != 1:
        options["stride"] = window.sw
    if window.pw or window.ew:
        options["padding"] = (window.pw, window.pw + window.ew) if window.ew else window.pw
    if window.dw != 1:
        options["dilation"] = window.dw
    if window.groups != 1:
        options["groups"] = window.groups
    return options
