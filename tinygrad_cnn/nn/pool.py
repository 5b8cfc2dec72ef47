"""Pooling layers."""

from collections.abc import Callable
from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.extremes import is_shared
from tinygrad_cnn.elements.pool import pool_window
from tinygrad_cnn.elements.pool_adaptive import grid_size
from tinygrad_cnn.elements.pool_mean import require_divisor
from tinygrad_cnn.elements.requirements import finite_number
from tinygrad_cnn.hooks import require_callable
from tinygrad_cnn.nn.module import Module
from tinygrad_cnn.nn.requirements import Size, single
from tinygrad_cnn.tensor import Tensor


class _Pool(Module):
    """Common part: the window, and how it is printed."""

    kernel_size: Size
    stride: Size | None
    padding: Size

    def _keep(
        self, kernel_size: Size, stride: Size | None, padding: Size, dilation: Size = 1
    ) -> None:
        """Keep the options of the window, or refuse them."""
        pool_window(type(self).__name__, kernel_size, stride, padding, dilation)
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def _further(self) -> dict[str, tuple[Any, Any]]:
        """Return the other options that are printed where they are not as usual."""
        return {}

    def options(self) -> str:
        text = f"{self.kernel_size}, stride {self.stride or self.kernel_size}"
        shown = {"padding": (single(self.padding), 0), **self._further()}
        return text + "".join(
            f", {name} {given}" for name, (given, usual) in shown.items() if given != usual
        )


class MaxPool2d(_Pool):
    """Maximum pooling; see :func:`tinygrad_cnn.functional.max_pool2d`.

    Parameters
    ----------
    kernel_size, stride, padding, dilation : int or (int, int), in pixels
        The window, its step (by default the window), the border, which never wins, and the
        distance from one tap of the window to the next.
    return_indices : bool
        Return (values, indices), for :class:`MaxUnpool2d`.
    ceil_mode : bool
        Round the output size up.
    ties : {"first", "last", "split", "all"}
        Who receives the error signal among equal values.

    Raises
    ------
    OptionError
        If an option is out of range.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.nn.MaxPool2d(3, 2)(tg.ones(1, 96, 55, 55)).shape
    (1, 96, 27, 27)
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
        *,
        ties: str = "first",
    ) -> None:
        super().__init__()
        self._keep(kernel_size, stride, padding, dilation)
        is_shared("MaxPool2d", ties)
        self.dilation, self.return_indices, self.ceil_mode = dilation, return_indices, ceil_mode
        self.ties = ties

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, C, OH, OW)."""
        return F.max_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
            ties=self.ties,
        )

    def _further(self) -> dict[str, tuple[Any, Any]]:
        return {
            "dilation": (single(self.dilation), 1),
            "return_indices": (self.return_indices, False),
            "ceil_mode": (self.ceil_mode, False),
            "ties": (self.ties, "first"),
        }


