"""EMNIST: handwritten digits and letters in six arrangements, one archive for all.

========== ======= =======================================================================
split      classes what is told apart
========== ======= =======================================================================
byclass    62      0-9, A-Z, a-z
bymerge    47      the same, but c i j k l m o p s u v w x y z are one class with C I J ...
balanced   47      those of bymerge, equally many of each
letters    26      a-z, capital or not
digits     10      0-9, equally many of each
mnist      10      0-9, as many as in MNIST
========== ======= =======================================================================

The files hold each image column by column, so that read row by row it lies on its side and is
mirrored; it is turned upright here. The labels of "letters" count from 1 in the files, as no
other's do; here all count from 0, and 0 is "a".
"""

import os
import string

from tinygrad_cnn.data.dataset import Split
from tinygrad_cnn.data.mnist import IdxSource, load_idx_source
from tinygrad_cnn.data.source import PublishedFile
from tinygrad_cnn.errors import OptionError

__all__ = ["EMNIST", "EMNIST_SPLITS", "load_emnist"]

_ARCHIVE = PublishedFile(
    "gzip.zip",
    "md5:58c8d27c78d21e728a6bc7b3cc06412e",
    561753746,  # tensorflow/datasets, url_checksums/emnist.txt
    "pytorch/vision, torchvision/datasets/mnist.py",
)
# Letters whose capital and small forms look alike, after Cohen et al. 2017.
_MERGED = "cijklmopsuvwxyz"
_CHARACTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_TOLD_APART = "".join(letter for letter in _CHARACTERS if letter not in _MERGED)

# Classes, training and test images: https://www.nist.gov/itl/products-and-services/emnist-dataset
# gives the sums; the parts are those of the files.
_SPLITS: dict[str, tuple[str, int, int]] = {
    "balanced": (_TOLD_APART, 112800, 18800),
    "byclass": (_CHARACTERS, 697932, 116323),
    "bymerge": (_TOLD_APART, 697932, 116323),
    "digits": (string.digits, 240000, 40000),
    "letters": (string.ascii_lowercase, 124800, 20800),
    "mnist": (string.digits, 60000, 10000),
}
EMNIST_SPLITS = tuple(_SPLITS)


def _source(split: str) -> IdxSource:
    classes, train, test = _SPLITS[split]
    return IdxSource(
        name="emnist",
        title=f"EMNIST {split}",
        files=tuple(
            PublishedFile(f"emnist-{split}-{part}-{what}-ubyte.gz")
            for part in ("train", "test")
            for what in ("images-idx3", "labels-idx1")
        ),
        archive=_ARCHIVE,
        folders=("emnist", "EMNIST/raw", "."),
        mirrors=("https://biometrics.nist.gov/cs_links/EMNIST/",),
        class_names=tuple(classes),
        shape=(1, 28, 28),
        counts=(train, test),
        licence="none stated; published by NIST, made from its Special Database 19",
        citation="Cohen, Afshar, Tapson, van Schaik, EMNIST: an extension of MNIST to "
        "handwritten letters, arXiv:1702.05373",
        first_label=1 if split == "letters" else 0,
        transposed=True,
    )


EMNIST: dict[str, IdxSource] = {split: _source(split) for split in EMNIST_SPLITS}


def load_emnist(
    data_dir: str | os.PathLike[str] | None = None, download: bool = True, split: str = "balanced"
) -> Split:
    """Return a split of EMNIST: 28x28 pixels of 0..255, upright.

    The four files of the split, or the archive ``gzip.zip`` that holds all, are looked for in
    the folders ``emnist`` and ``EMNIST/raw`` of `data_dir` and in `data_dir` itself, and then
    where :func:`load_mnist` looks on. Otherwise the archive is fetched, 562 MB; it stays, so
    that another split needs no network.

    Parameters
    ----------
    data_dir : str or path, optional
    download : bool
    split : {"balanced", "byclass", "bymerge", "digits", "letters", "mnist"}

    Returns
    -------
    Split
        Of images as uint8, shape (N, 1, 28, 28); labels count from 0 in every split.

    Raises
    ------
    OptionError
        If there is no such split.
    MissingDataError
        If the files are not here and cannot be fetched.
    DataError
        If a file is damaged, or the files do not fit together.

    References
    ----------
    Cohen, Afshar, Tapson, van Schaik, "EMNIST: an extension of MNIST to handwritten letters",
    arXiv:1702.05373.

    Examples
    --------
    >>> train, test = load_emnist("~/data", split="letters")  # doctest: +SKIP
    >>> train.images.shape, train.class_names[:3]  # doctest: +SKIP
    ((124800, 1, 28, 28), ('a', 'b', 'c'))
    """
    if split not in EMNIST:
        raise OptionError(f"load_emnist: split is one of {', '.join(EMNIST)}; got {split!r}")
    return load_idx_source(EMNIST[split], data_dir, download)
