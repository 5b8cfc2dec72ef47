"""Every demo runs, says what it claims, and stays short enough to read at one sitting."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DEMOS = Path(__file__).resolve().parents[2] / "demos"

# What each demo must print; the demos themselves stop where a figure is not what they claim.
CLAIMS = {
    "01_single_neuron.py": ("δ(a) = -(y - a)        -0.622459  -0.622459", "step 50"),
    "02_mlp_error_signals.py": ("100x256  25,600", "26x100    2,600", "∇W1 = Σ δ(z1) xᵀ"),
    "03_convolution_by_hand.py": (
        "∂L/∂w1 = δ1·x1 + δ2·x2 + δ3·x3",
        "∂L/∂w2 = δ1·x2 + δ2·x3 + δ3·x4",
        "∂L/∂w3 = δ1·x3 + δ2·x4 + δ3·x5",
        "∂L/∂x1 = δ1·w1 ",
        "∂L/∂x2 = δ1·w2 + δ2·w1 ",
        "∂L/∂x3 = δ1·w3 + δ2·w2 + δ3·w1",
        "∂L/∂x4 = δ2·w3 + δ3·w2 ",
        "∂L/∂x5 = δ3·w3 ",
    ),
    "04_convolution_and_pooling.py": ("     6      9     11", "     6     11", "     6      8"),
    "05_lenet5.py": ("61,706 parameters", "before training", "after training", "epoch 4"),
}


def test_every_demo_has_a_claim() -> None:
    assert sorted(path.name for path in DEMOS.glob("*.py")) == sorted(CLAIMS)


@pytest.mark.parametrize("demo", sorted(CLAIMS))
def test_a_demo_prints_what_it_claims(demo: str) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", str(DEMOS / demo)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for claim in CLAIMS[demo]:
        assert claim in result.stdout


@pytest.mark.parametrize("demo", sorted(CLAIMS))
def test_a_demo_is_shorter_than_150_lines(demo: str) -> None:
    assert len((DEMOS / demo).read_text(encoding="utf-8").splitlines()) < 150
