"""Small data sets made here, in the published forms."""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import zipfile
from dataclasses import replace

import numpy as np

from tinygrad_cnn.data import CIFAR10, CIFAR100, EMNIST, MNIST, PublishedFile

NOWHERE = ("http://127.0.0.1:9/never-asked/",)


def published(name, content, algorithm="sha256"):
    """Return the row of a file that is made here."""
    digest = hashlib.new(algorithm, content).hexdigest()
    return PublishedFile(name, f"{algorithm}:{digest}", len(content))


def lay_out(folder, contents):
    """Write files, given as a dictionary from name to bytes, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


# IDX files.


def packed(array):
    """Return the compressed IDX file of an array of uint8."""
    sizes = np.array(array.shape, ">i4").tobytes()
    content = bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()
    return gzip.compress(content, mtime=0)


PIXELS = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
LABELS = np.arange(12) % 10
FILE_NAMES = tuple(file.name for file in MNIST.files)
PARTS = (packed(PIXELS[:9]), packed(LABELS[:9]), packed(PIXELS[9:]), packed(LABELS[9:]))
CONTENTS = dict(zip(FILE_NAMES, PARTS, strict=True))
PLAIN = {name.removesuffix(".gz"): gzip.decompress(CONTENTS[name]) for name in CONTENTS}
*_OTHERS, _TEST_LABELS = (published(*item) for item in CONTENTS.items())
TINY = replace(
    MNIST,
    files=(
        *_OTHERS,
        replace(_TEST_LABELS, unpacked=published("", PLAIN["t10k-labels-idx1-ubyte"]).checksum),
    ),
    mirrors=NOWHERE,
)


def assert_is_the_made_set(split):
    assert (len(split.train), len(split.test)) == (9, 3)
    assert split.train.images.dtype == np.uint8
    np.testing.assert_array_equal(split.train.images[:, 0], PIXELS[:9])
    np.testing.assert_array_equal(split.test.images[:, 0], PIXELS[9:])
    np.testing.assert_array_equal(split.train.labels, LABELS[:9])
    np.testing.assert_array_equal(split.test.labels, LABELS[9:])


def letters(first_label=1):
    """Return the made set as EMNIST's letters: a row with its archive, and the archive."""
    on_their_side = PIXELS.swapaxes(1, 2)
    numbers = LABELS + first_label
    arrays = (on_their_side[:9], numbers[:9], on_their_side[9:], numbers[9:])
    source = EMNIST["letters"]
    contents = dict(zip((file.name for file in source.files), map(packed, arrays), strict=True))
    archive = zipped({f"gzip/{name}": content for name, content in contents.items()})
    row = published("gzip.zip", archive, "md5")
    return replace(source, archive=row, mirrors=NOWHERE), archive, contents


def zipped(contents):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return stream.getvalue()


# CIFAR's batches.

COLOURS = np.random.default_rng(1).integers(0, 256, (14, 3, 32, 32), np.uint8)
FINE = (np.arange(14) * 7) % 10
COARSE = FINE // 2
# Five training batches and a test batch, of which images they are.
BATCHES = {
    **{f"data_batch_{number}": slice(2 * number - 2, 2 * number) for number in range(1, 6)},
    "test_batch": slice(10, 14),
}


def old_string(value):
    """Return the instructions by which Python 2 writes a string."""
    value = value if isinstance(value, bytes) else value.encode("latin-1")
    if len(value) < 256:
        return b"U" + bytes([len(value)]) + value
    return b"T" + struct.pack("<I", len(value)) + value


def numbers(values):
    """Return the instructions that push a list of whole numbers."""
    return pickle.dumps([int(value) for value in values], protocol=2)[2:-1]


BYTE_TYPE = (
    b"cnumpy\ndtype\n" + old_string("u1") + b"K\x00K\x01\x87R"
    b"(K\x03" + old_string("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)
EMPTY_ARRAY = (
    b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + old_string("b") + b"\x87R"
)


def array(shape, content, byte_type=BYTE_TYPE, columns_first=b"\x89"):
    """Return the instructions by which Python 2 and NumPy 1 write an array of bytes."""
    sizes = b"".join(pickle.dumps(size, protocol=2)[2:-1] for size in shape)
    state = b"(K\x01(" + sizes + b"t" + byte_type + columns_first + old_string(content) + b"t"
    return EMPTY_ARRAY + state + b"b"


def dictionary(**values):
    """Return a pickle of a dictionary whose keys are Python 2's strings."""
    items = b"".join(old_string(key) + value for key, value in values.items())
    return b"\x80\x02}(" + items + b"u."


def python_batch(place, **labels):
    images = COLOURS[place].reshape(-1, 3072)
    return dictionary(
        batch_label=old_string("made here"),
        **{key: numbers(values[place]) for key, values in labels.items()},
        data=array(images.shape, images.tobytes()),
    )


def binary_batch(place, *labels):
    columns = [values[place, None].astype(np.uint8) for values in labels]
    return np.concatenate([*columns, COLOURS[place].reshape(-1, 3072)], 1).tobytes()


def tarred(contents, folder="made"):
    """Return a compressed tar archive of files, given as bytes or as finished headers."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in contents.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            header = tarfile.TarInfo(f"{folder}/{name}" if folder else name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return stream.getvalue()


def cifar_form(form, contents, archive=None):
    """Return a form of CIFAR with the made files in it, and its archive."""
    archive = tarred(contents) if archive is None else archive
    return replace(
        form,
        files=tuple(published(*item) for item in contents.items()),
        archive=published(form.archive.name, archive, "md5"),
        mirrors=NOWHERE,
    ), archive


PYTHON_BATCHES = {name: python_batch(place, labels=FINE) for name, place in BATCHES.items()}
BINARY_BATCHES = {f"{name}.bin": binary_batch(place, FINE) for name, place in BATCHES.items()}
TRAIN, TEST = slice(0, 10), slice(10, 14)
PYTHON_100 = {
    name: python_batch(place, fine_labels=FINE, coarse_labels=COARSE)
    for name, place in (("train", TRAIN), ("test", TEST))
}
BINARY_100 = {
    name: binary_batch(place, COARSE, FINE)
    for name, place in (("train.bin", TRAIN), ("test.bin", TEST))
}
TINY_CIFAR10, CIFAR10_ARCHIVE = cifar_form(CIFAR10[0], PYTHON_BATCHES)
TINY_CIFAR10_BINARY, CIFAR10_BINARY_ARCHIVE = cifar_form(CIFAR10[1], BINARY_BATCHES)
TINY_CIFAR100, CIFAR100_ARCHIVE = cifar_form(CIFAR100[0], PYTHON_100)
TINY_CIFAR100_BINARY, CIFAR100_BINARY_ARCHIVE = cifar_form(CIFAR100[1], BINARY_100)
