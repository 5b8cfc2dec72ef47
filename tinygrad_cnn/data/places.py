"""Where the files of a published data set lie on this computer, and how they come here."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from tinygrad_cnn.data.download import Progress, fetch_files, is_published
from tinygrad_cnn.data.source import PublishedFile, Source
from tinygrad_cnn.data.unpacking import unpack
from tinygrad_cnn.errors import MissingDataError

__all__ = ["DATA_VARIABLE", "OFFLINE_VARIABLE", "DataDir", "find", "folders", "obtain"]

DATA_VARIABLE = "TINYGRAD_CNN_DATA"
OFFLINE_VARIABLE = "TINYGRAD_CNN_OFFLINE"

Form = TypeVar("Form", bound=Source)
DataDir = str | os.PathLike[str] | None


def folders(source: Source, data_dir: DataDir = None) -> tuple[Path, ...]:
    """Return the folders in which a data set is looked for, in that order.

    Parameters
    ----------
    source : Source
    data_dir : str or path, optional
        Its folders come first, then those of the root that TINYGRAD_CNN_DATA names, last the
        one in the user's cache.
    """
    *named, cache = _roots(data_dir)
    below = [root / folder for root in named for folder in source.folders]
    return tuple(dict.fromkeys([*below, cache / source.folders[0]]))


def find(source: Source, data_dir: DataDir = None) -> tuple[Path, ...] | None:
    """Return the files of a data set, in their order, or None if no folder has all of them.

    A file named ``.gz`` is found without its compression too. Right in a root, where MNIST,
    Fashion-MNIST and KMNIST would have the same names, a file counts only if its size is the
    published one, or its checksum where it has no compression.
    """
    roots = _roots(data_dir)
    for folder in folders(source, data_dir):
        paths = [_file(folder, file, folder in roots) for file in source.files]
        if None not in paths:
            return tuple(path for path in paths if path is not None)
    return None


def obtain(
    forms: Sequence[Form],
    data_dir: DataDir = None,
    download: bool = True,
    progress: Progress | None = None,
) -> tuple[Form, tuple[Path, ...]]:
    """Find the files of a data set, unpack them or fetch them.

    Parameters
    ----------
    forms : sequence of Source
        The forms in which the data set is published; the first is the one that is fetched.
    data_dir : str or path, optional
    download : bool
        Fetch missing files; the variable TINYGRAD_CNN_OFFLINE=1 forbids it too.
    progress : callable, optional
        Told how far fetching is, see :data:`tinygrad_cnn.data.download.Progress`.

    Returns
    -------
    form : Source
        The one that is here.
    paths : tuple of Path
        Its files.

    Raises
    ------
    MissingDataError
        If the files are not here and cannot be fetched, or unpacked.
    DataError
        If an archive is damaged.
    """
    for form in forms:
        if (paths := find(form, data_dir)) is not None:
            return form, paths
    for form in forms:
        if (archive := _archive(form, data_dir)) is not None:
            return form, unpack(archive, form, _target(form, data_dir))
    form = forms[0]
    target = _target(form, data_dir)
    if not download:
        raise _missing(forms, data_dir, "downloading was turned off")
    if os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0"):
        raise _missing(forms, data_dir, f"{OFFLINE_VARIABLE} forbids downloading")
    if failures := fetch_files(form, target, progress):
        raise _missing(forms, data_dir, "; ".join(failures))
    if form.archive is not None:
        return form, unpack(target / form.archive.name, form, target)
    return form, tuple(target / file.name for file in form.files)


def _roots(data_dir: DataDir) -> list[Path]:
    """Return the folders that may hold several data sets, the cache last."""
    import pooch

    named = (data_dir, os.environ.get(DATA_VARIABLE))
    return [*(Path(root).expanduser() for root in named if root), pooch.os_cache("tinygrad_cnn")]


def _target(source: Source, data_dir: DataDir) -> Path:
    """Return the folder that files are fetched and unpacked into."""
    if data_dir:
        return Path(data_dir).expanduser() / source.folders[0]
    return folders(source)[-1]


def _file(folder: Path, file: PublishedFile, in_root: bool) -> Path | None:
    path = folder / file.name
    if path.is_file() and not (in_root and file.size not in (None, path.stat().st_size)):
        return path
    plain = folder / file.name.removesuffix(".gz")
    if plain == path or not plain.is_file():
        return None
    if in_root and file.unpacked is not None:
        recognised = is_published(plain, PublishedFile(plain.name, file.unpacked))
        return plain if recognised else None
    return plain


def _archive(source: Source, data_dir: DataDir) -> Path | None:
    """Return where the archive lies: in one of the folders, or in a root beside them."""
    if source.archive is None:
        return None
    places = (*folders(source, data_dir), *_roots(data_dir))
    paths = (folder / source.archive.name for folder in places)
    return next((path for path in paths if path.is_file()), None)


def _missing(forms: Sequence[Source], data_dir: DataDir, reason: str) -> MissingDataError:
    form = forms[0]
    looked = [folder for each in forms for folder in folders(each, data_dir)]
    wanted = ", ".join(file.name for file in form.fetched)
    return MissingDataError(
        f"load {form.name}: the {len(form.files)} files of {form.title} are needed; got no "
        f"folder with all of them among {', '.join(map(str, dict.fromkeys(looked)))} ({reason}), "
        f"so put {wanted} from {form.mirrors[0]} into {_target(form, data_dir)}, or use --data "
        "digits, which needs no files"
    )
