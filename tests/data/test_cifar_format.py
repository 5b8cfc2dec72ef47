"""CIFAR's batches: what is written comes back, and no pickle runs anything.

The batches are made here, instruction by instruction as Python 2 and NumPy 1 wrote the
published ones.
"""

import os
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinygrad_cnn.data.cifar_format import read_binary_batch, read_python_batch
from tinygrad_cnn.errors import DataError, MissingDataError

from . import made
from .made import COLOURS, FINE

# Pickles that are something else than a batch.

PIXELS = COLOURS[:2].reshape(2, 3072).tobytes()
IMAGES = made.array((2, 3072), PIXELS)
LABELS = made.numbers([3, 4])
OBJECTS = made.BYTE_TYPE.replace(b"u1", b"O8")
MAKE = b"cnumpy.core.multiarray\n_reconstruct\n"


def run(function, *arguments):
    """Return the instructions that call a function by its global name."""
    module, name = function.rsplit(".", 1)
    return f"c{module}\n{name}\n".encode() + b"(" + b"".join(arguments) + b"tR"


ATTACKS = {
    "system": (run("os.system", made.old_string("touch {witness}")), "got 'os.system'"),
    "posix": (run("posix.system", made.old_string("touch {witness}")), "got 'posix.system'"),
    "eval": (run("__builtin__.eval", made.old_string("open('{witness}', 'w')")), "_builtin__.eval"),
    "getattr": (run("builtins.getattr", IMAGES, made.old_string("array")), "'builtins.getattr'"),
    "numpy's own eval": (run("numpy.load", made.old_string("{witness}")), "got 'numpy.load'"),
    "runstring": (run("numpy.testing._private.utils.runstring"), "got 'numpy.testing._private"),
    "another reconstruct": (run("copyreg._reconstructor"), "got 'copyreg._reconstructor'"),
    "instance": (b"(i__main__\nAttack\n", "instruction 0x69"),
    "object": (b"(c__main__\nAttack\no", "got '__main__.Attack'"),
    "new object": (b"cnumpy\nndarray\n)\x81", "instruction 0x81"),
    "extension": (b"\x82\x01", "instruction 0x82"),
    "outside": (made.old_string("x") + b"Q", "a pickle refers to nothing outside it; got bytes"),
    "array of objects": (made.array((2, 3072), PIXELS, OBJECTS), "type b'O8' where pixels are"),
    "text elements": (made.array((2, 3072), PIXELS, made.BYTE_TYPE.replace(b"u1", b"S1")), "b'S1'"),
    "no type": (made.array((2, 3072), PIXELS, b"N"), "an array that is not of bytes"),
    "column by column": (made.array((2, 3072), PIXELS, columns_first=b"\x88"), "row by row"),
    "list for bytes": (made.EMPTY_ARRAY + b"(K\x01(K\x02M\x00\x0ct" + made.BYTE_TYPE + b"\x89]tb",
                       "an array that is not of bytes"),
    "short state": (made.EMPTY_ARRAY + b"(K\x01tb", "ByteArray gets what it needs; got not enough"),
    "number as state": (made.EMPTY_ARRAY + b"K\x01b", "_ByteArray gets what it needs; got cannot"),
    "huge shape": (made.array((2**40, 3072), PIXELS), r"shape \(1099511627776, 3072\) for 6144 by"),
    "huger shape": (made.array((10**60, 3072), PIXELS), r"shape \(1000000"),
    "negative shape": (made.array((-2, -3072), PIXELS), r"shape \(-2, -3072\) for 6144 bytes"),
    "one axis": (made.array((6144,), PIXELS), r"shape \(6144,\) for 6144 bytes"),
    "other images": (made.array((6, 1024), PIXELS), r"shape \(6, 1024\) for 6144 bytes"),
    "shape of text": (made.EMPTY_ARRAY + b"(K\x01(U\x012t" + made.BYTE_TYPE + b"\x89U\x00tb",
                      "a shape that is not of whole numbers"),
    "array made at once": (run("numpy.ndarray", pickle.dumps((1 << 40,), 2)[2:-1]),
                           "only a function of the table is called; got numpy.ndarray"),
    "array of another kind": (MAKE + b"cnumpy\ndtype\nK\x00\x85U\x01b\x87R",
                              "something else than an array"),
    "attributes of a name": (b"cnumpy\nndarray\n}b", "only a dictionary gets attributes; got num"),
    "attributes of a function": (MAKE + b"}b", "only a dictionary gets attributes; got _recons"),
    "long string": (b"T\xff\xff\xff\x7f", r"an end after \d+ bytes where 2147483647 more"),
    "text": (made.old_string("pixels"), "the images are an array of bytes; got bytes"),
}  # fmt: skip


@pytest.mark.parametrize(("images", "message"), ATTACKS.values(), ids=ATTACKS)
def test_what_is_no_array_of_bytes_is_refused_and_nothing_runs(tmp_path, images, message):
    witness = tmp_path / "was-run"
    if b"{witness}" in images:
        command = images[images.index(b"U") + 2 : images.rindex(b"tR")]
        real = command.decode().replace("{witness}", str(witness))
        images = images.replace(made.old_string(command), made.old_string(real))
    path = tmp_path / "data_batch_1"
    path.write_bytes(made.dictionary(labels=LABELS, data=images))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=message) as caught:
            read_python_batch(path, ("labels",))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith("read_cifar: ")
    assert str(caught.value).endswith(f" in {path}; delete the file and fetch it again")
    assert not witness.exists()
    assert peak < 1 << 20


