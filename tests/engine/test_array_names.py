"""Operators, assignments and conversions by name, and names that are not there."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DeviceError, DTypeError, GraphError, MissingNameError

X = [[1.0, 5.0, 3.0], [2.0, 0.0, 2.0]]


def drawn() -> tg.Tensor:
    return tg.Tensor(X)


@pytest.mark.parametrize(
    ("by_name", "by_operator"),
    [
        (lambda x: x.eq(2), lambda x: x == 2),
        (lambda x: x.ne(2), lambda x: x != 2),
        (lambda x: x.lt(2), lambda x: x < 2),
        (lambda x: x.le(2), lambda x: x <= 2),
        (lambda x: x.gt(2), lambda x: x > 2),
        (lambda x: x.ge(2), lambda x: x >= 2),
        (lambda x: x.pow(2), lambda x: x**2),
        (lambda x: x.mm(x.T), lambda x: x @ x.T),
        (lambda x: x.view_as(tg.zeros(6)), lambda x: x.view(6)),
        (lambda x: x.contiguous(), lambda x: x),
        (lambda x: x.add(2), lambda x: x + 2),
        (lambda x: x.sub(2), lambda x: x - 2),
        (lambda x: x.mul(2), lambda x: x * 2),
        (lambda x: x.div(2), lambda x: x / 2),
        (lambda x: x.neg(), lambda x: -x),
        (lambda x: x.square(), lambda x: x**2),
        (lambda x: x.type_as(tg.tensor([1])), lambda x: x.long()),
        (lambda x: x[:1].expand(4, 2, -1), lambda x: tg.stack([tg.stack([x[0]] * 2)] * 4)),
        (lambda x: x[:1].expand((2, 3)), lambda x: tg.stack([x[0]] * 2)),
        (lambda x: x[:1].expand_as(x), lambda x: tg.stack([x[0]] * 2)),
        (lambda x: (x > 1) & (x < 3), lambda x: (x == 2) | (x == 1.5)),
        (lambda x: ~(x > 1), lambda x: x <= 1),
        (lambda x: (x > 1) ^ (x < 3), lambda x: (x >= 3) | (x <= 1)),
        (lambda x: x.long() & 1, lambda x: tg.tensor([[1, 1, 1], [0, 0, 0]])),
        (lambda x: ~x.long(), lambda x: -1 - x.long()),
        (lambda x: x.int(), lambda x: x.to("int32")),
        (lambda x: x.bool(), lambda x: x != 0),
    ],
)
def test_a_name_is_its_operator(by_name, by_operator) -> None:
    ours, expected = by_name(drawn()), by_operator(drawn())
    assert ours.dtype == expected.dtype
    assert ours.tolist() == expected.tolist()


def test_fractions_have_no_bits_to_combine() -> None:
    for wrong in (lambda x: x & (x > 1), lambda x: (x > 1) | x, lambda x: ~x):
        with pytest.raises(
            DTypeError, match=r"bitwise_\w+: truth values or whole .* Compare first"
        ):
            wrong(drawn())
    assert drawn().nelement() == 6


@pytest.mark.parametrize("values", [[0.0, 0.0], [0.0, 2.0], [1.0, -1.0], []])
def test_all_and_any_are_those_of_numpy(values: list[float]) -> None:
    x = tg.Tensor(values, dtype=np.float32)
    assert x.all().item() is bool(np.all(values))
    assert x.any().item() is bool(np.any(values))
    assert (x == 2).any().item() is (2.0 in values)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda x: x.fill_(4), np.full((2, 3), 4.0)),
        (lambda x: x.zero_(), np.zeros((2, 3))),
        (lambda x: x.copy_([1.0, 2.0, 3.0]), np.array([[1.0, 2.0, 3.0]] * 2)),
        (lambda x: x.add_(1), np.add(X, 1)),
        (lambda x: x.sub_(drawn()), np.zeros((2, 3))),
        (lambda x: x.mul_(2.0), np.multiply(X, 2)),
        (lambda x: x.div_(2), np.divide(X, 2)),
    ],
)
def test_a_name_with_an_underscore_changes_the_values_in_place(change, expected) -> None:
    x = drawn()
    alias = x.data
    assert change(x) is x
    assert alias.tolist() == expected.tolist()


def test_a_step_as_tutorials_write_it() -> None:
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    w.data.sub_(0.25 * w.grad.data)
    assert w.tolist() == [0.5, 1.0]
    w.grad.zero_()
    assert w.grad.tolist() == [0.0, 0.0]
    with tg.no_grad():
        w.add_(1)
    assert w.tolist() == [1.5, 2.0]


def test_a_change_in_place_that_would_lose_a_gradient_is_refused() -> None:
    w = tg.Tensor([1.0], requires_grad=True)
    with pytest.raises(GraphError, match="assignment: a tensor that requires a gradient"):
        w.zero_()
    with pytest.raises(GraphError, match="assignment: it is not recorded"):
        tg.zeros(1).add_(w)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("sofmax", "Tensor: the attribute exists; got 'sofmax'. The nearest is 'softmax'"),
        ("topk", r"Tensor: .*got 'topk'\. The nearest: argmax\(dim\)"),
        ("cumsum", r"got 'cumsum'\. The nearest: numpy\.cumsum of x\.numpy\(\), through which"),
        ("xyzzy", "got 'xyzzy'. The nearest: a function of NumPy's of x.numpy"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_the_nearest(name: str, match: str) -> None:
    with pytest.raises(MissingNameError, match=match):
        getattr(drawn(), name)
    assert not hasattr(drawn(), name)


def test_protocols_that_ask_for_attributes_work() -> None:
    assert pickle.loads(pickle.dumps(drawn())).tolist() == X
    assert copy.deepcopy(drawn()).tolist() == X
    assert np.asarray(drawn()).tolist() == X


def test_a_whole_number_is_a_position() -> None:
    names = ["cat", "dog"]
    labels = tg.tensor([1, 0])
    assert [names[label] for label in labels] == ["dog", "cat"]
    assert names[labels.argmax()] == "cat"
    for wrong in (tg.tensor(1.0), labels, tg.tensor(True)):
        with pytest.raises(DTypeError, match="index: a position is one whole number"):
            names[wrong]


def test_no_grad_decorates_with_parentheses_and_without() -> None:
    @tg.no_grad
    def bare(x: int) -> tuple[int, bool]:
        return x, tg.is_grad_enabled()

    @tg.no_grad()
    def called(x: int) -> tuple[int, bool]:
        return x, tg.is_grad_enabled()

    assert bare(3) == called(3) == (3, False)
    assert (bare.__name__, tg.is_grad_enabled()) == ("bare", True)


def test_cuda_is_refused() -> None:
    with pytest.raises(DeviceError, match=r"to: tensors live on 'cpu' here.*got 'cuda'"):
        drawn().cuda()
