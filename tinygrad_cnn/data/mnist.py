"""MNIST and its kin, read from IDX files: one table, one reader.

All of them are grey images of 28x28 pixels in four files: images and labels to train with, and
the same to test with. EMNIST has its rows in :mod:`tinygrad_cnn.data.emnist`.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.dataset import ArrayDataset, Split
from tinygrad_cnn.data.idx import read_idx
from tinygrad_cnn.data.places import obtain
from tinygrad_cnn.data.source import MEASURED, UNKNOWN, PublishedFile, Source
from tinygrad_cnn.errors import DataError, UnknownNameError

__all__ = ["FASHION_MNIST", "KMNIST", "MNIST", "IdxSource", "load_idx_source", "load_mnist"]

# The files in the order train images, train labels, test images, test labels.
_FILE_NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


@dataclass(frozen=True, kw_only=True)
class IdxSource(Source):
    """A data set of four IDX files: train images, train labels, test images, test labels.

    Parameters
    ----------
    first_label : int
        What the file calls the first class; classes are counted from 0 here.
    transposed : bool
        Whether the file holds each image column by column. It is turned upright here.
    """

    first_label: int = 0
    transposed: bool = False


def _files(
    *facts: tuple[int, str], stated_by: str = MEASURED, test_labels: str = UNKNOWN
) -> tuple[PublishedFile, ...]:
    """Make four rows of sizes and checksums, and one of the last file without compression."""
    unpacked = (None, None, None, test_labels)
    return tuple(
        PublishedFile(name, checksum, size, stated_by, plain)
        for name, (size, checksum), plain in zip(_FILE_NAMES, facts, unpacked, strict=True)
    )


MNIST = IdxSource(
    name="mnist",
    title="MNIST",
    files=_files(
        (9912422, "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (28881, "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (1648877, "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (4542, "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        test_labels="sha256:ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    folders=("mnist", "MNIST/raw", "."),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    class_names=tuple("0123456789"),
    shape=(1, 28, 28),
    counts=(60000, 10000),
    licence="CC BY-SA 3.0",
    citation="LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document "
    "recognition, Proceedings of the IEEE 86(11), 1998",
)

FASHION_MNIST = IdxSource(
    name="fashion_mnist",
    title="Fashion-MNIST",
    files=_files(
        (26421880, "sha256:3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (29515, "sha256:a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (4422102, "sha256:346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (5148, "sha256:67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        test_labels="sha256:0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    folders=("fashion_mnist", "FashionMNIST/raw", "."),
    # The authors' bucket, and the folder data/fashion of their repository.
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    shape=(1, 28, 28),
    counts=(60000, 10000),
    licence="MIT",
    citation="Xiao, Rasul, Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking "
    "machine learning algorithms, arXiv:1708.07747",
)

KMNIST = IdxSource(
    name="kmnist",
    title="Kuzushiji-MNIST",
    # Sizes: tensorflow/datasets, url_checksums/kmnist.txt.
    files=_files(
        (18165135, "md5:bdb82020997e1d708af4cf47b453dcf7"),
        (29497, "md5:e144d726b3acfaa3e44228e80efcd344"),
        (3041136, "md5:5c965bf0a639b31b8f53240b1b52f4d7"),
        (5120, "md5:7320c461ea6c1c855c0b718fb2a4b134"),
        stated_by="pytorch/vision, torchvision/datasets/mnist.py",
    ),
    folders=("kmnist", "KMNIST/raw", "."),
    mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),  # README.md of rois-codh/kmnist
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    shape=(1, 28, 28),
    counts=(60000, 10000),
    licence='CC BY-SA 4.0; "KMNIST Dataset" (created by CODH), adapted from "Kuzushiji Dataset" '
    "(created by NIJL and others), doi:10.20676/00000341",
    citation="Clanuwat et al., Deep learning for classical Japanese literature, arXiv:1812.01718",
)

_SOURCES = {source.name: source for source in (FASHION_MNIST, KMNIST, MNIST)}


def load_mnist(
    data_dir: str | os.PathLike[str] | None = None, download: bool = True, name: str = "mnist"
) -> Split:
    """Return MNIST, Fashion-MNIST or Kuzushiji-MNIST as published: 28x28 pixels of 0..255.

    The four files are looked for in the folders ``<name>`` and ``MNIST/raw`` of `data_dir`
    (``FashionMNIST/raw``, ``KMNIST/raw``: as torchvision lays them out) and in `data_dir`
    itself, then in the same places below the folder that the variable TINYGRAD_CNN_DATA names,
    then in the user's cache. If they are in none of these, they are fetched into
    ``<data_dir>/<name>``, or into the cache where no `data_dir` was given, and their checksums
    are compared.

    Parameters
    ----------
    data_dir : str or path, optional
    download : bool
        Fetch missing files; the variable TINYGRAD_CNN_OFFLINE=1 forbids it too.
    name : {"mnist", "fashion_mnist", "kmnist"}

    Returns
    -------
    Split
        Of images as uint8, shape (60000, 1, 28, 28) and (10000, 1, 28, 28).

    Raises
    ------
    UnknownNameError
        If `name` is another one.
    MissingDataError
        If the files are not here and cannot be fetched.
    DataError
        If a file is damaged, or the files do not fit together.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
    recognition", Proceedings of the IEEE 86(11), 1998, section III.A. Xiao, Rasul,
    Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms", arXiv:1708.07747. Clanuwat et al., "Deep learning for classical Japanese
    literature", arXiv:1812.01718.

    Examples
    --------
    >>> train, test = load_mnist("~/data")  # doctest: +SKIP
    >>> train.images.shape, train.labels[:5]  # doctest: +SKIP
    ((60000, 1, 28, 28), array([5, 0, 4, 1, 9]))
    """
    if name not in _SOURCES:
        raise UnknownNameError(
            f"load_mnist: name is one of {', '.join(sorted(_SOURCES))}; got {name!r}"
        )
    return load_idx_source(_SOURCES[name], data_dir, download)


def load_idx_source(
    source: IdxSource,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Split:
    """Return a data set of four IDX files; :func:`load_mnist` says where it looks.

    Parameters
    ----------
    source : IdxSource
    data_dir : str or path, optional
    download : bool

    Returns
    -------
    Split
        Of images as uint8, shape (N, 1, H, W), upright, and labels that count from 0.

    Raises
    ------
    MissingDataError
        If the files are not here and cannot be fetched.
    DataError
        If a file is damaged, or the files do not fit together.

    Examples
    --------
    >>> split = load_idx_source(MNIST, "~/data", download=False)  # doctest: +SKIP
    """
    _, paths = obtain((source,), data_dir, download)
    train = _read(source, paths[0], paths[1])
    test = _read(source, paths[2], paths[3])
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(
            f"load {source.name}: training and test images are of one size; got "
            f"{train.images.shape[2:]} in {paths[0]} and {test.images.shape[2:]} in {paths[2]}"
        )
    return Split(train, test)


def _read(source: IdxSource, image_path: Path, label_path: Path) -> ArrayDataset:
    images = _array(source, image_path, "images", ("N", "H", "W"))
    labels = _array(source, label_path, "labels", ("N",)).astype(np.int64)
    if len(images) != len(labels):
        raise DataError(
            f"load {source.name}: there is one label for each image; got {len(images)} images "
            f"in {image_path} and {len(labels)} labels in {label_path}; delete both files and "
            "fetch them again"
        )
    first, last = source.first_label, source.first_label + len(source.class_names) - 1
    wrong = labels[(labels < first) | (labels > last)]
    if wrong.size:
        raise DataError(
            f"load {source.name}: labels are {first} to {last}; got {wrong[0]} in "
            f"{label_path}; delete the file and fetch it again"
        )
    if source.transposed:
        images = np.ascontiguousarray(images.swapaxes(1, 2))
    return ArrayDataset(images[:, None], labels - first, source.class_names)


def _array(source: IdxSource, path: Path, what: str, axes: tuple[str, ...]) -> npt.NDArray[Any]:
    array = read_idx(path)
    if array.ndim != len(axes) or array.dtype != "uint8":
        raise DataError(
            f"load {source.name}: {what} are uint8 of shape ({', '.join(axes)}); got "
            f"{array.dtype} of shape {array.shape} in {path}; look whether files were swapped"
        )
    return array
