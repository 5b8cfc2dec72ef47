"""Trainings with a fault and without, side by side."""

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import OptionError, UnknownNameError
from tinygrad_cnn.explain import FAULTS, hit_rate, train_with_fault
from tinygrad_cnn.explain.faults.catalogue import FAULTS as CATALOGUE
from tinygrad_cnn.explain.faults.comparison import Curve, FaultComparison
from tinygrad_cnn.random import default_generator, default_seed


@pytest.fixture(scope="module")
def told() -> FaultComparison:
    return train_with_fault("zero_grad_left_out", epochs=2)


def test_only_the_fault_is_different(told: FaultComparison) -> None:
    again = train_with_fault("step_uphill", epochs=2)
    assert told.right == again.right
    assert told.right.losses[0] == told.wrong.losses[0] == again.wrong.losses[0]
    assert told.right.losses[1:3] != told.wrong.losses[1:3]
    assert len(told.right.losses) == 2 * (1438 // 32)
    assert len(told.right.accuracies) == 3


def test_without_a_fault_the_network_learns(told: FaultComparison) -> None:
    assert told.right.accuracies[-1] > 0.8
    assert not told.learns
    assert told.says.startswith("It learns nothing")


@pytest.mark.full
@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_changes_the_training(name: str) -> None:
    told = train_with_fault(name, epochs=1)
    assert told.wrong.losses != told.right.losses
    assert told.right.accuracies[-1] > (0.1 if "softmax" in name else 0.5)


def test_text_picture_and_page_say_the_same(told: FaultComparison) -> None:
    text, page = str(told), told.html()
    assert told.says in text
    assert told.says in page
    assert f"{told.wrong.accuracies[-1]:.1%}" in text
    picture = ElementTree.fromstring(told.svg())
    lines = picture.findall("{http://www.w3.org/2000/svg}polyline")
    assert [line.get("class") for line in lines] == ["right", "right", "wrong", "wrong"]
    assert len(lines[0].get("points", "").split()) == len(told.right.losses)
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert page.startswith("<!doctype html>")


def curve(*losses: float, end: float) -> Curve:
    return Curve(losses, (0.1, end))


NAN = float("nan")
SAYS: dict[str, tuple[Curve, Curve, str]] = {
    "same": (curve(2.0, 1.0, end=0.9), curve(2.0, 1.1, end=0.89), "It learns all the same"),
    "worse": (curve(2.0, 1.0, end=0.9), curve(2.0, 1.9, end=0.5), "It learns, but worse"),
    "nothing": (curve(2.0, 1.0, end=0.9), curve(2.0, 9.9, end=0.1), "It learns nothing"),
    "broken": (
        curve(2.0, 1.0, 0.5, end=0.9), curve(2.0, NAN, end=0.9), "no number any more after step 2"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "words"), SAYS.values(), ids=SAYS)
def test_the_sentence_says_what_one_sees(right: Curve, wrong: Curve, words: str) -> None:
    comparison = FaultComparison(CATALOGUE["step_uphill"], right, wrong)
    assert words in comparison.says
    assert words in str(comparison)
    assert ElementTree.fromstring(comparison.svg()) is not None


def test_the_default_generator_goes_on_as_before() -> None:
    wanted = tg.manual_seed(5).random(3)
    drawn = [tg.manual_seed(5).random()]
    train_with_fault("dropout_mask_redrawn", epochs=1)
    drawn.append(default_generator().random())
    hit_rate(1, faults=["dropout_mask_redrawn", "step_uphill"])
    drawn.append(default_generator().random())
    assert drawn == list(wanted)
    assert default_seed() == 5


def test_each_epoch_is_told() -> None:
    seen: list[int] = []
    train_with_fault("loss_sign_turned", epochs=1, on_epoch=lambda: seen.append(1))
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"name": "x"}, UnknownNameError, "train_with_fault: the known names are kernel"),
        ({"name": "step_uphill", "epochs": 0}, OptionError, "epochs is a whole number"),
        ({"name": "step_uphill", "seed": -1}, OptionError, "seed is a whole number"),
    ],
)
def test_bad_requests_are_refused(arguments: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        train_with_fault(**arguments)
