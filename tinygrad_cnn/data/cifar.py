"""CIFAR-10 and CIFAR-100: colour photographs of 32x32 pixels in 10 classes, or in 100.

Both are read from the Python form and from the binary form, whichever is here; the Python form
is fetched. CIFAR-100 calls each image by two names: its class (fine) and one of 20 groups of
five classes (coarse).
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinygrad_cnn.data.cifar_classes import CIFAR10_CLASSES, COARSE_CLASSES, FINE_CLASSES
from tinygrad_cnn.data.cifar_format import (
    IMAGE_SHAPE,
    Labels,
    read_binary_batch,
    read_python_batch,
)
from tinygrad_cnn.data.dataset import ArrayDataset, Split
from tinygrad_cnn.data.places import obtain
from tinygrad_cnn.data.source import PublishedFile, Source
from tinygrad_cnn.errors import DataError, OptionError

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "CIFAR100_LABELS",
    "CifarSource",
    "load_cifar10",
    "load_cifar100",
    "load_cifar_source",
]

# The first sends on to the second.
_MIRRORS = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")
_PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
_TORCHVISION = "pytorch/vision, torchvision/datasets/cifar.py"
CIFAR100_LABELS = {"fine": FINE_CLASSES, "coarse": COARSE_CLASSES}


@dataclass(frozen=True, kw_only=True)
class CifarSource(Source):
    """CIFAR-10 or CIFAR-100 in one of its forms: training batches, and last the test batch.

    Parameters
    ----------
    labels : tuple of str
        Names of the labels, in the order in which the files hold them; in the Python form
        also the keys under which.
    binary : bool
        Whether it is the binary form.
    """

    labels: tuple[str, ...]
    binary: bool = False


def _source(
    name: str,
    labels: tuple[str, ...],
    files: tuple[PublishedFile, ...],
    archive: PublishedFile,
    folder: str,
    binary: bool = False,
) -> CifarSource:
    return CifarSource(
        name=name,
        title=name.replace("cifar", "CIFAR-"),
        files=files,
        archive=archive,
        folders=(folder, f"{name}/{folder}", name, "."),
        mirrors=_MIRRORS,
        class_names=CIFAR10_CLASSES if name == "cifar10" else FINE_CLASSES,
        shape=IMAGE_SHAPE,
        counts=(50000, 10000),
        licence="none stated; the publisher asks to be cited",
        citation="Krizhevsky, Learning multiple layers of features from tiny images, technical "
        "report, University of Toronto, 2009",
        labels=labels,
        binary=binary,
    )


def _batch(name: str, size: int, digest: str) -> PublishedFile:
    return PublishedFile(name, f"sha256:{digest}", size)


CIFAR10 = (
    _source(
        "cifar10",
        ("labels",),
        (
            _batch(
                "data_batch_1",
                31035704,
                "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
            ),
            _batch(
                "data_batch_2",
                31035320,
                "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8",
            ),
            _batch(
                "data_batch_3",
                31035999,
                "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9",
            ),
            _batch(
                "data_batch_4",
                31035696,
                "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b",
            ),
            _batch(
                "data_batch_5",
                31035623,
                "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154",
            ),
            _batch(
                "test_batch",
                31035526,
                "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831",
            ),
        ),
        PublishedFile(
            "cifar-10-python.tar.gz", "md5:c58f30108f718f92721af3b95e74349a", 170498071, _PAGE
        ),
        "cifar-10-batches-py",
    ),
    _source(
        "cifar10",
        ("labels",),
        # One label byte and 3072 pixels for each of 10,000 images.
        tuple(
            PublishedFile(f"{name}.bin", size=10000 * 3073)
            for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
        ),
        PublishedFile(
            "cifar-10-binary.tar.gz", "md5:c32a1d4ab5d03f1284b67883e8d87530", 170052171, _PAGE
        ),
        "cifar-10-batches-bin",
        binary=True,
    ),
)
"""The forms of CIFAR-10: the Python form, which is fetched, and the binary form.

