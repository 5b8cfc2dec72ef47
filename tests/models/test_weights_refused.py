"""Weights that are damaged, foreign or malicious are refused, and nothing in them is ever run."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn.errors import CheckpointError, MissingDataError
from tinygrad_cnn.models import read_weights

from . import pickled
from .pickled import SIX, body, call, mapping, name, storage, tensor

FORMS = {"older": pickled.older_form, "zip": pickled.zip_form}
PLAIN = mapping(w=tensor())


@pytest.fixture(params=FORMS)
def write(request, tmp_path):
    """Write instructions into a file of either form, and return where it lies."""
    return lambda content, **more: FORMS[request.param](tmp_path / "w.pth", content, **more)


class Attack:
    """Something whose pickle calls a function when it is loaded."""

    def __init__(self, function, *arguments) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    ("function", "called"),
    [(os.system, "posix.system|nt.system"), (eval, "eval"), (io.open, "io.open"), (Path, "Path")],
    ids=["system", "eval", "open", "path"],
)
def test_a_pickle_that_would_call_something_is_refused_by_name(
    write, tmp_path, function, called, protocol
) -> None:
    witness = tmp_path / "was-run"
    argument = f"touch {witness}" if function is os.system else f"open({str(witness)!r}, 'w')"
    attack = pickle.dumps(Attack(function, argument), protocol)[2:-1]
    if protocol >= 4:
        attack = attack[9:]  # without its frame
    with pytest.raises(CheckpointError, match=f"nothing is imported or run.*({called})"):
        read_weights(write(mapping(w=attack)))
    assert not witness.exists()


BODIES = [
    (call("torch._utils._rebuild_tensor_v3", tensor()), "got 'torch._utils._rebuild_tensor_v3'"),
    (call("torch.ComplexFloatStorage"), "got 'torch.ComplexFloatStorage'"),
    (call("builtins.getattr", tensor(), body("of")), "got 'builtins.getattr'"),
    (b"c__builtin__\nprint\n", "got '__builtin__.print'"),
    (call("torch.FloatStorage", body(10**9)), "a function of the table is called; got torch.Flo"),
    (body("os.system") + body(("true",)) + b"R", "of the table is called; got str"),
    (tensor() + b")R", "of the table is called; got StoredTensor"),
    (tensor() + b"}b", "only a dictionary gets attributes; got StoredTensor"),
    (name("collections.OrderedDict") + b")\x81", "instruction 0x81"),
    (b"\x80\x02N", "instruction 0x80"),
    (b"I5\n", "instruction 0x49"),
    (call("torch._utils._rebuild_tensor_v2", body(1), body(2)), "_tensor_v2 gets what it needs"),
    (call("torch._utils._rebuild_tensor_v2", *[body(1)] * 4), "a view of a storage; got int"),
    (tensor(shape=5), "has sizes and strides; got int"),
    (tensor(shape=(2,)), "a size and a stride for each axis.*got 1 sizes and 2 strides"),
    (tensor(shape=(2, -3)), "none negative"),
    (tensor(strides=(3, -1)), "none negative"),
    (tensor(offset=-1), "none negative"),
    (tensor(offset=True), "none negative"),
    (tensor(offset=1), "within its storage; got one that ends at element 7 of 6"),
    (tensor(strides=(4, 1)), "ends at element 7 of 6"),
    (tensor(shape=(1 << 61, 1 << 61)), "within its storage"),
    (tensor(shape=(1 << 70, 1)), "none negative"),
    (tensor(storage(count=-6)), "a storage has a key and a length"),
    (tensor(storage(count=10**40)), "a storage has a key and a length"),
    (b"(" + storage() + storage(count=5) + b"t", "one length and type; got two for one key"),
    (b"(" + storage() + storage(kind="IntStorage") + b"t", "got two for one key"),
    (body(("module", 1, 2, 3, 4)) + b"Q", "only whole storages .* got 'module'"),
    (body(("storage", 1, 2, 3, 4)) + b"Q", "only whole storages"),
    (body("storage") + b"Q", "named by 5 or 6 values"),
    (b"(" + body("storage") + name("torch.FloatStorage") + body(("0", "cpu", 6, (1, 2, 3)))[1:]
     + b"Q", "."),
    (b"u", "put into a dictionary; got 1 values"),
    (b"0", "instruction 0x30"),
    (b"\x87", "finds the values it needs"),
    (b"h\x07", "noted before it is recalled"),
    (b"Na", "appended to a list|finds the values"),
    (b"NNa", "appended to a list; got NoneType"),
    (b"NNNs", "into a dictionary; got 2 values for NoneType"),
    (b"}(Nu", "into a dictionary; got 1 values"),
    (b"}NNs", "keys of a dictionary are text or numbers; got NoneType"),
    (b"})Ns", "keys of a dictionary are text or numbers; got tuple"),
    (b"X\xff\xff\xff\x7f", "an end after .* where 2147483647 more are due"),
    (b"\x8d" + b"\xff" * 8, "an end after .* where 18446744073709551615 more"),
    (b"U\x02\xff\xfe", "text is UTF-8"),
    (b"c" + b"a" * 400, "a line of at most 200 bytes"),
    (b"K\x05K\x06\x93", "a global name is text"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "match"), BODIES, ids=range(len(BODIES)))
def test_bodies_that_are_wrong_are_refused(write, content, match) -> None:
    with pytest.raises(CheckpointError, match=match) as caught:
        read_weights(write(mapping(w=content)))
    assert "w.pth" in str(caught.value)


CONTENTS = [
    (
        mapping(n=body(5)),
        r"one dictionary of tensors; got none in a dictionary of 'n' in .*\. Name",
    ),
    (b"}", "one dictionary of tensors; got none in an empty dictionary"),
    (body("text"), r"a dictionary of tensors; got a str in .*\. Save the state dictionary alone"),
    (mapping(w=tensor(), n=body(5)), r"nothing else; got int at 'n' in .*\. Save the state"),
    (body([1, 2]), "holds a dictionary of tensors; got a list"),
    (tensor(), "holds a dictionary of tensors; got a single tensor"),
    (b"}" + body(7) + tensor() + b"s", "by name and nothing else; got StoredTensor at a int"),
    (b"NN", "leaves one value; got 2"),
    (b"}(", "leaves one value"),
    (b"u", "an instruction finds its mark"),
]


@pytest.mark.parametrize(("content", "match"), CONTENTS, ids=range(len(CONTENTS)))
def test_files_without_a_dictionary_of_tensors_are_refused(write, content, match) -> None:
    with pytest.raises(CheckpointError, match=match):
        read_weights(write(content, storages=None if tensor() in content else {}))


def test_a_storage_that_claims_more_than_the_file_has_is_refused_before_memory_is(write) -> None:
    huge = 1 << 50
    content = mapping(w=tensor(storage(count=huge), shape=(huge,), strides=(1,)))
    with pytest.raises(CheckpointError, match=r"follow for each storage|fits into the file"):
        read_weights(write(content))
    with pytest.raises(CheckpointError, match=r"7 elements and their number|28 bytes are there"):
        read_weights(write(mapping(w=tensor(storage(count=7)))))
    with pytest.raises(CheckpointError, match=r"5 elements and their number|at most 20 bytes"):
        read_weights(write(mapping(w=tensor(storage(count=5), shape=(5,), strides=(1,)))))


def test_nested_tuples_that_double_are_neither_hashed_nor_unfolded(write) -> None:
    doubled = b")" + b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(200))
    with pytest.raises(CheckpointError, match="text or numbers; got tuple"):
        read_weights(write(mapping(w=tensor(), x=b"}" + doubled + b"Ns")))
    with pytest.raises(CheckpointError, match="nothing else; got tuple at 'x'"):
        read_weights(write(mapping(w=tensor(), x=doubled)))


def test_nothing_is_printed_that_a_pickle_may_have_made_endless(write) -> None:
    doubled = b")" + b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(200))
    assert list(read_weights(write(mapping(net=PLAIN, x=call("torch.device", doubled)))))
    long = b"\x8a\xff" + b"\x7f" * 255  # an integer of 614 digits
    for wrong in (
        call("torch.Size", doubled, doubled),
        b"(" + doubled * 5 + b"tQ",
        tensor(offset=1) + doubled,
    ):
        with pytest.raises(CheckpointError):
            read_weights(write(mapping(w=wrong)))
    with pytest.raises(CheckpointError, match="none negative"):
        read_weights(write(mapping(w=tensor(stored=storage(), offset=0, shape=(1 << 1900, 1)))))
    with pytest.raises(CheckpointError, match="a storage has a key and a length"):
        read_weights(write(mapping(w=storage().replace(body(6), long))))


@pytest.mark.parametrize(
    ("shape", "strides"),
    [((1 << 40, 1 << 40), (0, 0)), ((0, 1 << 61, 1 << 61), (0, 1, 1)), ((1,) * 70, (1,) * 70),
     ((1, 2), (1 << 61, 1))],
)  # fmt: skip
def test_shapes_that_numpy_cannot_hold_are_refused(write, shape, strides) -> None:
    with pytest.raises(CheckpointError, match="arrays have sizes that this machine can hold"):
        read_weights(write(mapping(w=tensor(shape=shape, strides=strides))))


def test_a_tensor_repeated_by_strides_of_zero_takes_no_memory(write) -> None:
    wide = tensor(shape=(1 << 15, 1 << 15, 1 << 10), strides=(0, 0, 0))
    read = read_weights(write(mapping(w=wide)))["w"]
    assert read.shape == (1 << 15, 1 << 15, 1 << 10)  # 4 TiB, were it copied
    assert read.base is not None


OLDER = [
    ({"magic": 5}, "the first pickle is PyTorch's magic number"),
    ({"system": {"little_endian": False}}, "the byte order is little"),
    ({"system": [1]}, "the byte order is little"),
    ({"keys": "0"}, "the last pickle lists the keys; got str"),
    ({"keys": []}, "lists each storage once; got 0 keys, 1 storages"),
    ({"keys": ["1"]}, "lists each storage once"),
    ({"keys": [0]}, "the last pickle lists the keys"),
]


@pytest.mark.parametrize(("options", "match"), OLDER, ids=[str(o) for o, _ in OLDER])
def test_the_older_form_is_refused_where_its_parts_disagree(tmp_path, options, match) -> None:
    with pytest.raises(CheckpointError, match=match):
        read_weights(pickled.older_form(tmp_path / "w.th", PLAIN, **options))


def test_the_zip_form_is_refused_where_its_parts_disagree(tmp_path) -> None:
    path = tmp_path / "w.pth"
    with pytest.raises(CheckpointError, match="the byte order is little; got 'big'"):
        read_weights(pickled.zip_form(path, PLAIN, byteorder=b"big"))
    with pytest.raises(CheckpointError, match="there are at most 16 bytes; got more"):
        read_weights(pickled.zip_form(path, PLAIN, byteorder=b"little" * 3))
    with pytest.raises(CheckpointError, match="no 'archive/data/0'"):
        read_weights(pickled.zip_form(path, PLAIN, {}))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "nothing")
    with pytest.raises(CheckpointError, match=r"one data\.pkl; got 0"):
        read_weights(path)


def test_a_pickle_that_unpacks_to_more_than_names_need_is_refused(tmp_path) -> None:
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"N" * (65 << 20))
    with pytest.raises(CheckpointError, match="at most 67108864 bytes; got more"):
        read_weights(path)


def test_npz_files_are_refused_where_they_are_not_numbers(tmp_path) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(CheckpointError, match="arrays hold numbers; got object"):
        read_weights(path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    )
    for content, match in [
        (header.getvalue(), "fits into the file; got 8796093022208 bytes"),
        (header.getvalue().replace(b"1099511627776", b"3            "), "24 bytes are there"),
        (header.getvalue().replace(b"1099511627776,", b"-3,           "), "sizes are not negative"),
        (header.getvalue().replace(b"'<f8'", b"'<q9'"), "whole members"),
        (b"\x93NUMPY\x03\x00", "of version 1 or 2"),
        (b"something", "whole zip archive"),
    ]:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", content)
        with pytest.raises(CheckpointError, match=match):
            read_weights(path)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".th", ".bin", ".npz", ".safetensors"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80",
        b"PK\x03\x04",
        b"not weights at all",
        b"\x80\x02K\x05.",
        bytes(40),
        b"\xff" * 40,
    ],
    ids=["empty", "first byte", "zip magic", "text", "number", "zeros", "ones"],
)
def test_foreign_files_are_refused(tmp_path, suffix, content) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"read_weights: .*; got .* in .*w\."):
        read_weights(path)


def test_missing_files_unknown_names_and_needless_keys_are_refused(tmp_path) -> None:
    with pytest.raises(MissingDataError, match="got no file at"):
        read_weights(tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"ends in .*\.pth.*got 'w\.h5'"):
        read_weights(tmp_path / "w.h5")
    np.savez(tmp_path / "w.npz", a=SIX)
    with pytest.raises(CheckpointError, match=r"only files of torch\.save .* got key='a'"):
        read_weights(tmp_path / "w.npz", key="a")


@pytest.mark.parametrize("form", [*FORMS, "npz"])
def test_files_with_a_damaged_byte_or_cut_off_are_read_or_refused(tmp_path, form) -> None:
    path = tmp_path / ("w.npz" if form == "npz" else "w.pth")
    if form == "npz":
        np.savez_compressed(path, w=SIX)
    else:
        FORMS[form](path, PLAIN)
    sound = path.read_bytes()
    generator = np.random.default_rng(0)
    refused = 0
    for round_ in range(600):
        damaged = bytearray(sound)
        if round_ % 3:
            for _ in range(round_ % 3):
                damaged[generator.integers(len(damaged))] = generator.integers(256)
        else:
            del damaged[generator.integers(len(damaged)) :]
        path.write_bytes(damaged)
        try:
            read_weights(path)
        except CheckpointError:
            refused += 1
    assert refused > 200
