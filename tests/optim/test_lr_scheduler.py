"""Schedules: step for step the rates of PyTorch, and those of closed formulas in any case."""

import inspect
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import CheckpointError, DTypeError, OptionError
from tinygrad_cnn.optim import lr_scheduler

STEPS = 40
RATES = (0.3, 0.02)  # of two groups

# How a schedule is made of a library's `lr_scheduler`, and its rate at step t as a share of the
# first one (where a group's rate does not matter otherwise).
Make = Callable[[Any, Any], Any]


def line(t: int, begin: float, end: float, steps: int) -> float:
    return begin + (end - begin) * min(t, steps) / steps


def half_wave(share: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * share))


def one_cycle(t: int) -> float:
    if t <= 11:
        return 1 + (1 / 25 - 1) * half_wave(t / 11)
    return 4e-6 + (1 - 4e-6) * half_wave((t - 11) / 28)


def restarts(t: int) -> float:
    for begin, length in ((0, 5), (5, 10), (15, 20), (35, 40)):
        if t < begin + length:
            return half_wave((t - begin) / length)
    raise AssertionError(t)


def sequence(t: int) -> float:
    if t < 6:
        return line(t, 0.1, 1.0, 6)
    return half_wave((t - 6) / 10) if t < 20 else 0.9 ** (t - 20)


