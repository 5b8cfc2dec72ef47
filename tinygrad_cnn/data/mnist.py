"""MNIST and Fashion-MNIST: where their files lie, and how they are fetched and checked.

Both consist of four IDX files, 60,000 images to train and 10,000 to test, 28x28 pixels.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from tinygrad_cnn.data.dataset import ArrayDataset, Split
from tinygrad_cnn.data.idx import read_idx
from tinygrad_cnn.errors import DataError, MissingDataError, UnknownNameError

__all__ = ["FASHION_MNIST", "MNIST", "IdxSource", "load_idx_source", "load_mnist"]

DATA_VARIABLE = "TINYGRAD_CNN_DATA"
OFFLINE_VARIABLE = "TINYGRAD_CNN_OFFLINE"
_SECONDS_TO_ANSWER = 10.0

# The files in the order train images, train labels, test images, test labels.
_FILE_NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


@dataclass(frozen=True)
class IdxSource:
    """A data set of four IDX files, as data.

    Parameters
    ----------
    name : str
        Its folder under a data root, and its name in :func:`tinygrad_cnn.data.load`.
    title : str
        Its name in running text, and the folder that torchvision gives it.
    md5 : tuple of str
        Checksums of the published files: train images, train labels, test images, test
        labels.
    mirrors : tuple of str
        Addresses that a file name is appended to, in the order they are tried.
    class_names : tuple of str
    file_names : tuple of str, optional
        In the order of the checksums.
    """

    name: str
    title: str
    md5: tuple[str, str, str, str]
    mirrors: tuple[str, ...]
    class_names: tuple[str, ...]
    file_names: tuple[str, str, str, str] = _FILE_NAMES


MNIST = IdxSource(
    name="mnist",
    title="MNIST",
    md5=(
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    class_names=tuple("0123456789"),
)

FASHION_MNIST = IdxSource(
    name="fashion_mnist",
    title="FashionMNIST",
    md5=(
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
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
)

_SOURCES = {source.name: source for source in (FASHION_MNIST, MNIST)}


def load_mnist(
    data_dir: str | os.PathLike[str] | None = None, download: bool = True, name: str = "mnist"
) -> Split:
    """Return MNIST or Fashion-MNIST as published: 28x28 pixels of 0..255.

    The four files are looked for in `data_dir`, in its folders ``<name>`` and
    ``MNIST/raw`` (``FashionMNIST/raw``, as torchvision lays them out), then in ``<name>``
    under the folder that the variable TINYGRAD_CNN_DATA names, then in the user's cache.
    If they are in none of these, they are fetched into ``<data_dir>/<name>``, or into the
    cache where no `data_dir` was given, and their MD5 sums are checked.

    Parameters
    ----------
    data_dir : str or path, optional
    download : bool
        Fetch missing files; the variable TINYGRAD_CNN_OFFLINE=1 forbids it too.
    name : {"mnist", "fashion_mnist"}

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
    algorithms", arXiv:1708.07747.

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
    source: IdxSource, data_dir: str | os.PathLike[str] | None = None, download: bool = True
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
        Of images as uint8, shape (N, 1, H, W).

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
    folders = _folders(source, data_dir)
    paths = next(filter(None, (_paths(source, folder) for folder in folders)), None)
    if paths is None:
        folder = Path(data_dir).expanduser() / source.name if data_dir else folders[-1]
        if not download:
            raise _missing(source, folders, folder, "downloading was turned off")
        if os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0"):
            raise _missing(source, folders, folder, f"{OFFLINE_VARIABLE} forbids downloading")
        if failures := _download(source, folder):
            raise _missing(source, folders, folder, "; ".join(failures))
        paths = tuple(folder / name for name in source.file_names)
    train = _read(source, paths[0], paths[1])
    test = _read(source, paths[2], paths[3])
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(
            f"load {source.name}: training and test images are of one size; got "
            f"{train.images.shape[2:]} in {paths[0]} and {test.images.shape[2:]} in {paths[2]}"
        )
    return Split(train, test)