class Attack:
    """Something whose pickle runs a command when Python itself loads it."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("wrap", [lambda attack: attack, lambda attack: {"data": attack}])
def test_no_protocol_of_pickle_runs_anything(tmp_path, protocol, wrap):
    witness = tmp_path / "was-run"
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(wrap(Attack(f"touch {witness}")), protocol))
    with pytest.raises(DataError, match="read_cifar: "):
        read_python_batch(path, ("labels",))
    assert not witness.exists()


BATCHES = {
    "no pickle": (b"<html>", "a pickle starts with its protocol"),
    "nothing": (b"", "a batch is a pickle; got an empty file"),
    "a list": (b"\x80\x02].", "a batch is a dictionary; got list"),
    "no images": (made.dictionary(labels=LABELS), "a batch has 'data'; got b'labels' in"),
    "no labels": (made.dictionary(data=IMAGES), "a batch has 'labels'; got b'data' in"),
    "two pickles": (made.dictionary(labels=LABELS, data=IMAGES) * 2, "one pickle; got more after"),
    "cut": (made.dictionary(labels=LABELS, data=IMAGES)[:-20], "ends with the instruction to stop"),
    "a label short": (
        made.dictionary(labels=made.numbers([3]), data=IMAGES), "label for each image; got 1 for 2"
    ),
    "labels as text": (made.dictionary(labels=b"]U\x013a", data=IMAGES), "a list of whole numbers"),
    "labels as truth": (made.dictionary(labels=b"](\x88\x89e", data=IMAGES), "of whole numbers"),
    "labels as an array": (made.dictionary(labels=IMAGES, data=IMAGES), "numbers; got _ByteA"),
    "a negative label": (
        made.dictionary(labels=made.numbers([3, -1]), data=IMAGES), "0 to 255; got -1 to 3"
    ),
    "a huge label": (made.dictionary(labels=made.numbers([1 << 80, 0]), data=IMAGES), "0 to 255"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), BATCHES.values(), ids=BATCHES)
def test_a_damaged_batch_is_told_in_one_sentence(tmp_path, content, message):
    path = tmp_path / "data_batch_1"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_python_batch(path, ("labels",))
    assert str(caught.value).endswith(f" in {path}; delete the file and fetch it again")


GOOD = made.dictionary(labels=LABELS, data=IMAGES)


@given(position=st.integers(0, len(GOOD) - 1), mask=st.integers(1, 255))
@settings(
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_changed_byte_gives_a_batch_or_a_data_error(tmp_path, position, mask):
    path = tmp_path / "data_batch_1"
    path.write_bytes(GOOD[:position] + bytes([GOOD[position] ^ mask]) + GOOD[position + 1 :])
    try:
        images, (labels,) = read_python_batch(path, ("labels",))
    except DataError:
        return
    assert images.shape == (2, 3, 32, 32)
    assert labels.shape == (2,)


@given(count=st.integers(0, 5), seed=st.integers(0, 99))
@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_both_forms_give_back_what_was_written(tmp_path, count, seed):
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, 3072), np.uint8)
    labels = generator.integers(0, 100, count)
    python, binary = tmp_path / "python", tmp_path / "binary"
    python.write_bytes(
        made.dictionary(
            labels=made.numbers(labels), data=made.array((count, 3072), images.tobytes())
        )
    )
    got = read_python_batch(python, ("labels",))
    if count:
        binary.write_bytes(np.column_stack([labels.astype(np.uint8), images]).tobytes())
        for first, second in zip(got, read_binary_batch(binary, 1), strict=True):
            np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(got[0].reshape(count, 3072), images)
    np.testing.assert_array_equal(got[1][0], labels)


def test_python_itself_reads_the_made_batches_as_the_published_ones_are_read():
    """The oracle of the batches made here: pickle and NumPy, which may run what they hold."""
    read = pickle.loads(made.PYTHON_BATCHES["test_batch"], encoding="latin1")
    np.testing.assert_array_equal(read["data"].reshape(-1, 3, 32, 32), COLOURS[made.TEST])
    assert read["labels"] == FINE[made.TEST].tolist()


@pytest.mark.parametrize("size", [0, 3072, 3073 * 2 + 1])
def test_a_binary_batch_of_another_length_is_refused(tmp_path, size):
    path = tmp_path / "test_batch.bin"
    path.write_bytes(bytes(size))
    with pytest.raises(DataError, match=f"with its label takes 3073 bytes; got {size} bytes in "):
        read_binary_batch(path, 1)


@pytest.mark.parametrize("read", [lambda path: read_binary_batch(path, 1),
                                  lambda path: read_python_batch(path, ("labels",))])  # fmt: skip
def test_a_missing_batch_is_named(tmp_path, read):
    with pytest.raises(MissingDataError, match=r"the file exists; got no file at .*absent"):
        read(tmp_path / "absent")
