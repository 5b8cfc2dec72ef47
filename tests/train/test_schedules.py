import pytest

from tinygrad_cnn.errors import UnknownNameError
from tinygrad_cnn.optim.schedules import SCHEDULES, named

ENDS = [
    # name, first rate, rate in the middle, rate after the last step
    ("constant", 1.0, 1.0, 1.0),
    ("linear", 1.0, 0.5, 0.0),
    ("cosine", 1.0, 0.5, 0.0),
    ("warm-up-cosine", 0.1, 0.5413, 0.0),
    ("warm-up", 0.1, 1.0, 1.0),
    ("step", 1.0, 0.1, 0.001),
    ("multi-step", 1.0, 0.1, 0.01),
    ("exponential", 1.0, 0.1, 0.01),
    ("cosine-restarts", 1.0, 0.9619, 0.0),
    ("one-cycle", 0.04, 0.8117, 0.0),
]


@pytest.mark.parametrize(("name", "first", "middle", "last"), ENDS)
def test_first_middle_and_last_rate(name: str, first: float, middle: float, last: float) -> None:
    schedule = named(name)
    found = [schedule(1.0, step, 200) for step in (0, 100, 200)]
    assert found == pytest.approx([first, middle, last], abs=1e-4)


def test_every_schedule_has_a_row() -> None:
    assert {row[0] for row in ENDS} == set(SCHEDULES)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
@pytest.mark.parametrize("steps", [1, 2, 7, 1000])
def test_rates_lie_between_nothing_and_the_rate_of_the_recipe(name: str, steps: int) -> None:
    rates = [named(name)(0.3, step, steps) for step in range(steps)]
    assert all(0.0 < rate <= 0.3 for rate in rates)
    assert max(rates) == 0.3


def test_an_unknown_schedule_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match=r"got 'cosin'. Did you mean 'cosine'\?"):
        named("cosin")
