"""Optimisers: step by step what their equations say, and what PyTorch's do."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import CheckpointError, OptionError

OPTIONS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1}),
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


def expected(optimiser_name: str, options: dict, steps: int = 20) -> np.ndarray:
    theta = np.ones((3, 4))
    velocity = mean = square = np.zeros_like(theta)
    for t, gradient in enumerate(gradients(steps), 1):
        g = gradient + options.get("weight_decay", 0.0) * theta
        if optimiser_name == "SGD":
            momentum = options.get("momentum", 0.0)
            velocity = momentum * velocity + g
            step = g + momentum * velocity if options.get("nesterov") else velocity
        else:
            beta1, beta2 = options.get("betas", (0.9, 0.999))
            mean = beta1 * mean + (1 - beta1) * g
            square = beta2 * square + (1 - beta2) * g**2
            root = np.sqrt(square / (1 - beta2**t)) + options.get("eps", 1e-8)
            step = mean / (1 - beta1**t) / root
        theta = theta - options["lr"] * step
    return theta


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_steps_follow_the_equations(name, options) -> None:
    np.testing.assert_allclose(run(name, options), expected(name, options), rtol=1e-12)


@pytest.mark.parity
@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_steps_equal_those_of_pytorch(name, options) -> None:
    torch = pytest.importorskip("torch")
    parameter = torch.ones(3, 4, dtype=torch.float64, requires_grad=True)
    optimiser = getattr(torch.optim, name)([parameter], **options)
    for gradient in gradients(20):
        parameter.grad = torch.from_numpy(gradient)
        optimiser.step()
    np.testing.assert_allclose(run(name, options), parameter.detach().numpy(), rtol=1e-12)


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
    ("make", "match"),
    [
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
