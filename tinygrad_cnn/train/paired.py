"""Two ways to answer the same images, compared image by image.

An accuracy that rises from 91.1 to 91.5 % tells 40 images of 10,000 more, and hides how they
came about: 40 mended and none spoiled is another thing than 240 mended and 200 spoiled. The
images that both ways answer right, or both wrong, say nothing about which way is better. Were
the two as good as each other, each of the others would be mended or spoiled like heads or tails
of a fair coin. McNemar's test [1]_ asks how often a coin would divide n = b + c images at least
as unevenly as into b mended and c spoiled,

    p = min(1, 2 · Σ_{k=0..min(b, c)} n! / (k! (n - k)!) / 2ⁿ),

here by the exact binomial distribution. A large p means that the images do not tell the two
ways apart.

References
----------
.. [1] Q. McNemar, "Note on the sampling error of the difference between correlated proportions
   or percentages", Psychometrika 12, 1947, pages 153-157.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError

__all__ = ["PairedAnswers", "Right", "mcnemar", "paired"]

Right = npt.NDArray[np.bool_]


class PairedAnswers(NamedTuple):
    """How answers to the same images changed.

    Attributes
    ----------
    mended : int, in images
        Answered wrong before, and right after.
    spoiled : int, in images
        Answered right before, and wrong after.
    total : int, in images
        All of them.
    """

    mended: int
    spoiled: int
    total: int

    @property
    def gain(self) -> float:
        """By how much the accuracy rose (share of images, negative where it fell)."""
        return (self.mended - self.spoiled) / self.total

    @property
    def p_value(self) -> float:
        """Of McNemar's exact test, see :func:`mcnemar`."""
        return mcnemar(self.mended, self.spoiled)


def paired(before: Right, after: Right) -> PairedAnswers:
    """Compare which images were answered right before and after.

    Parameters
    ----------
    before, after : ndarray of bool, shape (N,)
        Whether each image was answered right; at least one image.

    Returns
    -------
    PairedAnswers

    Raises
    ------
    DTypeError, ShapeError, OptionError
        If these are no truth values of the same images.

    Examples
    --------
    >>> paired(np.array([True, False, False]), np.array([False, True, True]))
    PairedAnswers(mended=2, spoiled=1, total=3)
    """
    for one in (before, after):
        if one.dtype != np.bool_:
            raise DTypeError(f"paired: an answer is right or not; got {one.dtype}")
    if before.ndim != 1 or before.shape != after.shape:
        raise ShapeError(
            "paired: both have shape (N,), of the same images; got "
            f"{before.shape} and {after.shape}"
        )
    if not len(before):
        raise OptionError("paired: there are images to compare; got none")
    mended, spoiled = np.count_nonzero(~before & after), np.count_nonzero(before & ~after)
    return PairedAnswers(int(mended), int(spoiled), len(before))


def mcnemar(mended: int, spoiled: int) -> float:
    """Return how often a fair coin would be at least as uneven, on either side.

    Parameters
    ----------
    mended, spoiled : int, from 0 up

    Returns
    -------
    float, 0 to 1
        1 where nothing changed. No approximation but the last rounding: the sum is one of
        whole numbers.

    Raises
    ------
    OptionError
        If a number is negative.

    Examples
    --------
    >>> mcnemar(5, 0)  # five heads in a row, or five tails
    0.0625
    >>> round(mcnemar(240, 200), 4)
    0.0629
    """
    if min(mended, spoiled) < 0:
        raise OptionError(f"mcnemar: numbers of images are 0 or more; got {mended} and {spoiled}")
    changed = mended + spoiled
    ways = so_far = 1  # of n images none: one way
    for k in range(min(mended, spoiled)):
        ways = ways * (changed - k) // (k + 1)
        so_far += ways
    return min(1.0, 2 * so_far / 2**changed)