The archive of the Python form has the publisher's MD5 sum, its batches have SHA-256 sums that
were measured on them. The size of the binary archive is from tensorflow/datasets,
url_checksums/cifar10.txt.
"""

CIFAR100 = (
    _source(
        "cifar100",
        ("fine_labels", "coarse_labels"),
        (
            PublishedFile("train", "md5:16019d7e3df5f24257cddd939b257f8d", None, _TORCHVISION),
            PublishedFile("test", "md5:f0ef6b0ae62326f3e7ffdfab6717acfc", None, _TORCHVISION),
        ),
        PublishedFile(
            "cifar-100-python.tar.gz",
            "md5:eb9058c3a382ffc7106e4002c42a8d85",
            169001437,
            _TORCHVISION,
        ),
        "cifar-100-python",
    ),
    _source(
        "cifar100",
        ("coarse_labels", "fine_labels"),
        (
            PublishedFile("train.bin", size=50000 * 3074),
            PublishedFile("test.bin", size=10000 * 3074),
        ),
        PublishedFile(
            "cifar-100-binary.tar.gz", "md5:03b5dce01913d631647c71ecec9e9cb8", 168513733, _PAGE
        ),
        "cifar-100-binary",
        binary=True,
    ),
)
"""The forms of CIFAR-100, as those of :data:`CIFAR10`; none of the sums was measured here."""


def load_cifar10(data_dir: str | os.PathLike[str] | None = None, download: bool = True) -> Split:
    """Return CIFAR-10 as published: 32x32 pixels of three colours, 0..255.

    The batches are looked for in the folder ``cifar-10-batches-py`` of `data_dir`, where
    torchvision unpacks them too, or ``cifar-10-batches-bin``; in the same below ``cifar10``;
    in ``cifar10`` and in `data_dir` itself; then in the same places below the folder that the
    variable TINYGRAD_CNN_DATA names, and in the user's cache. An archive found there is
    unpacked. Otherwise it is fetched, 170 MB.

    Parameters
    ----------
    data_dir : str or path, optional
    download : bool
        Fetch missing files; the variable TINYGRAD_CNN_OFFLINE=1 forbids it too.

    Returns
    -------
    Split
        Of images as uint8, shape (50000, 3, 32, 32) and (10000, 3, 32, 32), channels red,
        green, blue.

    Raises
    ------
    MissingDataError
        If the files are not here and cannot be fetched.
    DataError
        If a file is damaged.

    References
    ----------
    Krizhevsky, "Learning multiple layers of features from tiny images", technical report,
    University of Toronto, 2009.

    Examples
    --------
    >>> train, test = load_cifar10("~/data")  # doctest: +SKIP
    >>> train.images.shape, train.class_names[train.labels[0]]  # doctest: +SKIP
    ((50000, 3, 32, 32), 'frog')
    """
    return load_cifar_source(CIFAR10, "labels", CIFAR10_CLASSES, data_dir, download)


def load_cifar100(
    data_dir: str | os.PathLike[str] | None = None, download: bool = True, labels: str = "fine"
) -> Split:
    """Return CIFAR-100 as published: 32x32 pixels of three colours, 0..255.

    Looked for as :func:`load_cifar10` does, in ``cifar-100-python`` or ``cifar-100-binary``.

    Parameters
    ----------
    data_dir : str or path, optional
    download : bool
    labels : {"fine", "coarse"}
        The 100 classes, or the 20 groups of five.

    Returns
    -------
    Split
        Of images as uint8, shape (50000, 3, 32, 32) and (10000, 3, 32, 32).

    Raises
    ------
    OptionError
        If there are no such labels.
    MissingDataError
        If the files are not here and cannot be fetched.
    DataError
        If a file is damaged.

    Examples
    --------
    >>> train, test = load_cifar100("~/data", labels="coarse")  # doctest: +SKIP
    >>> len(train.class_names)  # doctest: +SKIP
    20
    """
    if labels not in CIFAR100_LABELS:
        raise OptionError(
            f"load_cifar100: labels are one of {', '.join(CIFAR100_LABELS)}; got {labels!r}"
        )
    return load_cifar_source(
        CIFAR100, f"{labels}_labels", CIFAR100_LABELS[labels], data_dir, download
    )


def load_cifar_source(
    forms: tuple[CifarSource, ...],
    labels: str,
    class_names: tuple[str, ...],
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Split:
    """Return a data set of CIFAR's batches in whichever form is here.

    Parameters
    ----------
    forms : tuple of CifarSource
        The first is fetched where none is here.
    labels : str
        Which labels, where a form has several.
    class_names : tuple of str
    data_dir : str or path, optional
    download : bool

    Returns
    -------
    Split

    Raises
    ------
    MissingDataError, DataError
        As :func:`load_cifar10`.
    """
    form, paths = obtain(forms, data_dir, download)
    *train, test = (_read(form, path, labels, class_names) for path in paths)
    return Split(_joined(train), _joined([test]))


def _joined(parts: list[ArrayDataset]) -> ArrayDataset:
    return ArrayDataset(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        parts[0].class_names,
    )


def _read(form: CifarSource, path: Path, labels: str, class_names: tuple[str, ...]) -> ArrayDataset:
    if form.binary:
        images, all_labels = read_binary_batch(path, len(form.labels))
    else:
        images, all_labels = read_python_batch(path, form.labels)
    chosen: Labels = all_labels[form.labels.index(labels)]
    if chosen.size and int(chosen.max()) >= len(class_names):
        raise DataError(
            f"load {form.name}: labels are 0 to {len(class_names) - 1}; got {int(chosen.max())} in "
            f"{path}; delete the file and fetch it again"
        )
    return ArrayDataset(images, chosen, class_names)
