"""What is known about a published data set before any of its files is here.

A data set is a :class:`Source`: a row that says which files it consists of, where they are
fetched from and how they are recognised. A file is recognised by its checksum. Who vouches for
a checksum stands beside it: either it was measured, on the very file, when the row was written;
or somebody else states it and nobody here could compare it with the file.
"""

from dataclasses import dataclass

__all__ = ["MEASURED", "UNKNOWN", "PublishedFile", "Source"]

MEASURED = "measured on the file"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class PublishedFile:
    """A file as its publisher hands it out.

    Parameters
    ----------
    name : str
    checksum : str, optional
        Algorithm and digest, ``"sha256:…"`` or ``"md5:…"``; None for a file out of an archive
        of which nobody states one: the archive has one then.
    size : int, optional
        In bytes; None where nobody states it.
    stated_by : str, optional
        Who states the checksum: :data:`MEASURED`, or the place that was read.
    unpacked : str, optional
        The checksum without compression, where other data sets have files of the same name and
        length; :data:`UNKNOWN` if nobody states it.

    Examples
    --------
    >>> labels = PublishedFile("labels.gz", "md5:7320c461ea6c1c855c0b718fb2a4b134", 5120, "a page")
    >>> labels.measured
    False
    """

    name: str
    checksum: str | None = None
    size: int | None = None
    stated_by: str = MEASURED
    unpacked: str | None = None

    @property
    def measured(self) -> bool:
        """Whether the checksum was measured on the file, not only copied from somewhere."""
        return self.checksum is not None and self.stated_by == MEASURED


@dataclass(frozen=True, kw_only=True)
class Source:
    """A published data set, as data.

    Parameters
    ----------
    name : str
        Its name in :func:`tinygrad_cnn.data.load`.
    title : str
        Its name in running text.
    files : tuple of PublishedFile
        All that are read, in the order they are read in.
    folders : tuple of str
        Where the files may lie below a data root, in the order that is looked; fetched
        files go into the first. ``"."`` is the root itself.
    mirrors : tuple of str
        Addresses that a file name is appended to, in the order they are tried.
    class_names : tuple of str
    shape : tuple of int
        Of an image: channels, height, width.
    counts : tuple of int
        Of training and of test images.
    licence : str
        As the publisher words it, or what stands for one.
    citation : str
    archive : PublishedFile, optional
        One file that holds all others, a ``.tar.gz`` or a ``.zip``; it is what is fetched.
    """

    name: str
    title: str
    files: tuple[PublishedFile, ...]
    folders: tuple[str, ...]
    mirrors: tuple[str, ...]
    class_names: tuple[str, ...]
    shape: tuple[int, int, int]
    counts: tuple[int, int]
    licence: str
    citation: str
    archive: PublishedFile | None = None

    @property
    def fetched(self) -> tuple[PublishedFile, ...]:
        """What is fetched: the archive, where there is one, or else the files."""
        return self.files if self.archive is None else (self.archive,)

    @property
    def download_size(self) -> int | None:
        """Size of what is fetched, in bytes; None where it is not known."""
        sizes = [file.size for file in self.fetched]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None
