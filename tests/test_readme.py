"""What the README shows runs, and gives what the README says."""

import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from tinygrad_cnn import models

README = Path(__file__).resolve().parents[1] / "README.md"

if not README.exists():
    pytest.skip("the README lies in the source tree", allow_module_level=True)

TEXT = README.read_text(encoding="utf-8")
NETWORK, NEURON, WEIGHTS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
STORY = re.search(r"```\n(composite function.*?)```", TEXT, re.DOTALL)


def run(script: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-X", "utf8", "-c", script],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_first_network_trains() -> None:
    lines = run(NETWORK).splitlines()
    assert len(lines) == 5
    assert float(lines[-1].rstrip("%").split()[-1]) > 90


def test_the_neuron_prints_the_story_that_is_shown() -> None:
    head = "import tinygrad_cnn as tg\nfrom tinygrad_cnn import functional as F\n"
    assert STORY is not None
    assert run(head + NEURON).split() == STORY[1].split()


@pytest.mark.data
def test_published_weights_load_as_shown(monkeypatch: pytest.MonkeyPatch, published_file) -> None:
    monkeypatch.chdir(published_file("weights/resnet20-12fca82f.th").parent)
    shown = "import tinygrad_cnn as tg\n" + WEIGHTS
    assert float(run(shown + "print(abs(model.conv1.weight.numpy()).max())")) > 0


def test_the_number_of_networks_is_told() -> None:
    assert f"| Networks | {len(models.names())} by name" in TEXT


def test_every_demo_is_told() -> None:
    told = re.findall(r"^\| `(\d\d_\w+\.py)`", TEXT, re.MULTILINE)
    assert told == sorted(path.name for path in (README.parent / "demos").glob("*.py"))


def test_the_two_commands_stand_as_promised() -> None:
    install = "python3 -m venv .venv && .venv/bin/pip install . && "
    assert f"{install}.venv/bin/tinygrad-cnn train lenet5\n" in TEXT
    assert ".venv/bin/pip install '.[test]' && .venv/bin/python -m pytest" in TEXT


def test_every_folder_and_file_of_the_map_exists() -> None:
    tree = re.search(r"```\n(kernels/ .*?)```", TEXT, re.DOTALL)
    assert tree is not None
    top = README.parent
    for line in tree[1].splitlines():
        parent = top if line.startswith(" ") else README.parent
        for name in takewhile(lambda word: word.endswith(("/", ".py")), line.split()):
            assert (parent / name).exists(), f"{name} is on the map but not in the tree"
            top = top if line.startswith(" ") else README.parent / name


def test_no_placeholder_is_left() -> None:
    assert not re.findall(r"^[A-Z]{3,}$", TEXT, re.MULTILINE)