class MaxUnpool2d(_Pool):
    """Puts values back where maximum pooling found them.

    See :func:`tinygrad_cnn.functional.max_unpool2d`.

    Parameters
    ----------
    kernel_size, stride, padding : int or (int, int), in pixels
        Those of the pooling.

    Raises
    ------
    OptionError
        If an option is out of range.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[[[1.0, 5.0], [3.0, 2.0]]]])
    >>> y, indices = tg.nn.MaxPool2d(2, return_indices=True)(x)
    >>> tg.nn.MaxUnpool2d(2)(y, indices).tolist()
    [[[[0.0, 5.0], [0.0, 0.0]]]]
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__()
        self._keep(kernel_size, stride, padding)

    def forward(
        self, x: Tensor, indices: Tensor, output_size: tuple[int, ...] | None = None
    ) -> Any:
        """Map (N, C, H, W) and its indices to (N, C, OH, OW)."""
        window = (self.kernel_size, self.stride, self.padding)
        return F.max_unpool2d(x, indices, *window, output_size)


class AvgPool2d(_Pool):
    """Average pooling; see :func:`tinygrad_cnn.functional.avg_pool2d`.

    Parameters
    ----------
    kernel_size, stride, padding : int or (int, int), in pixels
        The window, its step (by default the window) and the border of zeros.
    ceil_mode : bool
        Round the output size up.
    count_include_pad : bool
        Count the border in the divisor.
    divisor_override : int, optional
        Divide by this number, whatever a window holds.

    Raises
    ------
    OptionError
        If an option is out of range.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.nn.AvgPool2d(2)(tg.Tensor([[[[1.0, 2.0], [3.0, 6.0]]]])).tolist()
    [[[[3.0]]]]
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self._keep(kernel_size, stride, padding)
        require_divisor("AvgPool2d", divisor_override)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad
        self.divisor_override = divisor_override

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, C, OH, OW)."""
        return F.avg_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def _further(self) -> dict[str, tuple[Any, Any]]:
        return {
            "ceil_mode": (self.ceil_mode, False),
            "count_include_pad": (self.count_include_pad, True),
            "divisor_override": (self.divisor_override, None),
        }


class SumPool2d(_Pool):
    """Adds up the values under each window; see :func:`tinygrad_cnn.functional.sum_pool2d`.

    Parameters
    ----------
    kernel_size, stride, padding : int or (int, int), in pixels
        The window, its step (by default the window) and the border of zeros.
    ceil_mode : bool
        Round the output size up.

    Raises
    ------
    OptionError
        If an option is out of range.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.nn.SumPool2d(2)(tg.Tensor([[[[1.0, 2.0], [3.0, 6.0]]]])).tolist()
    [[[[12.0]]]]
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self._keep(kernel_size, stride, padding)
        self.ceil_mode = ceil_mode

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, C, OH, OW)."""
        return F.sum_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode)

    def _further(self) -> dict[str, tuple[Any, Any]]:
        return {"ceil_mode": (self.ceil_mode, False)}


class LPPool2d(_Pool):
    """Lp pooling; see :func:`tinygrad_cnn.functional.lp_pool2d`.

    Parameters
    ----------
    norm_type : float
        The power p, at least 1.
    kernel_size, stride : int or (int, int), in pixels
        The window and its step (by default the window).
    ceil_mode : bool
        Round the output size up.

    Raises
    ------
    OptionError
        If an option is out of range.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.nn.LPPool2d(2, 2)(tg.Tensor([[[[3.0, -4.0], [0.0, 0.0]]]])).tolist()
    [[[[5.0]]]]
    """

    def __init__(
        self,
        norm_type: float,
        kernel_size: Size,
        stride: Size | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self._keep(kernel_size, stride, 0)
        finite_number("LPPool2d", "norm_type, the power p,", norm_type, 1.0)
        self.norm_type, self.ceil_mode = norm_type, ceil_mode

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, C, OH, OW)."""
        return F.lp_pool2d(x, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)

    def _further(self) -> dict[str, tuple[Any, Any]]:
        return {"p": (self.norm_type, None), "ceil_mode": (self.ceil_mode, False)}


class AdaptiveAvgPool2d(Module):
    """Averages over a grid of cells; see :func:`tinygrad_cnn.functional.adaptive_avg_pool2d`.

    Parameters
    ----------
    output_size : int or (int or None, int or None), in cells
        The grid, (down, across); None keeps the size of the image. With 1 it is the global
        average of each channel.

    Raises
    ------
    OptionError
        If a size is below 1.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.nn.AdaptiveAvgPool2d((6, 6))(tg.ones(1, 256, 9, 13)).shape
    (1, 256, 6, 6)
    """

    def __init__(self, output_size: int | tuple[int | None, int | None] | None) -> None:
        super().__init__()
        grid_size("AdaptiveAvgPool2d", output_size)
        self.output_size = output_size

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, C, OH, OW)."""
        return F.adaptive_avg_pool2d(x, self.output_size)

    def options(self) -> str:
        return f"{single(self.output_size)}"


class Pool2d(_Pool):
    """Pooling with any function of a window; see :func:`tinygrad_cnn.functional.pool2d`.

    Parameters
    ----------
    function : callable
        Maps windows (N, C, OH, OW, m) to (N, C, OH, OW).
    kernel_size, stride, padding, dilation : int or (int, int), in pixels
        As of :class:`MaxPool2d`; the border reads as zeros.
    ceil_mode : bool
        Round the output size up.

    Raises
    ------
    DTypeError
        If the function cannot be called.
    OptionError
        If an option is out of range.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> spread = tg.nn.Pool2d(lambda w: tg.functional.max(w, -1) - tg.functional.min(w, -1), 2)
    >>> spread(tg.Tensor([[[[1.0, 2.0], [3.0, 6.0]]]])).tolist()
    [[[[5.0]]]]
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        require_callable("Pool2d", function)
        self.function = function
        self._keep(kernel_size, stride, padding, dilation)
        self.dilation, self.ceil_mode = dilation, ceil_mode

    def forward(self, x: Tensor) -> Any:
        """Map (N, C, H, W) to (N, C, OH, OW)."""
        window = (self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)
        return F.pool2d(x, self.function, *window)

    def options(self) -> str:
        return f"{getattr(self.function, '__name__', 'function')}, {super().options()}"

    def _further(self) -> dict[str, tuple[Any, Any]]:
        return {"dilation": (single(self.dilation), 1), "ceil_mode": (self.ceil_mode, False)}
