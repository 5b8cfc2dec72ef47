"""1,797 real handwritten digits that come with the package: no files, no network.

They are the test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak
1998), written by 13 people. Each image counts the ink in 4x4 blocks of a 32x32 bitmap: 8x8
pixels of 0..16. DIGITS_ATTRIBUTION.txt beside this file tells where they are from.
"""

from importlib import resources

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.dataset import ArrayDataset, Split
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError

__all__ = ["load_digits", "upsample"]

LARGEST_PIXEL = 16
SPLITS = ("interleaved", "writers")
_WRITERS_TEST = 360
# The part of the field's side that the image takes: 24 of 32 pixels, a whole factor of 3
# for 8x8 digits. MNIST's digits take 20 of 28 pixels.
_SHARE_OF_FIELD = 0.75


def load_digits(split: str = "interleaved") -> Split:
    """Return the embedded digits, 8x8 pixels of 0..16.

    Parameters
    ----------
    split : {"interleaved", "writers"}
        "interleaved": every fifth image is a test image, those at i with i mod 5 = 4, 359
        of 1,797. The same people wrote training and test images. "writers": the last 360
        are test images. The set does not say who wrote what, but neighbours look as if by
        one hand, so most of these come from people whose hand the training images do not
        show: harder, and nearer to real use.

    Returns
    -------
    Split
        Of images as uint8, shape (N, 1, 8, 8).

    Raises
    ------
    OptionError
        If there is no such split.

    Examples
    --------
    >>> train, test = load_digits()
    >>> train.images.shape, test.images.shape
    ((1438, 1, 8, 8), (359, 1, 8, 8))
    """
    if split not in SPLITS:
        raise OptionError(f"load_digits: split is one of {', '.join(SPLITS)}; got {split!r}")
    source = resources.files(__package__).joinpath("digits.npz")
    with source.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        images, labels = archive["images"], archive["labels"]
    dataset = ArrayDataset(images[:, None], labels, tuple("0123456789"))
    index = np.arange(len(dataset))
    tests = {"interleaved": index % 5 == 4, "writers": index >= len(dataset) - _WRITERS_TEST}
    is_test = tests[split]
    return Split(dataset.subset(np.flatnonzero(~is_test)), dataset.subset(np.flatnonzero(is_test)))


def upsample(images: npt.NDArray[np.float32], size: int = 32) -> npt.NDArray[np.float32]:
    """Enlarge square images smoothly, centred in a field with an empty margin.

    The image takes three quarters of the field's side: an 8x8 digit becomes 24x24 within
    32x32. LeNet-5 wants such a margin (LeCun et al. 1998, section II.B). In between, values
    are interpolated linearly along each axis ::

        Y = B X Bᵀ                  B[i, p] = max(0, 1 - |t(i) - p|)
        t(i) = (i + 1/2 - size/2) / s + side/2 - 1/2        s = 3/4 size / side

    where t(i) is the place, in pixels of X, where the centre of pixel i of Y lies. Around X
    there is nothing, so the strokes fade out into the margin within half a pixel of X. No
    value leaves the range from 0 to the largest pixel. Where s is a whole number (and side
    at least 3) every pixel of X hands on its ink s² times: the sum of Y is s² times the sum
    of X.

    Parameters
    ----------
    images : ndarray of float32, shape (N, C, side, side)
    size : int, in pixels
        Height and width of the result, at least 4/3 of `side`.

    Returns
    -------
    ndarray of float32, shape (N, C, size, size)

    Raises
    ------
    ShapeError
        If the images are not square.
    DTypeError
        If they are not float32.
    OptionError
        If `size` would make the image smaller.

    Examples
    --------
    >>> upsample(np.ones((1, 1, 8, 8), np.float32)).shape
    (1, 1, 32, 32)
    >>> upsample(np.ones((1, 1, 1, 1), np.float32), size=4)[0, 0, 1].round(4)
    array([0.4167, 0.6944, 0.6944, 0.4167], dtype=float32)
    """
    if images.ndim != 4 or images.shape[2] != images.shape[3]:
        raise ShapeError(f"upsample: images have shape (N, C, side, side); got {images.shape}")
    if images.dtype != np.float32:
        raise DTypeError(
            f"upsample: images are float32, see tinygrad_cnn.data.to_float; got {images.dtype}"
        )
    side = images.shape[2]
    factor = _SHARE_OF_FIELD * size / side if side else 0.0
    if factor < 1.0:
        raise OptionError(
            f"upsample: size is at least 4/3 of the images' side; got size {size} for images "
            f"of {side}x{side}"
        )
    places = (np.arange(size) + 0.5 - size / 2) / factor + side / 2 - 0.5
    distances = np.abs(places[:, None] - np.arange(side))
    weights = np.maximum(0.0, 1.0 - distances).astype(np.float32)
    # einsum of two arrays adds in a fixed order; matmul leaves that to the BLAS at hand.
    columns: npt.NDArray[np.float32] = np.einsum("ncpq,jq->ncpj", images, weights)
    result: npt.NDArray[np.float32] = np.einsum("ip,ncpj->ncij", weights, columns)
    return result
