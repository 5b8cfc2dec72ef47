"""Tensors: what is made of data, types that stay, changes in place, and the way to NumPy."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DTypeError, OptionError
from tinygrad_cnn.graph import elements_behind


def leaf(*values: float) -> tg.Tensor:
    return tg.Tensor(np.array(values), requires_grad=True)


# -- making one --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        ([1.0, 2.0], np.float32),
        ([[1, 2], [3, 4.5]], np.float32),
        (1.5, np.float32),
        ([1, 2], np.int64),
        ([True, False], np.bool_),
        ([], np.float32),
        (np.array([1.0]), np.float64),
        (np.array([1], np.uint8), np.uint8),
        (np.float64(1.0), np.float64),
        (np.array([1.0], np.float16), np.float16),
        (tg.Tensor(np.array([1.0])), np.float64),
    ],
)
def test_floats_in_lists_become_float32_and_arrays_keep_their_type(data: Any, dtype: Any) -> None:
    tensor = tg.Tensor(data)
    assert tensor.dtype == dtype
    assert tensor.numpy().dtype == dtype


def test_a_type_that_is_asked_for_is_given() -> None:
    assert tg.Tensor([1.0], dtype=np.float64).dtype == np.float64
    assert tg.Tensor(np.array([1.0]), dtype="float32").dtype == np.float32


def test_data_are_copied() -> None:
    array = np.zeros(3)
    tensor = tg.Tensor(array)
    array[0] = 7.0
    assert tensor.tolist() == [0.0, 0.0, 0.0]


def test_facts_about_a_tensor() -> None:
    x = tg.Tensor(np.zeros((2, 3, 4)), requires_grad=True, name="x")
    assert x.shape == x.size() == (2, 3, 4)
    assert (x.size(1), x.size(-1), x.dim(), x.ndim, x.numel(), len(x)) == (3, 4, 3, 3, 24, 2)
    assert (x.device, x.name, x.is_leaf, x.requires_grad) == ("cpu", "x", True, True)
    assert x.T.shape == (4, 3, 2)


def test_a_tensor_is_iterated_over_its_first_axis() -> None:
    x = leaf(1.0, 2.0, 3.0)
    first, *rest = x
    assert [value.item() for value in rest] == [2.0, 3.0]
    (first * 5.0).backward()
    assert x.grad.tolist() == [5.0, 0.0, 0.0]


def test_text_forms() -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    assert repr(x) == "Tensor([1., 2.], requires_grad=True)"
    assert repr(x * 2) == "Tensor([2., 4.], creator=multiply)"
    assert repr(tg.Tensor([1, 2])) == "Tensor([1, 2], dtype=int64)"
    assert f"{x.sum():.3f}" == "3.000"
    assert f"{tg.Tensor([1.0])}" == "Tensor([1.])"
    assert len(repr(tg.Tensor(np.zeros((100, 100))))) < 1000


def test_single_numbers() -> None:
    x = tg.Tensor([[2.5]])
    assert x.item() == float(x) == 2.5
    assert int(x) == 2
    assert bool(x)
    assert type(tg.Tensor([3]).item()) is int
    assert type(tg.Tensor([True]).item()) is bool


# -- types -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("number", [2, 2.5, True, 1e30])
def test_a_number_never_changes_the_type_of_a_tensor(dtype: Any, number: Any) -> None:
    x = tg.Tensor(np.array([1.0, 2.0], dtype))
    if number == 1e30 and dtype is np.float16:
        return
    for result in (x + number, number + x, x * number, number - x, x / number, number / x):
        assert result.dtype == dtype
    assert (x > number).dtype == np.bool_


def test_integers_stay_integers_until_they_are_divided() -> None:
    x = tg.Tensor([1, 2])
    assert (x + 1).dtype == np.int64
    assert (x + 0.5).tolist() == [1.5, 2.5]
    assert (x / 2).dtype == np.float32
    assert (x / 2).tolist() == [0.5, 1.0]
    assert x.sum().dtype == np.int64


def test_conversions_between_floats_are_recorded() -> None:
    x = leaf(1.0, 2.0)
    y = x.float()
    assert (y.dtype, y.creator.name) == (np.float32, "cast")
    (y * 3).sum().backward()
    assert x.grad.dtype == np.float64
    assert x.grad.tolist() == [3.0, 3.0]
    assert x.double() is x
    assert x.to("cpu") is x.cpu() is x
    assert x.long().dtype == np.int64
    assert not x.long().requires_grad


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.to(tg.float64),
        lambda x: x.to("float64"),
        lambda x: x.to(dtype=tg.float64),
        lambda x: x.to("cpu", tg.float64),
        lambda x: x.to("cpu", dtype=tg.float64),
        lambda x: x.to(device="cpu", dtype="float64"),
        lambda x: x.to(tg.float64, device="cpu"),
        lambda x: x.to(tg.zeros(1, dtype=tg.float64)),
    ],
)
def test_type_and_device_are_named_in_any_order(convert: Any) -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    assert convert(x).dtype == np.float64
    assert convert(x).creator.name == "cast"
    assert x.to() is x.to(None) is x.to(device="cpu") is x


def test_mixed_precision_gives_each_operand_its_own_type_back() -> None:
    x, y = leaf(1.0, 2.0), tg.Tensor([3.0, 4.0], requires_grad=True)
    (x * y).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (np.float64, np.float32)


def test_integers_to_a_recorded_power() -> None:
    y = leaf(2.0, 3.0)
    (tg.Tensor([1, 2]) ** y).sum().backward()
    np.testing.assert_allclose(y.grad.numpy(), [0.0, 8 * np.log(2)])


def test_comparisons_have_no_gradient() -> None:
    x = leaf(1.0, 2.0)
    assert (x == 1.0).tolist() == [True, False]
    assert (x != 1.0).tolist() == [False, True]
    assert (x < 2).tolist() == [True, False]
    assert (x <= 1).tolist() == [True, False]
    assert (x > leaf(0.0, 3.0)).tolist() == [True, False]
    assert (x >= np.array([1.0, 3.0])).tolist() == [True, False]
    assert not (x > 0).requires_grad
    assert x.argmax().item() == 1
    assert len({x, leaf(1.0, 2.0)}) == 2


# -- NumPy -------------------------------------------------------------------------------


def test_numpy_is_a_read_only_view() -> None:
    x = leaf(1.0, 2.0)
    view = x.numpy()
    assert np.shares_memory(view, x._value)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 5.0
    assert x.numpy().base is not None
    assert x._value.flags.writeable


def test_arrays_meet_tensors_as_tensors() -> None:
    x, array = leaf(1.0, 2.0), np.array([10.0, 20.0])
    for result in (array + x, array - x, array * x, array / x, np.float64(2) * x, x + array):
        assert isinstance(result, tg.Tensor)
        assert result.requires_grad
    assert (array - x).tolist() == [9.0, 18.0]
    assert (np.eye(2) @ x).tolist() == [1.0, 2.0]
    assert (x @ np.eye(2)).tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(np.asarray(x), [1.0, 2.0])
    assert np.array(x, dtype=np.float32).dtype == np.float32


# -- indexing and crossing ---------------------------------------------------------------


def test_a_tensor_of_labels_is_a_key() -> None:
    x = tg.Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    picked = x[tg.Tensor([0, 1]), tg.Tensor([2, 0])]
    assert picked.tolist() == [2.0, 3.0]
    picked.sum().backward()
    assert x.grad.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert x[x > 3.5].tolist() == [4.0, 5.0]


def test_axes_of_size_one_come_and_go() -> None:
    x = tg.Tensor(np.zeros((2, 1, 3, 1)), requires_grad=True)
    assert x.squeeze().shape == (2, 3)
    assert x.squeeze(1).shape == (2, 3, 1)
    assert x.squeeze(0).shape == x.shape  # not of size one
    assert x.squeeze((1, -1)).shape == (2, 3)
    assert x.squeeze().unsqueeze(0).shape == (1, 2, 3)
    assert x.squeeze().unsqueeze(-1).shape == (2, 3, 1)
    assert x.squeeze().t().shape == x.squeeze().T.shape == (3, 2)
    assert tg.Tensor([1.0]).t().shape == (1,)
    assert x.squeeze().matmul(x.squeeze().t()).shape == (2, 2)


def test_a_clone_has_memory_of_its_own_and_a_place_in_the_graph() -> None:
    x = leaf(1.0, 2.0)
    y = x.clone()
    assert not np.shares_memory(x._value, y._value)
    (y * y).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]
    repeats = tg.functional.broadcast_to(tg.Tensor([1.0]), (3,)).clone()
    repeats[0] = 5.0
    assert repeats.tolist() == [5.0, 1.0, 1.0]


def test_an_indexed_value_is_not_a_view() -> None:
    x = tg.Tensor([1.0, 2.0])
    y = x[0:1]
    x[0] = 9.0
    assert y.tolist() == [1.0]


def test_scalars_become_a_tensor_and_a_tensor_scalars() -> None:
    a, b = tg.Scalar(2.0, requires_grad=True), tg.Scalar(3.0, requires_grad=True)
    tensor = tg.stack([a, b])
    assert isinstance(tensor, tg.Tensor)
    (tensor * tg.Tensor(np.array([10.0, 100.0]))).sum().backward()
    assert (a.grad.item(), b.grad.item()) == (10.0, 100.0)
    x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    first, _, third = x.scalars()
    assert isinstance(first, tg.Scalar)
    (first * third).backward()
    assert x.grad.tolist() == [3.0, 0.0, 1.0]
    assert x.grad.dtype == np.float32


def test_max_answers_as_in_pytorch() -> None:
    x = tg.Tensor([[1.0, 3.0], [5.0, 2.0]])
    assert x.max().item() == 5.0
    assert x.amax(0).tolist() == [5.0, 3.0]
    values, indices = x.max(1)
    assert (values.tolist(), indices.tolist()) == ([3.0, 5.0], [1, 0])
    assert x.argmax(1).tolist() == [1, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8, np.bool_])
def test_the_smallest_is_found_in_every_type(dtype: Any) -> None:
    x = tg.Tensor(np.array([[1, 0], [1, 1]], dtype))
    assert x.min().item() == 0
    assert x.amin(0).tolist() == [1, 0]
    values, indices = x.min(1)
    assert (values.tolist(), indices.tolist()) == ([0, 1], [1, 0])
    assert values.dtype == dtype


def test_views_are_in_logical_order_whatever_the_memory() -> None:
    array = np.arange(24.0).reshape(1, 2, 3, 4)
    turned = np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert tg.Tensor(turned).view(-1).tolist() == list(range(24))
    assert tg.Tensor(turned).flatten(1).shape == (1, 24)


# -- copies ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_copies_and_pickles_are_leaves_with_memory_of_their_own(duplicate: Any) -> None:
    x = leaf(1.0, 2.0)
    x.name = "x"
    twin = duplicate(x)
    assert (twin.tolist(), twin.name, twin.requires_grad) == ([1.0, 2.0], "x", True)
    assert not np.shares_memory(twin._value, x._value)
    (twin * twin).sum().backward()
    assert x.grad is None
    inner = duplicate(x * 2.0)
    assert inner.is_leaf
    assert not elements_behind(inner.node)
    with tg.no_grad():
        inner += 1.0  # its memory can be written
    assert inner.tolist() == [3.0, 5.0]


def test_a_name_is_given_and_kept() -> None:
    x = tg.name(leaf(1.0), "weight")
    assert x.name == "weight"
    assert x.detach().name == "weight"


def test_nothing_equals_none() -> None:
    assert (tg.Tensor([1.0]) == None) is False  # noqa: E711  # what PyTorch users write
    assert (tg.Tensor([1.0]) != None) is True  # noqa: E711


def test_integers_take_the_type_of_the_floats_they_meet() -> None:
    whole = tg.Tensor(np.array([1, 2]))
    single = tg.Tensor([0.5, 0.5], requires_grad=True)
    product = whole * single
    assert product.dtype == np.float32
    product.sum().backward()
    assert single.grad.tolist() == [1.0, 2.0]


def test_only_numbers_are_written_into_a_tensor() -> None:
    x = tg.Tensor([1.0, 2.0])
    for wrong in (None, 1j, "a", [None]):
        with pytest.raises(DTypeError):
            x[0] = wrong
    assert x.tolist() == [1.0, 2.0]


def test_zero_grad_forgets_or_keeps_zeros() -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    x.grad = tg.Tensor([float("nan"), 1.0])
    x.zero_grad(set_to_none=False)
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 0.0]
    x.zero_grad()
    assert x.grad is None
    x.zero_grad(set_to_none=False)
    assert x.grad is None


def test_argmax_keeps_its_axis_on_request() -> None:
    assert tg.Tensor([[1.0, 3.0], [5.0, 4.0]]).argmax(1, keepdim=True).tolist() == [[1], [0]]


def test_a_seed_is_a_whole_number() -> None:
    for wrong in (-1, 1.5, "a", True, None):
        with pytest.raises(OptionError, match="manual_seed: a seed is a whole number from 0 up"):
            tg.manual_seed(wrong)  # type: ignore[arg-type]


def test_numbers_in_the_other_byte_order_are_turned_around_on_entry() -> None:
    other = np.arange(6.0).reshape(2, 3).astype(np.dtype(np.float32).newbyteorder("S"))
    assert not other.dtype.isnative
    x = tg.Tensor(other, requires_grad=True)
    y = tg.functional.relu(x - 2.0)
    y.backward(tg.Tensor(other))
    assert x.dtype == tg.Tensor([0.0], dtype=other.dtype).dtype == np.float32
    assert tg.zeros(2, dtype=other.dtype).to(other.dtype).dtype == np.float32
    np.testing.assert_array_equal(y.numpy(), [[0, 0, 0], [1, 2, 3]])
    np.testing.assert_array_equal(x.grad.numpy(), [[0, 0, 0], [3, 4, 5]])


@pytest.mark.parametrize("name", ["float32", "float64", "int64"])
def test_an_equal_type_becomes_the_one_that_compiled_code_knows(name: str) -> None:
    equal = np.dtype(name).newbyteorder("=")  # another object
    given = tg.Tensor(np.ones(2, equal))
    assert given.dtype is tg.Tensor(given, dtype=equal).dtype is given.to(equal).dtype
    assert given.dtype is np.dtype(name)