ROWS: list[tuple[str, Make, Callable[[int], float]]] = [
    ("step", lambda o, s: s.StepLR(o, 7, gamma=0.5), lambda t: 0.5 ** (t // 7)),
    (
        "multi-step",
        lambda o, s: s.MultiStepLR(o, [5, 11, 11, 30], gamma=0.3),
        lambda t: 0.3 ** ((t >= 5) + 2 * (t >= 11) + (t >= 30)),
    ),
    ("exponential", lambda o, s: s.ExponentialLR(o, 0.93), lambda t: 0.93**t),
    ("constant", lambda o, s: s.ConstantLR(o, 0.25, 6), lambda t: 0.25 if t < 6 else 1.0),
    ("warm-up", lambda o, s: s.LinearLR(o, 0.1, 1.0, 10), lambda t: line(t, 0.1, 1.0, 10)),
    ("line down", lambda o, s: s.LinearLR(o, 1.0, 0.0, 25), lambda t: line(t, 1.0, 0.0, 25)),
    (
        "polynomial",
        lambda o, s: s.PolynomialLR(o, 30, 2.5),
        lambda t: (1 - min(t, 30) / 30) ** 2.5,
    ),
    ("function", lambda o, s: s.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t)),
    ("cosine", lambda o, s: s.CosineAnnealingLR(o, STEPS), lambda t: half_wave(t / STEPS)),
    ("waves", lambda o, s: s.CosineAnnealingLR(o, 9), lambda t: half_wave(t / 9)),
    ("one cosine step", lambda o, s: s.CosineAnnealingLR(o, 1), lambda t: half_wave(t)),
    ("restarts", lambda o, s: s.CosineAnnealingWarmRestarts(o, 5, 2), restarts),
    ("one cycle", lambda o, s: s.OneCycleLR(o, list(RATES), STEPS), one_cycle),
    (
        "one cycle of lines",
        lambda o, s: s.OneCycleLR(
            o, list(RATES), epochs=4, steps_per_epoch=10, pct_start=0.4, anneal_strategy="linear",
            three_phase=True, div_factor=10, final_div_factor=100,
        ),
        lambda t: (
            line(t, 0.1, 1, 15) if t <= 15 else line(t - 15, 1, 0.1, 15)
            if t <= 30 else line(t - 30, 0.1, 1e-3, 9)
        ),
    ),
    (
        "chained",
        lambda o, s: s.ChainedScheduler([s.LinearLR(o, 0.2, 1.0, 5), s.ExponentialLR(o, 0.9)]),
        lambda t: line(t, 0.2, 1.0, 5) * 0.9**t,
    ),
    (
        "sequential",
        lambda o, s: s.SequentialLR(
            o,
            [s.LinearLR(o, 0.1, 1.0, 6), s.CosineAnnealingLR(o, 10), s.ExponentialLR(o, 0.9)],
            milestones=[6, 20],
        ),
        sequence,
    ),
    (
        "sequential with restarts",
        lambda o, s: s.SequentialLR(
            o, [s.ConstantLR(o, 0.5, 99), s.CosineAnnealingWarmRestarts(o, 5, 2)], milestones=[4]
        ),
        lambda t: 0.5 if t < 4 else restarts(t - 4),
    ),
]  # fmt: skip
every_row = pytest.mark.parametrize(
    ("make", "share"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)


def ours(momentum: float = 0.9) -> tg.optim.Optimiser:
    groups = [{"params": tg.Tensor([1.0], requires_grad=True), "lr": rate} for rate in RATES]
    return tg.optim.SGD(groups, momentum=momentum)


def run(optimiser: Any, schedule: Any, steps: int = STEPS) -> np.ndarray:
    path = [[group["lr"] for group in optimiser.param_groups]]
    for _ in range(steps - 1):
        optimiser.step()
        schedule.step()
        assert schedule.get_last_lr() == [group["lr"] for group in optimiser.param_groups]
        path.append(schedule.get_last_lr())
    return np.array(path)


@every_row
def test_rates_follow_the_closed_formula(make: Make, share) -> None:
    optimiser = ours()
    path = run(optimiser, make(optimiser, lr_scheduler))
    wanted = np.outer([share(t) for t in range(STEPS)], RATES)
    np.testing.assert_allclose(path, wanted, rtol=1e-11, atol=1e-16)


def theirs(torch: Any, kind: str = "SGD", **options: Any) -> Any:
    groups = [{"params": [torch.ones(1, requires_grad=True)], "lr": rate} for rate in RATES]
    return getattr(torch.optim, kind)(groups, **options)


@pytest.mark.parity
@every_row
def test_rates_are_those_of_pytorch(make: Make, share) -> None:
    torch = pytest.importorskip("torch")
    optimiser, twin = ours(), theirs(torch, momentum=0.9)
    path = run(optimiser, make(optimiser, lr_scheduler))
    np.testing.assert_allclose(
        path, run(twin, make(twin, torch.optim.lr_scheduler)), rtol=1e-14, atol=1e-17
    )


@pytest.mark.parity
@pytest.mark.parametrize("name", lr_scheduler.__all__)
def test_arguments_stand_where_pytorch_has_them(name: str) -> None:
    torch = pytest.importorskip("torch")

    def places(kind: type) -> list[tuple[str, object]]:
        given = inspect.signature(kind).parameters.values()
        return [(each.name.replace("optimizer", "optimiser"), each.default) for each in given]

    own = places(getattr(lr_scheduler, name))
    assert own == places(getattr(torch.optim.lr_scheduler, name))[: len(own)]


@pytest.mark.parity
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_one_cycle_moves_momentum_as_pytorch_does(kind: str) -> None:
    torch = pytest.importorskip("torch")
    options = {"momentum": 0.9} if kind == "SGD" else {}
    optimiser = getattr(tg.optim, kind)([tg.Tensor([1.0], requires_grad=True)], **options)
    twin = getattr(torch.optim, kind)([torch.ones(1, requires_grad=True)], **options)
    schedule = lr_scheduler.OneCycleLR(optimiser, 0.1, 20)
    other = torch.optim.lr_scheduler.OneCycleLR(twin, 0.1, 20)
    for _ in range(20):
        option = "momentum" if kind == "SGD" else "betas"
        np.testing.assert_allclose(
            optimiser.param_groups[0][option], twin.param_groups[0][option], rtol=1e-14
        )
        for each in (optimiser, twin, schedule, other):
            each.step()


FIGURES = [5, 4, 4.1, 4.2, 4.3, 3, 3, 3, 3, math.nan, 2.9999, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1]
PLATEAUS = [
    {"patience": 1},
    {"patience": 2, "factor": 0.5, "cooldown": 2},
    {"patience": 0, "mode": "max", "threshold": 0.1},
    {"patience": 1, "threshold": 0.5, "threshold_mode": "abs", "min_lr": [0.05, 0.001]},
    {"patience": 0, "mode": "max", "threshold": 0.2, "threshold_mode": "abs", "eps": 1e-3},
]


@pytest.mark.parity
@pytest.mark.parametrize("options", PLATEAUS, ids=str)
def test_plateaus_are_those_of_pytorch(options: dict) -> None:
    torch = pytest.importorskip("torch")
    optimiser, twin = ours(), theirs(torch)
    schedule = lr_scheduler.ReduceLROnPlateau(optimiser, **options)
    other = torch.optim.lr_scheduler.ReduceLROnPlateau(twin, **options)
    for figure in FIGURES:
        schedule.step(figure)
        other.step(figure)
        assert schedule.get_last_lr() == other.get_last_lr()
        assert schedule.num_bad_epochs == other.num_bad_epochs


def test_a_plateau_lowers_the_rate_after_more_bad_epochs_than_patience() -> None:
    optimiser = ours()
    schedule = lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.5, patience=2, cooldown=1)
    rates = []
    for figure in (1.0, 1.0, tg.Tensor(1.0), 1.0, 1.0, 1.0, 1.0, 1.0):
        schedule.step(figure)
        rates.append(optimiser.param_groups[0]["lr"])
    assert rates == [0.3, 0.3, 0.3, 0.15, 0.15, 0.15, 0.15, 0.075]


def test_restarts_take_parts_of_an_epoch() -> None:
    optimiser = ours()
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(optimiser, 4, 2)
    for epoch in (0.0, 0.5, 3.75, 4.0, 10.0, 12.0):
        schedule.step(epoch)
        share = half_wave(epoch / 4 if epoch < 4 else (epoch - 4) / 8 if epoch < 12 else 0.0)
        np.testing.assert_allclose(schedule.get_last_lr(), np.multiply(RATES, share), atol=1e-15)


PLATEAU: Make = lambda o, s: s.ReduceLROnPlateau(o, patience=1)  # noqa: E731


@pytest.mark.parametrize("make", [row[1] for row in ROWS] + [PLATEAU])
def test_a_saved_schedule_goes_on_bit_for_bit(make: Make) -> None:
    def step(optimiser: Any, schedule: Any, figure: float) -> list[float]:
        optimiser.step()
        schedule.step(*[figure] * isinstance(schedule, lr_scheduler.ReduceLROnPlateau))
        return schedule.get_last_lr()

    optimiser = ours()
    schedule = make(optimiser, lr_scheduler)
    for k in range(8):
        step(optimiser, schedule, FIGURES[k])
    states = json.loads(json.dumps(schedule.state_dict())), optimiser.state_dict()
    other = ours()
    resumed = make(other, lr_scheduler)
    other.load_state_dict(states[1])
    resumed.load_state_dict(states[0])
    assert resumed.get_last_lr() == schedule.get_last_lr()
    for k in range(8, 23):
        assert step(other, resumed, FIGURES[k]) == step(optimiser, schedule, FIGURES[k])


def test_a_schedule_may_start_late() -> None:
    optimiser = ours()
    for group in optimiser.param_groups:
        group["initial_lr"] = 1.0
    schedule = lr_scheduler.LambdaLR(optimiser, lambda t: float(t), last_epoch=4)
    assert schedule.get_last_lr() == [5.0, 5.0]


@pytest.mark.parametrize("make", [row[1] for row in ROWS] + [PLATEAU])
def test_a_group_that_is_added_later_is_refused(make: Make) -> None:
    optimiser = ours()
    schedule = make(optimiser, lr_scheduler)
    optimiser.add_param_group({"params": tg.Tensor([1.0], requires_grad=True), "lr": 0.7})
    with pytest.raises(OptionError, match=r"got 3 for 2\. Make it after add_param_group"):
        schedule.step(*[1.0] * isinstance(schedule, lr_scheduler.ReduceLROnPlateau))
    assert [group["lr"] for group in optimiser.param_groups][2] == 0.7


def test_the_state_of_another_schedule_is_refused_and_nothing_changes() -> None:
    schedule = lr_scheduler.StepLR(ours(), 3)
    chained = lr_scheduler.ChainedScheduler([schedule])
    good = schedule.state_dict()
    for refused, match in [
        ({}, "StepLR: the state belongs to the same kind .*; got nothing"),
        (
            lr_scheduler.ExponentialLR(ours(), 0.5).state_dict(),
            "the same kind of schedule, with st",
        ),
        ({**good, "last_epoch": 2.5}, "got 2.5 for last_epoch, which is 0"),
        ({**good, "base_lrs": [0.1]}, r"got \[0.1\] for base_lrs"),
        ({**good, "gamma": "x"}, "got 'x' for gamma"),
    ]:
        with pytest.raises(CheckpointError, match=match):
            schedule.load_state_dict(refused)
        with pytest.raises(CheckpointError, match=match):
            chained.load_state_dict({**chained.state_dict(), "schedulers": [refused]})
        assert schedule.state_dict() == good
    with pytest.raises(CheckpointError, match=r"ChainedScheduler: .* 1 schedules; got None"):
        chained.load_state_dict(good)


s = lr_scheduler


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda o: s.StepLR(3, 1), DTypeError, "StepLR: a schedule sets the rates .*; got one int"),
        (lambda o: s.StepLR(o, 0), OptionError, "StepLR: step_size is a whole .* 1 up; got 0"),
        (lambda o: s.StepLR(o, 2.5), OptionError, "StepLR: step_size .*; got 2.5"),
        (lambda o: s.StepLR(o, 1, -1), OptionError, "StepLR: gamma .* from 0 to inf; got -1"),
        (lambda o: s.StepLR(o, 1, last_epoch=3), OptionError, "from epoch 3; got none in group 0"),
        (lambda o: s.MultiStepLR(o, [1, 2.5]), OptionError, "MultiStepLR: a milestone .*; got 2.5"),
        (lambda o: s.MultiStepLR(o, 3), OptionError, "MultiStepLR: milestones .*; got 3"),
        (lambda o: s.ExponentialLR(o, "a"), OptionError, "ExponentialLR: gamma .*; got 'a'"),
        (lambda o: s.ConstantLR(o, 2.0), OptionError, "ConstantLR: factor .* 0 to 1; got 2.0"),
        (lambda o: s.LinearLR(o, 0.0), OptionError, "LinearLR: start_factor lies above 0; got 0"),
        (lambda o: s.LinearLR(o, 0.1, 1.5), OptionError, "LinearLR: end_factor .*; got 1.5"),
        (lambda o: s.PolynomialLR(o, 0), OptionError, "PolynomialLR: total_iters .*; got 0"),
        (lambda o: s.LambdaLR(o, [abs]), OptionError, "LambdaLR: .* for 2 groups"),
        (lambda o: s.LambdaLR(o, 0.5), OptionError, "LambdaLR: lr_lambda is a function"),
        (lambda o: s.CosineAnnealingLR(o, 0), OptionError, "CosineAnnealingLR: T_max .*; got 0"),
        (lambda o: s.CosineAnnealingWarmRestarts(o, 5, 0), OptionError, "T_mult .*; got 0"),
        (
            lambda o: s.CosineAnnealingWarmRestarts(o, 5).step(-1.0),
            OptionError,
            "epoch is a number from 0 to inf; got -1.0",
        ),
        (lambda o: s.OneCycleLR(o, 0.1), OptionError, "OneCycleLR: total_steps, or epochs and"),
        (lambda o: s.OneCycleLR(o, 0.1, 0), OptionError, "OneCycleLR: total_steps .*; got 0"),
        (lambda o: s.OneCycleLR(o, [0.1], 9), OptionError, "max_lr .*; got 1 for 2 groups"),
        (lambda o: s.OneCycleLR(o, 1.0, 9, pct_start=2), OptionError, "pct_start .*; got 2"),
        (lambda o: s.OneCycleLR(o, 1.0, 9, anneal_strategy="a"), OptionError, "anneal_.*; got 'a'"),
        (lambda o: s.OneCycleLR(o, 1.0, 9, div_factor=0), OptionError, "div_factor .*; got 0"),
        (
            lambda o: s.OneCycleLR(tg.optim.Adagrad(o.parameters), 1.0, 9),
            OptionError,
            "cycle_momentum is for .*; got Adagrad",
        ),
        (
            lambda o: [(c := s.OneCycleLR(o, 1.0, 1)), c.step(), c.step()],
            OptionError,
            "a cycle has 1 steps; got step 2",
        ),
        (
            lambda o: s.ReduceLROnPlateau(o, "best"),
            OptionError,
            "mode is \"min\" or .*; got 'best'",
        ),
        (lambda o: s.ReduceLROnPlateau(o, factor=1.0), OptionError, "factor lies below 1; got 1.0"),
        (lambda o: s.ReduceLROnPlateau(o, min_lr=[0.1]), OptionError, "got 1 for 2 groups"),
        (lambda o: s.ReduceLROnPlateau(o).step(), OptionError, r"step\(figure\) .*; got None"),
        (lambda o: s.ChainedScheduler([]), OptionError, "schedules to combine; got"),
        (lambda o: s.ChainedScheduler([o]), DTypeError, "got a SGD at position 0"),
        (
            lambda o: s.ChainedScheduler([s.ReduceLROnPlateau(o)]),
            OptionError,
            "got a ReduceLROnPlateau at position 0",
        ),
        (
            lambda o: s.ChainedScheduler([s.StepLR(o, 1), s.StepLR(ours(), 1)]),
            OptionError,
            "got another one at position 1",
        ),
        (
            lambda o: s.SequentialLR(o, [s.StepLR(o, 1), s.StepLR(o, 1)], []),
            OptionError,
            r"milestones are rising, .*; got \[\] for 2",
        ),
        (
            lambda o: s.SequentialLR(o, [s.StepLR(o, 1)] * 3, [5, 5]),
            OptionError,
            r"milestones are rising, .*; got \[5, 5\] for 3",
        ),
    ],
)
def test_what_makes_no_schedule_is_refused(make, error, match) -> None:
    with pytest.raises(error, match=match):
        make(ours())
