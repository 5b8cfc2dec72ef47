"""The IDX reader: what is written comes back, and each damage has its own sentence."""

import gzip
import math
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tinygrad_cnn.data import read_idx
from tinygrad_cnn.errors import DataError, MissingDataError

TYPE_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array):
    """The file of an array, written down from the format's description."""
    code = TYPE_CODES[array.dtype.str[1:]]
    sizes = struct.pack(f">{array.ndim}i", *array.shape)
    return (
        bytes([0, 0, code, array.ndim])
        + sizes
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def header(code, *sizes):
    return bytes([0, 0, code, len(sizes)]) + struct.pack(f">{len(sizes)}i", *sizes)


GOOD = idx_bytes(np.arange(60, dtype=np.uint8).reshape(5, 4, 3))
PACKED = gzip.compress(GOOD, mtime=0)


def flipped(data, position):
    return data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    array=st.sampled_from(sorted(TYPE_CODES)).flatmap(
        lambda code: arrays.arrays(
            np.dtype(code), arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)
        )
    ),
    compressed=st.booleans(),
)
def test_an_array_of_every_type_comes_back_bit_by_bit(tmp_path, array, compressed):
    path = tmp_path / ("array.gz" if compressed else "array")
    path.write_bytes(gzip.compress(idx_bytes(array)) if compressed else idx_bytes(array))
    read = read_idx(path)
    assert read.shape == array.shape
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    assert read.tobytes() == array.tobytes()
    assert read.flags.writeable
    assert read.flags.c_contiguous


def test_compression_is_recognised_by_content_and_not_by_name(tmp_path):
    (tmp_path / "images").write_bytes(PACKED)
    assert read_idx(str(tmp_path / "images")).shape == (5, 4, 3)


def test_a_file_in_two_gzip_members_is_read_as_one(tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(GOOD[:30]) + gzip.compress(GOOD[30:]))
    assert read_idx(path).sum() == np.arange(60).sum()


# What the file holds, its name, and what the message says.
DAMAGES = {
    "truncated gzip": (PACKED[:-15], "x.gz", r"ends with its checksum; got \d+ bytes, cut off"),
    "gzip without its checksum": (PACKED[:-8], "x.gz", "ends with its checksum"),
    "header of gzip alone": (PACKED[:10], "x.gz", "ends with its checksum"),
    "wrong checksum": (flipped(PACKED, len(PACKED) - 6), "x.gz", "unpacks without error; got CRC"),
    "wrong length": (flipped(PACKED, len(PACKED) - 1), "x.gz", "unpacks without error; got Incorr"),
    "broken stream": (flipped(PACKED, 10), "x.gz", "unpacks without error; got Error -3"),
    "waste after gzip": (PACKED + b"waste", "x.gz", "unpacks without error; got Not a gzipped"),
    "not gzip": (b"<html>", "x.gz", "starts with the bytes 1f 8b; got 3c 68 74 6d"),
    "empty .gz": (b"", "x.gz", "starts with the bytes 1f 8b; got an empty file"),
    "empty file": (b"", "x", "begins with four bytes; got 0 bytes in all"),
    "gzip of nothing": (gzip.compress(b""), "x.gz", "begins with four bytes; got 0 bytes in all"),
    "a page of text": (b"<html>", "x", "two zero bytes .*; got 3c 68 74 6d"),
    "unknown type": (header(0x0A, 1) + b"\0", "x", "type of 08, 09 or 0b to 0e; got 00 00 0a 01"),
    "cut magic": (b"\0\0\x08", "x", "begins with four bytes; got 3 bytes in all"),
    "no dimensions": (header(0x08) + b"\0", "x", "has 1 to 32 dimensions; got 0"),
    "33 dimensions": (header(0x08, *[1] * 33) + b"\0", "x", "has 1 to 32 dimensions; got 33"),
    "cut sizes": (header(0x08, 5, 4, 3)[:-2], "x", "3 sizes of 4 bytes .*; got 10 bytes"),
    "negative size": (header(0x08, -1), "x", r"the data fit into the file; got .*4294967295"),
    "no data": (header(0x08, 5, 4, 3), "x.gz", "starts with the bytes 1f 8b"),
    "short data": (GOOD[:-1], "x", r"sizes \(5, 4, 3\) take 60 bytes of data; got 59 bytes"),
    "short data in gzip": (gzip.compress(GOOD[:-1]), "x.gz", "take 60 bytes of data; got 59"),
    "trailing data": (GOOD + b"\0", "x", "take 60 bytes of data; got more"),
    "trailing data in gzip": (gzip.compress(GOOD + b"\0"), "x.gz", "60 bytes of data; got more"),
    "absurd sizes": (
        header(0x0E, 2**31 - 1, 2**31 - 1) + b"\0",
        "x",
        r"data fit into the file; got sizes \(2147483647, 2147483647\) of 8 bytes",
    ),
    "absurd sizes in gzip": (gzip.compress(header(0x08, 2**31 - 1)), "x.gz", "fit into the file"),
    "absurd sizes times nothing": (header(0x08, 0, *[2**31 - 1] * 3), "x", "fit into the file"),
}


@pytest.mark.parametrize(("content", "name", "message"), DAMAGES.values(), ids=DAMAGES)
def test_each_damage_is_told_in_one_sentence_with_file_and_remedy(tmp_path, content, name, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path)
    assert str(caught.value).startswith("read_idx: ")
    assert str(caught.value).endswith(f"in {path}; delete the file and fetch it again")
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(position=st.integers(0, len(PACKED) - 1), mask=st.integers(1, 255))
@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_changed_byte_gives_the_same_array_or_a_data_error(tmp_path, position, mask):
    path = tmp_path / "x.gz"
    path.write_bytes(PACKED[:position] + bytes([PACKED[position] ^ mask]) + PACKED[position + 1 :])
    try:
        read = read_idx(path)
    except DataError:
        return
    # Some bytes of gzip's header mean nothing: time stamp, operating system.
    assert read.tobytes() == GOOD[16:]


def test_sizes_that_cannot_be_true_ask_for_no_memory(tmp_path):
    shape = (60000, 28, 28)
    path = tmp_path / "x.gz"
    # Within what gzip could unpack from a file of this length, so only reading tells.
    path.write_bytes(gzip.compress(header(0x08, *shape) + bytes(1000)) + bytes(50_000))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"take 47040000 bytes of data; got 1000 bytes"):
            read_idx(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < math.prod(shape) / 10


@pytest.mark.parametrize("name", ["absent", "folder"])
def test_a_missing_file_is_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(MissingDataError, match=rf"the file exists; got no file at .*{name}"):
        read_idx(tmp_path / name)
