"""Archives: nothing is written but what the table names, and nothing by halves."""

import tarfile
from dataclasses import replace

import pytest

from tinygrad_cnn.data.unpacking import unpack
from tinygrad_cnn.errors import DataError, MissingDataError

from . import made
from .made import CIFAR10, PYTHON_BATCHES, cifar_form, published, tarred


def everything_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def form_of(archive, contents=PYTHON_BATCHES):
    """Return a row for the made batches whose archive is this one."""
    return cifar_form(CIFAR10[0], contents, archive)[0]


def link(name, target, kind=tarfile.SYMTYPE):
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, target
    return header


@pytest.fixture
def laid(tmp_path):
    """Write an archive; return where, and the folder to unpack into."""

    def write(content, name="cifar-10-python.tar.gz"):
        (tmp_path / "there").mkdir()
        path = tmp_path / "there" / name
        path.write_bytes(content)
        return path, tmp_path / "there" / "into"

    return write


def assert_unpacked(paths, folder, contents=PYTHON_BATCHES):
    assert [path.name for path in paths] == list(contents)
    assert everything_below(folder) == sorted(contents)
    for path in paths:
        assert path.read_bytes() == contents[path.name]
        assert not path.is_symlink()


def test_the_files_of_the_table_are_taken_and_no_others(laid):
    archive = tarred({"readme.html": b"<html>", **PYTHON_BATCHES, "batches.meta": b"more"})
    path, folder = laid(archive)
    assert_unpacked(unpack(path, form_of(archive), folder), folder)


@pytest.mark.parametrize("prefix", ["../../", "/tmp/", "a/../../../", "..\\..\\", "./made/"])
def test_names_that_point_elsewhere_write_nothing_there(laid, tmp_path, prefix):
    wicked = {f"{prefix}{name}": content for name, content in PYTHON_BATCHES.items()}
    archive = tarred({f"{prefix}evil": b"evil", **wicked}, folder="")
    path, folder = laid(archive)
    if "\\" in prefix:  # no separator in a tar archive: these are other names
        with pytest.raises(DataError, match="holds the 6 files of CIFAR-10; got no data_batch_1"):
            unpack(path, form_of(archive), folder)
    else:
        assert_unpacked(unpack(path, form_of(archive), folder), folder)
    outside = [name for name in everything_below(tmp_path) if not name.startswith("there/into")]
    assert outside == ["there", "there/cifar-10-python.tar.gz"]


LINKS = {
    "symbolic link": link("made/data_batch_1", "/etc/passwd"),
    "hard link": link("made/data_batch_1", "made/test_batch", tarfile.LNKTYPE),
    "device": link("made/data_batch_1", "", tarfile.CHRTYPE),
    "pipe": link("made/data_batch_1", "", tarfile.FIFOTYPE),
    "folder": link("made/data_batch_1", "", tarfile.DIRTYPE),
}


@pytest.mark.parametrize("header", LINKS.values(), ids=LINKS)
def test_links_and_devices_are_no_files(laid, header):
    others = {name: PYTHON_BATCHES[name] for name in list(PYTHON_BATCHES)[1:]}
    archive = tarred({"first": header, **others})
    path, folder = laid(archive)
    with pytest.raises(
        DataError, match=r"holds the 6 files of CIFAR-10; got no data_batch_1 in .*tar\.gz"
    ):
        unpack(path, form_of(archive), folder)
    assert "data_batch_1" not in everything_below(folder)


def test_a_link_to_a_folder_outside_is_not_followed(laid, tmp_path):
    (tmp_path / "outside").mkdir()
    archive = tarred({"link": link("made", str(tmp_path / "outside")), **PYTHON_BATCHES})
    path, folder = laid(archive)
    assert_unpacked(unpack(path, form_of(archive), folder), folder)
    assert everything_below(tmp_path / "outside") == []


def test_an_archive_that_unpacks_to_more_than_it_should_is_stopped(laid, monkeypatch):
    monkeypatch.setattr("tinygrad_cnn.data.unpacking._MOST_BYTES", 1 << 20)
    archive = tarred({"zeros": bytes(1 << 24), **PYTHON_BATCHES})
    assert len(archive) < 1 << 18
    path, folder = laid(archive)
    with pytest.raises(DataError, match="unpacks without error; got more than 1,048,576 bytes"):
        unpack(path, form_of(archive), folder)
    assert everything_below(folder) == []


