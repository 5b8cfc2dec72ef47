"""Published weights are read in every form."""

import struct
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from tinygrad_cnn.errors import CheckpointError
from tinygrad_cnn.models import read_weights

from . import pickled
from .pickled import SIX, body, call, mapping, storage, tensor

FORMS = {"older": pickled.older_form, "zip": pickled.zip_form}
PLAIN = mapping(w=tensor())


@pytest.fixture(params=FORMS)
def write(request, tmp_path):
    """Write instructions into a file of either form, and return where it lies."""
    return lambda content, **more: FORMS[request.param](tmp_path / "w.pth", content, **more)


# -- what is read --------------------------------------------------------------------------


def test_a_tensor_is_read_from_either_form(write) -> None:
    read = read_weights(write(PLAIN))
    assert list(read) == ["w"]
    np.testing.assert_array_equal(read["w"], SIX.reshape(2, 3))
    assert read["w"].dtype == np.float32


def test_offsets_and_strides_are_respected_and_shared_storages_stay_shared(write) -> None:
    read = read_weights(
        write(
            mapping(
                columns=tensor(shape=(3, 2), strides=(1, 3)),
                tail=tensor(offset=4, shape=(2,), strides=(1,)),
                spread=tensor(offset=1, shape=(4, 1), strides=(0, 1)),
                one=tensor(offset=5, shape=(), strides=()),
                none=tensor(offset=6, shape=(0, 9), strides=(9, 1)),
            )
        )
    )
    np.testing.assert_array_equal(read["columns"], SIX.reshape(2, 3).T)
    np.testing.assert_array_equal(read["tail"], [4, 5])
    np.testing.assert_array_equal(read["spread"], np.ones((4, 1)))
    assert read["one"].shape == ()
    assert read["one"] == 5
    assert read["none"].shape == (0, 9)
    read["columns"][1, 1] = 40
    assert read["tail"][0] == 40


def test_parameters_sizes_and_devices_are_plain_values(write) -> None:
    wrapped = call("torch._utils._rebuild_parameter", tensor(), body(True), b"}")
    rest = mapping(
        size=call("torch.Size", body((2, 3))),
        device=call("torch.device", body("cuda"), body(1)),
        best=body(91.7), many=body([1, 2**40, None, True, -5, (1, 2, 3, 4)]),
    )  # fmt: skip
    read = read_weights(write(mapping(state_dict=mapping(w=wrapped), rest=rest)))
    np.testing.assert_array_equal(read["w"], SIX.reshape(2, 3))


def test_the_dictionary_of_tensors_is_found_or_named(write) -> None:
    nested = mapping(epoch=body(3), net=PLAIN, optimizer=mapping(state=b"}"))
    path = write(nested)
    assert list(read_weights(path)) == ["w"]
    assert list(read_weights(path, key="net")) == ["w"]
    path = write(mapping(model=mapping(a=tensor(), inner=PLAIN), averaged=mapping(b=tensor())))
    with pytest.raises(CheckpointError, match=r"one dictionary of tensors; got 2 \('model', 'aver"):
        read_weights(path)
    assert list(read_weights(path, key="averaged")) == ["b"]
    assert list(read_weights(path, key="model.inner")) == ["w"]
    with pytest.raises(
        CheckpointError, match=r"holds 'model\.x'; got a dictionary of 'a', 'inner'"
    ):
        read_weights(path, key="model.x")
    with pytest.raises(CheckpointError, match="by name and nothing else; got dict at 'inner'"):
        read_weights(path, key="model")


def test_a_prefix_that_all_names_have_is_taken_off(write) -> None:
    both = b"}(" + body("module.a") + tensor() + body("module.b.weight") + tensor() + b"u"
    assert list(read_weights(write(both))) == ["a", "b.weight"]
    one = b"}(" + body("module.a") + tensor() + body("b.weight") + tensor() + b"u"
    assert list(read_weights(write(one))) == ["module.a", "b.weight"]


KINDS = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8",
    "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "|i1", "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_of_number_is_read_from_compressed_archives_too(kind, tmp_path) -> None:
    values = (np.arange(6) % 2).astype(KINDS[kind])
    content = mapping(w=tensor(storage(kind=kind)))
    raw = {"0": values.tobytes()}
    path = pickled.zip_form(
        tmp_path / "w.pt", content, raw, zipfile.ZIP_DEFLATED, byteorder=b"little"
    )
    read = read_weights(path)["w"]
    assert read.dtype == values.dtype
    np.testing.assert_array_equal(read, values.reshape(2, 3))