def _folders(source: IdxSource, data_dir: str | os.PathLike[str] | None) -> list[Path]:
    """Return the folders to look in, the cache last."""
    import pooch

    folders = []
    if data_dir:
        root = Path(data_dir).expanduser()
        folders += [root, root / source.name, root / source.title / "raw"]
    if os.environ.get(DATA_VARIABLE):
        folders.append(Path(os.environ[DATA_VARIABLE]).expanduser() / source.name)
    folders.append(Path(pooch.os_cache("tinygrad_cnn")) / source.name)
    return list(dict.fromkeys(folders))


def _paths(source: IdxSource, folder: Path) -> tuple[Path, ...] | None:
    """Return the four files in a folder, compressed or not, or None if one is missing."""
    paths = []
    for name in source.file_names:
        candidates = (folder / name, folder / name.removesuffix(".gz"))
        found = next((path for path in candidates if path.is_file()), None)
        if found is None:
            return None
        paths.append(found)
    return tuple(paths)


def _missing(source: IdxSource, folders: list[Path], target: Path, reason: str) -> MissingDataError:
    return MissingDataError(
        f"load {source.name}: the {len(source.file_names)} files of {source.title} are needed; "
        f"got no folder with all of them among {', '.join(map(str, folders))} ({reason}), so "
        f"put {', '.join(source.file_names)} from {source.mirrors[0]} into {target}, or use "
        "--data digits, which needs no files"
    )


def _download(source: IdxSource, folder: Path) -> list[str]:
    """Fetch the files into a folder; return why it failed, nothing if it did not."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        return [f"{folder} cannot be made: {reason.strerror}"]
    mirrors = list(source.mirrors)
    for name, md5 in zip(source.file_names, source.md5, strict=True):
        failures = []
        for mirror in tuple(mirrors):
            failure, answered = _fetch(mirror + name, md5, folder / name)
            if not failure:
                break
            failures.append(failure)
            if not answered and len(mirrors) > 1:
                mirrors.remove(mirror)  # nobody waits for it once more per file
        else:
            with suppress(OSError):  # folders stay that hold something by now
                for path in new:
                    path.rmdir()
            return failures
    return []


def _fetch(address: str, md5: str, path: Path) -> tuple[str, bool]:
    """Fetch one file; return what went wrong, if anything, and whether the server answered.

    pooch writes into a temporary file beside the target and renames it when the checksum
    is right, so a half of a file is never taken for a whole one.
    """
    import pooch

    downloader = pooch.HTTPDownloader(
        timeout=_SECONDS_TO_ANSWER,
        # The checksum is about the bytes as stored, not as compressed on the way.
        headers={"Accept-Encoding": "identity"},
        # Reading a file in one go closes the connection also when the server refuses it.
        stream=False,
    )
    try:
        with _quiet(pooch.get_logger()):
            pooch.retrieve(
                address, f"md5:{md5}", fname=path.name, path=path.parent, downloader=downloader
            )
    except OSError as failure:  # of the network, or of the disk
        response = getattr(failure, "response", None)
        if response is not None:
            return f"{address} answered with HTTP status {response.status_code}", True
        return f"{address} failed with {type(failure).__name__}", False
    except ValueError:
        return f"{address} holds a file whose MD5 sum is not the published one", True
    return "", True


@contextmanager
def _quiet(logger: Any) -> Iterator[None]:
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


def _read(source: IdxSource, image_path: Path, label_path: Path) -> ArrayDataset:
    images = _array(source, image_path, "images", ("N", "H", "W"))
    labels = _array(source, label_path, "labels", ("N",))
    if len(images) != len(labels):
        raise DataError(
            f"load {source.name}: there is one label for each image; got {len(images)} images "
            f"in {image_path} and {len(labels)} labels in {label_path}; delete both files and "
            "fetch them again"
        )
    classes = len(source.class_names)
    if labels.size and int(labels.max()) >= classes:
        raise DataError(
            f"load {source.name}: labels are 0 to {classes - 1}; got {int(labels.max())} in "
            f"{label_path}; delete the file and fetch it again"
        )
    return ArrayDataset(images[:, None], labels, source.class_names)


def _array(source: IdxSource, path: Path, what: str, axes: tuple[str, ...]) -> npt.NDArray[Any]:
    array = read_idx(path)
    if array.ndim != len(axes) or array.dtype != "uint8":
        raise DataError(
            f"load {source.name}: {what} are uint8 of shape ({', '.join(axes)}); got "
            f"{array.dtype} of shape {array.shape} in {path}; look whether files were swapped"
        )
    return array
