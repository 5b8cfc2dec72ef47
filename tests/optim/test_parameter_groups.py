"""Groups of parameters: options of their own, added later, saved, and refused."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import CheckpointError, DTypeError, OptionError


def tensors(count: int) -> list[tg.Tensor]:
    generator = np.random.default_rng(6)
    return [tg.Tensor(generator.normal(size=(3, k + 1)), requires_grad=True) for k in range(count)]


def groups(parameters: list, **options: float) -> list[dict]:
    return [{"params": parameters[:2]}, {"params": parameters[2], **options}]


ROWS = [
    ("SGD", {"momentum": 0.5}, {"lr": 0.3, "weight_decay": 0.1, "momentum": 0.0}),
    ("RMSprop", {}, {"lr": 0.1, "centered": True, "momentum": 0.9}),
    ("Adam", {"amsgrad": True}, {"amsgrad": False, "betas": (0.5, 0.6)}),
    ("AdamW", {}, {"weight_decay": 0.0}),
]
every_row = pytest.mark.parametrize(("name", "options", "own"), ROWS, ids=str)


def gradients(steps: int, parameters: list[tg.Tensor]) -> list[list[np.ndarray]]:
    generator = np.random.default_rng(1)
    return [[generator.normal(size=p.shape) for p in parameters] for _ in range(steps)]


def train(optimiser, parameters, path) -> None:
    for step in path:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = tg.Tensor(gradient)
        optimiser.step()


@every_row
def test_a_group_is_trained_as_by_an_optimiser_of_its_own(name, options, own) -> None:
    kind = getattr(tg.optim, name)
    together, apart = tensors(3), tensors(3)
    path = gradients(10, together)
    train(kind(groups(together, **own), **{"lr": 0.01, **options}), together, path)
    first = kind(apart[:2], **{"lr": 0.01, **options})
    train(first, apart[:2], [step[:2] for step in path])
    train(kind(apart[2:], **{"lr": 0.01, **options, **own}), apart[2:], [s[2:] for s in path])
    for ours, wanted in zip(together, apart, strict=True):
        np.testing.assert_array_equal(ours.numpy(), wanted.numpy())


@pytest.mark.parity
@every_row
def test_groups_are_those_of_pytorch(name, options, own) -> None:
    torch = pytest.importorskip("torch")
    parameters = tensors(4)
    twins = [torch.tensor(p.numpy().copy(), requires_grad=True) for p in parameters]
    optimiser = getattr(tg.optim, name)(groups(parameters, **own), **options)
    other = getattr(torch.optim, name)(groups(twins, **own), **options)
    for step, gradient in enumerate(gradients(30, parameters)):
        if step == 10:  # a group of its own, later
            optimiser.add_param_group({"params": parameters[3:], "lr": 0.01})
            other.add_param_group({"params": twins[3:], "lr": 0.01})
        if step == 20:  # another rate, in the middle
            optimiser.param_groups[0]["lr"] = other.param_groups[0]["lr"] = 0.002
        for parameter, twin, g in zip(parameters, twins, gradient, strict=True):
            parameter.grad, twin.grad = tg.Tensor(g), torch.from_numpy(g)
        optimiser.step()
        other.step()
    for parameter, twin in zip(parameters, twins, strict=True):
        np.testing.assert_allclose(parameter.numpy(), twin.detach().numpy(), rtol=1e-10)
    for group, same in zip(optimiser.param_groups, other.param_groups, strict=True):
        assert {option: group[option] for option in optimiser.limits} == {
            option: same[option] for option in optimiser.limits
        }


@every_row
def test_saved_groups_go_on_bit_for_bit(name, options, own) -> None:
    kind = getattr(tg.optim, name)
    parameters, others = tensors(3), tensors(3)
    path = gradients(10, parameters)
    optimiser = kind(groups(parameters, **own), **options)
    optimiser.param_groups[1]["lr"] = 0.07
    train(optimiser, parameters, path[:4])
    for parameter, other in zip(parameters, others, strict=True):
        other.data = parameter.numpy()
    resumed = kind(groups(others, **own), **options)
    resumed.load_state_dict(optimiser.state_dict())
    assert resumed.param_groups[1]["lr"] == 0.07
    train(optimiser, parameters, path[4:])
    train(resumed, others, path[4:])
    for parameter, other in zip(parameters, others, strict=True):
        np.testing.assert_array_equal(parameter.numpy(), other.numpy())


def test_parameters_of_two_types_are_trained_in_one_group() -> None:
    single = tg.Tensor(np.ones(3, np.float32), requires_grad=True)
    double = tg.Tensor(np.ones(3), requires_grad=True)
    optimiser = tg.optim.Adam([single, double], lr=0.1)
    for parameter in (single, double):
        parameter.grad = tg.Tensor(np.ones(3, parameter.dtype))
    optimiser.step()
    np.testing.assert_allclose(single.numpy(), 0.9, rtol=1e-6)
    np.testing.assert_allclose(double.numpy(), 0.9, rtol=1e-6)


def test_momentum_that_is_switched_on_begins_with_the_gradient() -> None:
    w = tg.Tensor([1.0], requires_grad=True)
    optimiser = tg.optim.SGD([w], lr=0.25)
    for momentum in (0.0, 0.5, 0.5):
        optimiser.momentum = momentum
        w.grad = tg.Tensor([1.0])
        optimiser.step()
    assert w.tolist() == [1.0 - 0.25 * (1 + 1 + 1.5)]


def test_a_closure_computes_gradients_and_its_loss_comes_back() -> None:
    w = tg.Tensor([2.0], requires_grad=True)
    optimiser = tg.optim.SGD([w], lr=0.5)

    def loss() -> float:
        optimiser.zero_grad()
        value = (w * w).sum()
        value.backward()
        return value.item()

    assert [optimiser.step(loss) for _ in range(2)] == [4.0, 0.0]


def test_the_short_names_are_for_one_group() -> None:
    one, two = tg.optim.SGD(tensors(1), lr=0.5), tg.optim.SGD(groups(tensors(3), lr=0.1), lr=0.5)
    one.lr = 0.25
    assert one.param_groups[0]["lr"] == one.lr == 0.25
    with pytest.raises(OptionError, match=r"SGD: .lr is for one group .*; got 2 with 0.5, 0.1. U"):
        print(two.lr)
    with pytest.raises(OptionError, match=r"SGD: .momentum is for one group"):
        two.momentum = 0.1
    with pytest.raises(OptionError, match=r"SGD: lr lies in \[0, inf\); got -1"):
        one.lr = -1


def test_groups_of_other_sizes_are_refused_and_nothing_changes() -> None:
    parameters = tensors(3)
    optimiser = tg.optim.SGD(groups(parameters), momentum=0.9)
    other = tg.optim.SGD([{"params": parameters[:1]}, {"params": parameters[1:]}], momentum=0.9)
    optimiser.step()
    with pytest.raises(CheckpointError, match=r"SGD: .* got 2 for 1 in group 0"):
        other.load_state_dict(optimiser.state_dict())
    assert other.steps == 0


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({"lr": 0.1}, DTypeError, 'SGD: a group is a dictionary with "params"; got a dict of lr'),
        ([], DTypeError, "a group is a dictionary .*; got a list"),
        ({"params": [], "rate": 1}, OptionError, "the options of a group are lr, .*; got 'rate'"),
        ({"params": tensors(1), "lr": -1}, OptionError, r"lr lies in \[0, inf\); got -1"),
        ({"params": tensors(1), "nesterov": True}, OptionError, "nesterov goes with momentum"),
        ({"params": 3}, DTypeError, "parameters of a group come as a list .*; got one int"),
        ({"params": [1.0]}, DTypeError, "each parameter is a Tensor; got a float at position 1"),
    ],
)
def test_what_is_no_group_is_refused(given, error, match) -> None:
    optimiser = tg.optim.SGD(tensors(1))
    with pytest.raises(error, match=match):
        optimiser.add_param_group(given)
    assert len(optimiser.param_groups) == len(optimiser.parameters) == 1


def test_a_parameter_is_in_one_group_only() -> None:
    (w,) = tensors(1)
    with pytest.raises(OptionError, match=r"comes once; got .* position 1 and at position 0"):
        tg.optim.SGD([{"params": [w]}, {"params": [w]}])
    with pytest.raises(DTypeError, match=r"come as a list of tensors; got one dict. .* groups"):
        tg.optim.SGD({"params": [w]})
    with pytest.raises(OptionError, match="there is something to train; got nothing"):
        tg.optim.SGD([{"params": []}])
