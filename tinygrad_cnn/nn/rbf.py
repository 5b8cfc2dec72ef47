"""LeCun's output layer of radial basis functions, and the pictures that are its codes."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.nn.module import Module
from tinygrad_cnn.nn.requirements import require_positive
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.tensor import Tensor

Array = npt.NDArray[Any]

HEIGHT, WIDTH = 12, 7  # of a picture, in pixels: together the 84 units of F6

# Drawn for this package, in the manner of the paper's figure 3; not copied bit by bit.
_DIGITS = (
    """
    ..###.. ...#... .#####. .#####. ....#..
    .#...#. ..##... #.....# #.....# ...##..
    #.....# .#.#... ......# ......# ..#.#..
    #.....# ...#... ......# ......# ..#.#..
    #.....# ...#... .....#. .....#. .#..#..
    #.....# ...#... ....#.. ..###.. .#..#..
    #.....# ...#... ...#... .....#. #...#..
    #.....# ...#... ..#.... ......# #######
    #.....# ...#... .#..... ......# ....#..
    #.....# ...#... #...... ......# ....#..
    .#...#. ...#... #...... #.....# ....#..
    ..###.. .#####. ####### .#####. ....#..
    """,
    """
    ####### ...###. ####### ..###.. .#####.
    #...... ..#.... ......# .#...#. #.....#
    #...... .#..... ......# #.....# #.....#
    #...... #...... .....#. #.....# #.....#
    #.####. #...... .....#. .#...#. #.....#
    ##....# #.###.. ....#.. ..###.. .######
    ......# ##...#. ....#.. .#...#. ......#
    ......# #.....# ...#... #.....# ......#
    ......# #.....# ...#... #.....# ......#
    ......# #.....# ..#.... #.....# .....#.
    #.....# .#...#. ..#.... .#...#. ....#..
    .#####. ..###.. .#..... ..###.. .###...
    """,
)


def digit_bitmaps() -> Array:
    """Return the pictures of the ten digits, 12x7 pixels of +1 (ink) and -1.

    Returns
    -------
    ndarray of float32, shape (10, 12, 7)

    Examples
    --------
    >>> print("".join("#" if ink > 0 else "." for ink in digit_bitmaps()[2][-1]))
    #######
    """
    bands = ([line.split() for line in band.split("\n") if line.strip()] for band in _DIGITS)
    rows = [digit for band in bands for digit in zip(*band, strict=True)]
    ink = [[[1.0 if pixel == "#" else -1.0 for pixel in row] for row in digit] for digit in rows]
    return np.array(ink, np.float32)


class RBFOutput(Module):
    """Compare a vector with one fixed code for each class: score = -‖x - w‖².

    Parameters
    ----------
    in_features : int
        Length of x and of the codes; the paper has 84, a picture of 12x7 pixels.
    num_classes : int
        K. For ten classes and 84 features the codes are :func:`digit_bitmaps`, as in the
        paper; else they are drawn from +1 and -1, the other way that the paper names.
    generator : numpy.random.Generator, optional
        That codes are drawn from; by default the package's.

    Raises
    ------
    OptionError
        If a size is not positive, or there are fewer different codes than classes.

    Notes
    -----
    The codes are no parameters: they stand in the state dictionary as the buffer `codes`
    (K, in_features) and are not trained. The paper's penalties are ``y = ‖x - w‖²``, the
    smallest of which is the answer; here the scores are their negatives, so that the largest
    is, as in every other network.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
       document recognition", Proc. IEEE 86(11), 1998, section II-B, equation 7, figure 3.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> layer = tg.nn.RBFOutput(84)
    >>> layer.count_parameters()
    0
    >>> layer(tg.Tensor(layer.codes)).argmax(1).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    codes: Array

    def __init__(
        self,
        in_features: int,
        num_classes: int = 10,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        require_positive("RBFOutput", in_features=in_features, num_classes=num_classes)
        if (num_classes, in_features) == (10, HEIGHT * WIDTH):
            codes = digit_bitmaps().reshape(10, -1)
        else:
            codes = _drawn(num_classes, in_features, generator or default_generator())
        self.register_buffer("codes", codes)

    def forward(self, x: Tensor) -> Any:
        """Map (N, in_features) to scores (N, num_classes)."""
        return F.negative(F.squared_distances(x, self.codes))

    def options(self) -> str:
        return f"{self.codes.shape[1]}, {self.codes.shape[0]}"


def _drawn(count: int, length: int, generator: np.random.Generator) -> Array:
    """Draw different codes of +1 and -1."""
    if length < 63 and count > 2**length:
        raise OptionError(
            f"RBFOutput: {length} features have {2**length} different codes; got {count} classes"
        )
    codes: dict[bytes, Array] = {}
    while len(codes) < count:
        code = generator.choice(np.array([-1.0, 1.0], np.float32), length)
        codes[code.tobytes()] = code
    return np.array(list(codes.values()))