def test_a_file_longer_than_the_published_one_is_stopped(laid):
    archive = tarred({**PYTHON_BATCHES, "test_batch": bytes(1 << 22)})
    path, folder = laid(archive)
    size = len(PYTHON_BATCHES["test_batch"])
    with pytest.raises(DataError, match=f"got more than {size:,} bytes in test_batch"):
        unpack(path, form_of(archive), folder)
    assert "test_batch" not in everything_below(folder)


def test_a_file_that_is_not_the_published_one_is_not_put_in_place(laid):
    other = PYTHON_BATCHES["test_batch"][::-1]
    archive = tarred({**PYTHON_BATCHES, "test_batch": other})
    path, folder = laid(archive)
    with pytest.raises(DataError, match="test_batch has the published checksum; got another"):
        unpack(path, form_of(archive), folder)
    assert everything_below(folder) == sorted(set(PYTHON_BATCHES) - {"test_batch"})


def test_an_archive_with_another_checksum_is_not_opened(laid, monkeypatch):
    path, folder = laid(made.CIFAR10_ARCHIVE[:-1] + b"?")
    monkeypatch.setattr("tarfile.open", None)
    with pytest.raises(DataError, match="the archive has the published checksum; got another"):
        unpack(path, made.TINY_CIFAR10, folder)
    assert not folder.exists()


DAMAGES = {
    "cut": made.CIFAR10_ARCHIVE[:-1000],
    "no gzip": b"<html>",
    "nothing": b"",
    "gzip of something else": made.gzip.compress(b"<html>" * 500),
    "a broken stream": made.CIFAR10_ARCHIVE[:300] + bytes(300) + made.CIFAR10_ARCHIVE[600:],
}


@pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_archive_is_told_in_one_sentence(laid, content):
    path, folder = laid(content)
    with pytest.raises(DataError, match="load cifar10: ") as caught:
        unpack(path, form_of(content), folder)
    assert str(caught.value).endswith(f" in {path}; delete the file and fetch it again")
    assert not any(name.startswith(".parts") for name in everything_below(folder))


def test_a_zip_archive_is_as_safe(laid, tmp_path):
    source, archive, contents = made.letters()
    path, folder = laid(archive, "gzip.zip")
    assert_unpacked(unpack(path, source, folder), folder, contents)
    wicked = made.zipped({f"../../{name}": content for name, content in contents.items()})
    path.write_bytes(wicked)
    source = replace(source, archive=published("gzip.zip", wicked))
    assert_unpacked(unpack(path, source, folder), folder, contents)
    assert everything_below(tmp_path / "there") == sorted(
        ["gzip.zip", "into", *(f"into/{name}" for name in contents)]
    )


@pytest.mark.parametrize("content", [b"PK", made.letters()[1][:-40], made.zipped({"else": b""})])
def test_a_damaged_zip_archive_is_told_too(laid, content):
    path, folder = laid(content, "gzip.zip")
    source = replace(made.letters()[0], archive=published("gzip.zip", content))
    with pytest.raises(DataError, match=r"load emnist: the archive (unpacks|holds)"):
        unpack(path, source, folder)


def test_a_zip_bomb_is_stopped(laid, monkeypatch):
    monkeypatch.setattr("tinygrad_cnn.data.unpacking._MOST_BYTES", 1 << 20)
    name = made.letters()[0].files[0].name
    content = made.zipped({name: bytes(1 << 24)})
    path, folder = laid(content, "gzip.zip")
    source = replace(made.letters()[0], archive=published("gzip.zip", content))
    with pytest.raises(DataError, match="got more than 1,048,576 bytes in emnist-letters-train"):
        unpack(path, source, folder)
    assert everything_below(folder) == []


def test_a_folder_that_cannot_be_written_is_named(laid):
    path, folder = laid(made.CIFAR10_ARCHIVE)
    folder.write_text("in the way")
    with pytest.raises(MissingDataError, match=r"unpacked into .*into; got .*\. Make room, or"):
        unpack(path, made.TINY_CIFAR10, folder)


def test_a_full_disk_leaves_only_whole_files(laid, monkeypatch):
    path, folder = laid(made.CIFAR10_ARCHIVE)
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tinygrad_cnn.data.download.os.fsync", full)
    with pytest.raises(MissingDataError, match=r"got No space left on device\. Make room"):
        unpack(path, made.TINY_CIFAR10, folder)
    assert everything_below(folder) == ["data_batch_1", "data_batch_2"]
    assert (folder / "data_batch_2").read_bytes() == PYTHON_BATCHES["data_batch_2"]
    monkeypatch.undo()
    assert_unpacked(unpack(path, made.TINY_CIFAR10, folder), folder)
