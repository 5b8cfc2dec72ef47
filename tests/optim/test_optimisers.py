"""Optimisers: step by step what their equations say, and what PyTorch's do."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import CheckpointError, DTypeError, OptionError, ShapeError
from tinygrad_cnn.graph import Node

OPTIONS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    ("Adadelta", {"lr": 0.5, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01, "weight_decay": 0.1, "momentum": 0.9, "centered": True}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True}),
]


def gradients(steps: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.normal(size=(3, 4)) for _ in range(steps)]


def run(optimiser_name: str, options: dict, steps: int = 20) -> np.ndarray:
    parameter = tg.Tensor(np.ones((3, 4)), requires_grad=True)
    optimiser = getattr(tg.optim, optimiser_name)([parameter], **options)
    for gradient in gradients(steps):
        parameter.grad = tg.Tensor(gradient)
        optimiser.step()
    return parameter.numpy()


def tensor_around(array: np.ndarray) -> tg.Tensor:
    """Return a trainable tensor around this very array, however it lies in memory."""
    node = Node(array.shape, array.dtype, "cpu", requires_grad=True)
    return tg.Tensor.wrap(array, node)


LAYOUTS = [
    ("C order", lambda values: values),
    ("Fortran order", lambda values: np.asfortranarray(values)),
    ("transposed", lambda values: np.ascontiguousarray(values.T).T),
    ("channels last", lambda values: np.ascontiguousarray(np.moveaxis(values, 1, -1))),
    ("every second row", lambda values: np.repeat(values, 2, axis=0)[::2]),
    ("backwards", lambda values: np.ascontiguousarray(values[::-1])[::-1]),
]


@pytest.mark.parametrize("lay", [row[1] for row in LAYOUTS], ids=[row[0] for row in LAYOUTS])
@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_a_step_does_not_depend_on_how_the_parameter_lies_in_memory(lay, name, options) -> None:
    generator = np.random.default_rng(2)
    values, gradient = generator.normal(size=(2, 4, 3, 5, 6))
    laid = lay(values.copy())
    if laid.shape != values.shape:  # seen as (N, C, H, W) again, without moving a number
        laid = np.moveaxis(laid, -1, 1)
    trained = []
    for array in (values.copy(), laid):
        parameter = tensor_around(array)
        optimiser = getattr(tg.optim, name)([parameter], **options)
        for _ in range(3):
            parameter.grad = tg.Tensor(gradient)
            optimiser.step()
        assert (array != values).all(), "the step reaches the array itself"
        trained.append(parameter.numpy())
    np.testing.assert_array_equal(*trained)


@pytest.mark.parametrize("values", [np.ones((2, 3)).T, np.ones(()), np.ones((0, 3))], ids=np.shape)
def test_parameters_of_any_shape_are_trained(values) -> None:
    parameter = tg.Tensor(values, requires_grad=True)
    parameter.grad = tg.Tensor(np.ones(values.shape))
    tg.optim.SGD([parameter], lr=0.5).step()
    np.testing.assert_array_equal(parameter.numpy(), np.full(values.shape, 0.5))


def test_a_parameter_without_a_gradient_stays() -> None:
    still, moved = (tg.Tensor([1.0], requires_grad=True) for _ in range(2))
    moved.grad = tg.Tensor([1.0])
    tg.optim.SGD([still, moved], lr=0.5).step()
    assert still.tolist() == [1.0]
    assert moved.tolist() == [0.5]


def test_a_step_after_forward_is_noticed_by_backward() -> None:
    w = tg.Tensor([2.0], requires_grad=True, name="w")
    optimiser = tg.optim.SGD([w], lr=0.1)
    loss = (w * w).sum()
    w.grad = tg.Tensor([1.0])
    optimiser.step()
    with pytest.raises(tg.errors.GraphError, match=r"saved 'w'.*changed in place"):
        loss.backward()


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_a_saved_optimiser_goes_on_bit_for_bit(name, options) -> None:
    parameter = tg.Tensor(np.ones((3, 4)), requires_grad=True)
    optimiser = getattr(tg.optim, name)([parameter], **options)
    for step, gradient in enumerate(gradients(20)):
        if step == 7:
            values, state = parameter.numpy().copy(), optimiser.state_dict()
            parameter = tg.Tensor(values, requires_grad=True)
            optimiser = getattr(tg.optim, name)([parameter], **options)
            optimiser.load_state_dict(state)
        parameter.grad = tg.Tensor(gradient)
        optimiser.step()
    np.testing.assert_array_equal(parameter.numpy(), run(name, options))


def test_the_state_of_another_optimiser_is_refused_and_nothing_changes() -> None:
    w = tg.Tensor([1.0], requires_grad=True)
    adam, sgd = tg.optim.Adam([w]), tg.optim.SGD([w])
    with pytest.raises(CheckpointError, match="Adam: the state belongs to the same optimiser"):
        adam.load_state_dict(sgd.state_dict())
    assert adam.steps == 0


@pytest.mark.parametrize(
    ("path", "value", "error", "match"),
    [
        ("mean.1", np.zeros(4), ShapeError, r"Adam: .* got \(4,\) for mean.1 of shape \(3,\)"),
        (
            "square.1",
            ["a", "b", "c"],
            DTypeError,
            "Adam: each value holds numbers; got .* square.1",
        ),
        ("mean.1", [0.0, None, 1.0], DTypeError, "holds numbers; got .* for mean.1"),
        ("mean.1", np.full(3, 1e300), DTypeError, "too large for mean.1 of float32"),
        ("steps", 2.5, DTypeError, "Adam: each value holds whole numbers; got 2.5 for steps"),
        ("steps", -1, OptionError, r"steps lies in \[0, inf\); got -1"),
        ("updates", [3, -2], OptionError, r"updates lies in \[0, inf\); got -2"),
        ("lr.0", "fast", DTypeError, "holds numbers; got 'fast' for lr.0"),
        ("lr.0", -0.1, OptionError, r"lr lies in \[0, inf\); got -0.1"),
        ("betas.0", [0.5, 1.0], OptionError, r"betas\[1\] lies in \[0, 1\); got 1.0"),
        ("parameters.0", 3, CheckpointError, "as many parameters .* got 3 for 2 in group 0"),
    ],
)
def test_a_damaged_state_is_refused_and_nothing_changes(path, value, error, match) -> None:
    weights = [tg.Tensor([1.0, 2.0, 3.0], requires_grad=True) for _ in range(2)]
    optimiser = tg.optim.Adam(weights)
    before = optimiser.state_dict()
    options = {f"{option}.0" for option in optimiser.limits}
    damaged = {
        name: array if name in options or name == "parameters.0" else np.asarray(array + 1)
        for name, array in before.items()
    }
    with pytest.raises(error, match=match):
        optimiser.load_state_dict({**damaged, path: value})
    after = optimiser.state_dict()
    assert all((after[name] == before[name]).all() for name in before)


def shared() -> list[tg.Tensor]:
    w, v = (tg.Tensor([1.0], requires_grad=True, name=name) for name in "wv")
    return [w, v, w]


@pytest.mark.parametrize("optimiser", [tg.optim.SGD, tg.optim.RMSprop])
@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: tg.Tensor([[1.0]], requires_grad=True), DTypeError, r"one Tensor. Write \[tensor"),
        (lambda: tg.Scalar(1.0, requires_grad=True), DTypeError, "list of tensors; got one Scalar"),
        (lambda: tg.nn.Linear(2, 2), DTypeError, r"got one Linear. Write .*model.parameters\(\)"),
        (lambda: None, DTypeError, "the parameters come as a list of tensors; got one NoneType"),
        (
            lambda: [tg.Scalar(1.0, requires_grad=True)],
            DTypeError,
            r"got a Scalar at position 0. Change scalars by hand, p.data -= lr \* p.grad",
        ),
        (lambda: tg.nn.Linear(2, 2).named_parameters(), DTypeError, "got a tuple at position 0"),
        (lambda: tg.nn.Sequential(tg.nn.ReLU()), DTypeError, "got a ReLU at position 0. Of a mod"),
        (lambda: [np.ones(3)], DTypeError, "each parameter is a Tensor; got a ndarray"),
        (
            lambda: [tg.Tensor([1.0]), tg.Tensor([2.0])],
            OptionError,
            "at least one parameter requires a gradient.*got 2 that do not",
        ),
        (
            lambda: [shared()[0] * 2.0],
            OptionError,
            r"is a leaf, not the result .* got one of shape \(1,\) at position 0. Pass the",
        ),
        (shared, OptionError, r"comes once; got w of shape \(1,\) at position 2 and at position 0"),
    ],
)
def test_what_cannot_be_trained_is_refused(optimiser, make, error, match) -> None:
    with pytest.raises(error, match=rf"{optimiser.__name__}: .*{match}"):
        optimiser(make(), lr=0.1)


def test_scalars_are_changed_as_the_refusal_says() -> None:
    p, lr = tg.Scalar(2.0, requires_grad=True), 0.1
    (p * p).backward()
    p.data -= lr * p.grad
    assert p.item() == pytest.approx(1.6)


def test_a_shared_weight_of_a_module_is_trained_once() -> None:
    model = tg.nn.Sequential(tg.nn.Linear(2, 2), tg.nn.Linear(2, 2))
    model[1].weight = model[0].weight  # type: ignore[attr-defined]
    assert len(tg.optim.SGD(model.parameters()).parameters) == 3


def test_schedules_are_reached_by_their_module() -> None:
    assert tg.optim.schedules.linear(0.1, 5, 10) == 0.05


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda w: tg.optim.SGD([w], 0.1, 0.9, 1.0), r"SGD: dampening lies in \[0, 1\); got 1.0"),
        (
            lambda w: tg.optim.SGD([w], 0.1, nesterov=True),
            "nesterov goes with momentum and",
        ),
        (lambda w: tg.optim.SGD([w], 0.1, 0.9, 0.5, 0.0, True), "got momentum 0.9 and damp.* 0.5"),
        (lambda w: tg.optim.SGD([w], 0.1, nesterov=1), "SGD: nesterov is True or False; got 1"),
        (lambda w: tg.optim.Adagrad([w], lr_decay=-1), r"Adagrad: lr_decay lies in \[0, inf\)"),
        (lambda w: tg.optim.Adadelta([w], rho=1), r"Adadelta: rho lies in \[0, 1\); got 1"),
        (lambda w: tg.optim.RMSprop([w], alpha=2), r"RMSprop: alpha lies in \[0, 1\); got 2"),
        (lambda w: tg.optim.AdamW([w], eps=-1e-8), r"AdamW: eps lies in \[0, inf\); got -1e-08"),
        (lambda w: tg.optim.Adam([w], betas=0.9), "Adam: betas are two numbers; got 0.9"),
        (lambda w: tg.optim.SGD([w], lr="fast"), r"SGD: lr lies in \[0, inf\); got 'fast'"),
        (lambda w: tg.optim.SGD([], lr=0.1), "SGD: there is something to train; got nothing"),
        (lambda w: tg.optim.SGD([w], lr=-1.0), r"SGD: lr lies in \[0, inf\); got -1.0"),
        (lambda w: tg.optim.SGD([w], lr=0.1, momentum=1.0), r"momentum lies in \[0, 1\)"),
        (lambda w: tg.optim.Adam([w], betas=(0.9, 1.0)), r"betas\[1\] lies in \[0, 1\)"),
        (lambda w: tg.optim.Adam([w], lr=float("nan")), r"lr lies in \[0, inf\); got nan"),
        (lambda w: tg.optim.Adam([w], weight_decay=-0.1), "weight_decay lies in"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, match) -> None:
    with pytest.raises(OptionError, match=match):
        make(tg.Tensor([1.0], requires_grad=True))


def test_frozen_parameters_are_left_as_they_are() -> None:
    frozen, moved = tg.Tensor([1.0]), tg.Tensor([1.0], requires_grad=True)
    optimiser = tg.optim.SGD([frozen, moved], lr=0.5, weight_decay=0.1)
    (frozen * moved).sum().backward()
    optimiser.step()
    assert frozen.tolist() == [1.0]
    assert moved.item() < 1.0