def test_later_protocols_say_the_same_in_other_words(tmp_path) -> None:
    # Protocol 4: a frame, short text, names from the stack, notes without numbers.
    short = lambda text: b"\x8c" + bytes([len(text)]) + text.encode()  # noqa: E731
    rebuild = short("torch._utils") + b"\x94" + short("_rebuild_tensor_v2") + b"\x93\x94"
    pickle_4 = (
        b"\x80\x04\x95" + struct.pack("<Q", 9) + b"}" + short("w") + rebuild + b"(" + storage()
        + body(0) + body((2, 3)) + body((3, 1)) + b"\x89}tRs."
    )  # fmt: skip
    path = tmp_path / "w.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("any/name/data.pkl", pickle_4)
        archive.writestr("any/name/data/0", SIX.tobytes())
    np.testing.assert_array_equal(read_weights(path)["w"], SIX.reshape(2, 3))


def test_python_2_wrote_its_names_as_byte_strings(write) -> None:
    pairs = b"](]U\x01wa" + tensor() + b"ae"  # OrderedDict([['w', tensor]])
    np.testing.assert_array_equal(
        read_weights(write(call("collections.OrderedDict", pairs)))["w"], SIX.reshape(2, 3)
    )


def test_npz_and_safetensors_are_read(tmp_path) -> None:
    arrays = {"a.weight": SIX.reshape(2, 3), "b": np.array([1, -2], np.int64), "c": np.float64(3)}
    np.savez_compressed(tmp_path / "w.npz", **arrays, t=np.asfortranarray(SIX.reshape(2, 3)))
    read = read_weights(tmp_path / "w.npz")
    np.testing.assert_array_equal(read.pop("t"), SIX.reshape(2, 3))
    save_file({name: np.asarray(a) for name, a in arrays.items()}, tmp_path / "w.safetensors")
    for found in (read, read_weights(tmp_path / "w.safetensors")):
        assert found.keys() == arrays.keys()
        for each, array in arrays.items():
            assert found[each].dtype == array.dtype
            np.testing.assert_array_equal(found[each], array)
    np.savez(tmp_path / "big.npz", a=SIX.astype(">f4"))
    np.testing.assert_array_equal(read_weights(tmp_path / "big.npz")["a"], SIX)


def test_bfloat16_in_safetensors_is_widened(tmp_path) -> None:
    header = b'{"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes([0x80, 0x3F, 0x00, 0xC0]))
    np.testing.assert_array_equal(read_weights(path)["w"], np.float32([1, -2]))


@pytest.mark.data
def test_the_published_resnet20_is_read_from_a_file_that_a_gpu_wrote(published_file) -> None:
    read = read_weights(published_file("weights/resnet20-12fca82f.th"))
    counted = [name for name in read if name.endswith("num_batches_tracked")]
    assert len(counted) == 19  # which the file does not have
    assert len(read) == 97 + 19
    assert all(read.pop(name) == 0 for name in counted)
    assert read["conv1.weight"].shape == (16, 3, 3, 3)
    assert sum(a.size for n, a in read.items() if ".running_" not in n) == 269_722


# -- PyTorch's own files -------------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "older"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_pytorch_saves_is_read_as_pytorch_reads_it(tmp_path, zipped, protocol) -> None:
    import torch

    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    state = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).state_dict()
    state |= {
        "transposed": base.permute(2, 0, 1),
        "slice": base[:, 1, ::2],
        "expanded": base[:1].expand(5, 3, 4),
        "parameter": torch.nn.Parameter(base[1]),
        "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2.5),
    }
    kinds = (
        torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
        torch.int8, torch.uint8, torch.bool,
    )  # fmt: skip
    state |= {str(kind): torch.tensor([[0.0, 1.0], [3.25, 100.0]]).to(kind) for kind in kinds}
    path = tmp_path / "w.pt"
    torch.save(
        {"state_dict": state, "best_prec1": 91.7, "epoch": 3},
        path,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=zipped,
    )
    read = read_weights(path)
    assert list(read) == list(state)
    for each, value in state.items():
        value = value.detach()
        expected = (value.float() if value.dtype is torch.bfloat16 else value).numpy()
        assert read[each].dtype == expected.dtype, each
        np.testing.assert_array_equal(read[each], expected, err_msg=each)


@pytest.mark.parity
def test_a_whole_pickled_network_of_pytorch_is_refused(tmp_path) -> None:
    import torch

    torch.save(torch.nn.Linear(2, 2), tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"got 'torch\.nn\.modules\.linear\.Linear'.*alone"):
        read_weights(tmp_path / "w.pt")
