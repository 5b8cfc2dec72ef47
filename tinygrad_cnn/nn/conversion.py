"""Fully connected layers as convolutions, so that a network runs on larger images."""

import copy

from tinygrad_cnn.elements.window import pair
from tinygrad_cnn.errors import DTypeError, ShapeError
from tinygrad_cnn.kernels.geometry import Pair
from tinygrad_cnn.nn.container import Flatten, Sequential
from tinygrad_cnn.nn.conv import Conv2d
from tinygrad_cnn.nn.linear import Linear
from tinygrad_cnn.nn.module import Module, Parameter
from tinygrad_cnn.nn.requirements import Size


def to_convolution(part: Module, spatial: Size) -> Module:
    """Turn fully connected layers into convolutions that compute the same.

    A Linear layer over a flattened map (C, h, w) is a convolution whose filters are as large
    as the map. As a convolution it also takes larger maps, and answers once for each place
    of its window: a network for 32x32 images becomes one that slides over an image of any
    size, and shares the work of windows that overlap.

    Parameters
    ----------
    part : Linear or Sequential
        Of a Sequential, every Linear becomes a convolution, the first one with a filter of
        the size of the map, those behind it with 1x1 filters; Flatten disappears; layers
        without parameters stay, and so does everything before the first of these.
    spatial : int or (int, int), in pixels
        Height and width of the map that the first Linear layer is made for.

    Returns
    -------
    Conv2d or Sequential
        With copies of the parameters, not shared ones: training it leaves `part` alone. It
        maps (N, C, H, W) to (N, K, H - h + 1, W - w + 1).

    Raises
    ------
    ShapeError
        If the first Linear layer does not take maps of that size.
    DTypeError
        If there is something else with parameters behind the first Linear layer or Flatten.

    Notes
    -----
    ``Σ_k W[o,k] x[k]`` with k = (c, u, v) is ``Σ_c,u,v w[o,c,u,v] x[c, i+u, j+v]`` at
    i = j = 0. Where the layers before it pad their images, or stride or pool, the answer
    at (i, j) is that for the window cut out at the strides' multiple of (i, j), but for what
    padding changes at the edges of that window.

    References
    ----------
    .. [1] O. Matan et al., "Multi-digit recognition using a space displacement neural
       network", NIPS 1991.
    .. [2] P. Sermanet et al., "OverFeat: integrated recognition, localization and detection
       using convolutional networks", arXiv:1312.6229, section 3.5.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_cnn as tg
    >>> from tinygrad_cnn import nn
    >>> head = nn.Sequential(nn.Flatten(), nn.Linear(2 * 3 * 3, 5), nn.ReLU(), nn.Linear(5, 4))
    >>> slides = nn.to_convolution(head, 3)
    >>> image = tg.randn(1, 2, 4, 6)
    >>> scores = slides(image)
    >>> scores.shape
    (1, 4, 2, 4)
    >>> window = image[:, :, 1:4, 2:5]
    >>> np.allclose(scores[:, :, 1, 2].numpy(), head(window).numpy(), atol=1e-5)
    True
    """
    size = pair("to_convolution", "spatial", spatial, 1)
    if isinstance(part, Linear):
        return _convolution(part, size)
    if isinstance(part, Sequential):
        return _Conversion(size).of(part)
    raise DTypeError(
        f"to_convolution: it turns a Linear or a Sequential; got {type(part).__name__}. Turn "
        "each of its Linear layers by itself"
    )


class _Conversion:
    """A walk over a Sequential that remembers whether the map was flattened yet."""

    def __init__(self, size: Pair) -> None:
        self.size = size
        self.flat = False
        self.joined = False  # whether the first Linear layer took the map

    def of(self, part: Sequential) -> Sequential:
        return Sequential(*(one for module in part for one in self.each(module)))

    def each(self, module: Module) -> tuple[Module, ...]:
        """Return what stands in the place of a module: one, or none."""
        if isinstance(module, Sequential):
            return (self.of(module),)
        if isinstance(module, Flatten) and (module.start_dim, module.end_dim) == (1, -1):
            self.flat = True
            return ()
        if isinstance(module, Linear):
            layer = _convolution(module, (1, 1) if self.joined else self.size)
            self.flat = self.joined = True
            return (layer,)
        if self.flat and any(True for _ in module.parameters()):
            raise DTypeError(
                "to_convolution: behind Flatten or the first Linear, layers with parameters are "
                f"Linear; got {type(module).__name__}"
            )
        return (copy.deepcopy(module),)


def _convolution(linear: Linear, size: Pair) -> Conv2d:
    """Return the convolution with the weights of a Linear layer over maps of a size."""
    outputs, features = linear.weight.shape
    channels, rest = divmod(features, size[0] * size[1])
    if rest:
        raise ShapeError(
            "to_convolution: the features of a Linear layer are channels times height times "
            f"width; got {features} features for maps of {size[0]}x{size[1]}"
        )
    layer = Conv2d(channels, outputs, size, bias=linear.bias is not None)
    weight = linear.weight.numpy().reshape(outputs, channels, *size)
    layer.weight = Parameter(weight, linear.weight.requires_grad)
    if linear.bias is not None:
        layer.bias = Parameter(linear.bias.numpy(), linear.bias.requires_grad)
    return layer
