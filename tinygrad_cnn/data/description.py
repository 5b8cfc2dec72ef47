"""What a data set is, told before any of it is read."""

import os
from dataclasses import dataclass
from pathlib import Path

from tinygrad_cnn.data import cifar, digits, own_images
from tinygrad_cnn.data.catalogue import row_of
from tinygrad_cnn.data.places import DataDir, find, folders

__all__ = ["Description", "describe"]


@dataclass(frozen=True)
class Description:
    """What is known about a data set before it is read.

    Parameters
    ----------
    name, title : str
    splits : tuple of str
        The arrangements it comes in, the default first.
    split : str
        The one that is described.
    counts : tuple of int
        Of training and of test images; 0 of a folder that nobody named.
    shape : tuple of int
        Of an image: channels, height, width; 0 where that is free.
    class_names : tuple of str
    licence, citation : str
    download_size : int, optional
        In bytes; 0 for what comes with the package, None if nobody states it.
    unmeasured : tuple of str
        Names of fetched files whose checksum is somebody's word: with who states it.
    looked_in : tuple of Path
        The folders in which its files are looked for.
    found_in : Path, optional
        The folder in which they are; None if they are not here.
    """

    name: str
    title: str
    splits: tuple[str, ...]
    split: str
    counts: tuple[int, int]
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    licence: str
    citation: str
    download_size: int | None = 0
    unmeasured: tuple[str, ...] = ()
    looked_in: tuple[Path, ...] = ()
    found_in: Path | None = None


def describe(
    name: str, data_dir: str | os.PathLike[str] | None = None, split: str | None = None
) -> Description:
    """Say what a data set is and where its files lie; nothing is fetched or read.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    data_dir : str or path, optional
        As for :func:`load`.
    split : str, optional
        As for :func:`load`.

    Returns
    -------
    Description

    Raises
    ------
    UnknownNameError
        If there is no data set of that name.
    OptionError
        If there is no such split.

    Examples
    --------
    >>> about = describe("cifar10")
    >>> about.title, about.counts, about.shape, about.class_names[:2]
    ('CIFAR-10', (50000, 10000), (3, 32, 32), ('airplane', 'automobile'))
    >>> about.download_size
    170498071
    """
    row, split = row_of("data.describe", name, split)
    forms = row.forms[split]
    splits = tuple(row.forms)
    if name == "digits":
        return _describe_digits(splits, split)
    if name == "folder":
        return _describe_own_images(data_dir, splits, split)
    here = (find(form, data_dir) for form in forms)
    paths = next((paths for paths in here if paths is not None), None)
    looked_in = [folder for form in forms for folder in folders(form, data_dir)]
    source = forms[0]
    class_names = source.class_names
    if name == "cifar100":
        class_names = cifar.CIFAR100_LABELS[split]
    return Description(
        name=name,
        title=source.title,
        splits=splits,
        split=split,
        counts=source.counts,
        shape=source.shape,
        class_names=class_names,
        licence=source.licence,
        citation=source.citation,
        download_size=source.download_size,
        unmeasured=tuple(
            f"{file.name}: {file.checksum}, stated by {file.stated_by}"
            for file in source.fetched
            if not file.measured
        ),
        looked_in=tuple(dict.fromkeys(looked_in)),
        found_in=paths[0].parent if paths else None,
    )


def _describe_digits(splits: tuple[str, ...], split: str) -> Description:
    train, test = digits.load_digits(split)
    return Description(
        name="digits",
        title="Optical Recognition of Handwritten Digits",
        splits=splits,
        split=split,
        counts=(len(train), len(test)),
        shape=train.images.shape[1:],
        class_names=train.class_names,
        licence="CC BY 4.0, as others quote it; see DIGITS_ATTRIBUTION.txt",
        citation="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine "
        "Learning Repository, 1998",
        found_in=Path(digits.__file__).parent,
    )


def _describe_own_images(data_dir: DataDir, splits: tuple[str, ...], split: str) -> Description:
    parts = own_images.find_own_images(data_dir, split) if data_dir else None
    return Description(
        name="folder",
        title="image files of one's own, a folder for each class",
        splits=splits,
        split=split,
        counts=(len(parts[0]), len(parts[1])) if parts else (0, 0),
        shape=(3 if split == "colour" else 1, 0, 0),
        class_names=parts[0].class_names if parts else (),
        licence="one's own",
        citation="none",
        looked_in=(Path(data_dir),) if data_dir else (),
        found_in=parts[0].root if parts else None,
    )
