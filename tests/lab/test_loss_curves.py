"""Losses beside PyTorch's: equal at the same weights, and shown as what they are."""

from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn import models, random
from tinygrad_cnn.cli import main
from tinygrad_cnn.errors import OptionError, UnknownNameError
from tinygrad_cnn.lab import LossCurves, compare_losses, loss_curves, require_comparable
from tinygrad_cnn.train import recipe_for

SHOWN = ["bench", "curve", "lenet5", "--data", "digits", "--steps", "3", "--threads", "1"]
# Of each network its recipe: both optimisers, batch normalisation, dropout.
ROWS = [("lenet5", "mnist"), ("lab11_cnn2", "mnist"), ("resnet20", "cifar10"),
        ("allcnn_c", "cifar10")]  # fmt: skip


@pytest.mark.parity
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("network", "data_name"), ROWS)
def test_at_the_same_weights_all_compute_the_same_loss(
    network: str, data_name: str, dtype: type, generator: np.random.Generator
) -> None:
    recipe, shape = recipe_for(network, data_name), models.find(network).input_shape
    random.manual_seed(4)
    model = models.build(network).to(dtype)
    batches = [
        (generator.standard_normal((3, *shape)).astype(dtype), generator.integers(0, 10, 3))
        for _ in range(3)
    ]
    optimiser = recipe.make_optimiser(model.parameters())
    told: list[int] = []
    curves = compare_losses(network, model, optimiser, batches, [1e-4] * 3, 1.0, told.append)
    assert told == [1, 2, 3]
    apart = curves.differences()
    precision = 1e-5 if dtype is np.float32 else 1e-12
    assert apart["ours and PyTorch's, at the same weights"].max() < precision
    assert apart["ours and PyTorch's"][0] < precision
    assert len(set(curves.pytorch)) == 3  # it does train


def test_only_networks_that_both_have_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match=r"got 'resnet2'\. Did you mean 'resnet20'"):
        require_comparable("resnet2")
    monkeypatch.setattr(loss_curves, "has_pytorch", lambda: False)
    with pytest.raises(OptionError, match=r"got a Python without it\. Install it: pip install"):
        require_comparable("resnet20")


@pytest.mark.parity
def test_the_command_prints_and_draws_the_curves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "curves.png"
    assert main([*SHOWN, "--picture", str(picture)]) == 0
    shown = capsys.readouterr().out
    assert "lenet5 on digits: 3 steps of adam, batches of 32 images" in shown
    assert "ours and PyTorch's, at the same weights" in shown
    assert "first 3 steps" in shown
    assert [line.split()[0] for line in shown.splitlines() if line].count("mean") == 1
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parity
@pytest.mark.parametrize(("options", "told"), [
    (["--steps", "46"], "the steps are of the first epoch; got 46 of 45"),
    (["--batch-size", "0"], "batch size is a whole number from 1 up; got 0"),
    (["--picture", "no/such/folder.png"], "the picture's folder is there; got no/such/folder.png"),
    (["--data", "cats"], "recipes: the known ones are"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(
    options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SHOWN, *options]) == 2
    assert told in capsys.readouterr().err


def test_differences_are_those_of_each_step() -> None:
    curves = LossCurves([2.0, 1.0], [2.0, 1.5], [2.0, 0.5], [2.0, 1.0])
    assert [list(apart) for apart in curves.differences().values()] == [[0, 0], [0, 0.5], [0, 1]]
