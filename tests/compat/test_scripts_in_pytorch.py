"""One text, twice: with PyTorch, and with its import lines changed, and the same losses."""

import re
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import nn, optim
from tinygrad_cnn.compat import loading

from . import torchvision_for_pytorch

pytestmark = pytest.mark.parity

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = {
    "lecture": ROOT / "demos" / "16_lecture_script_by_pytorch_names.py",
    "pictures": ROOT / "demos" / "17_own_pictures_by_pytorch_names.py",
    "handwritten": Path(__file__).with_name("handwritten_net.py"),
}
STEPS = 50  # as many losses are compared; rounding grows from step to step
TOLERANCE = 1e-3  # of a loss

OURS = re.compile(r"^(from|import) tinygrad_cnn\.compat(\.| import )", re.MULTILINE)


def with_pytorch(text: str) -> str:
    """Return a script with its import lines changed back."""
    return OURS.sub(lambda found: "import " if found[2] == " import " else f"{found[1]} ", text)


class Run:
    """What is watched and held still while a script runs: losses, first weights, order."""

    def __init__(self, patch: pytest.MonkeyPatch, weights: list[list[np.ndarray]]) -> None:
        self.patch, self.weights = patch, weights
        self.losses: list[float] = []
        self.optimisers = 0

    def watch(self, tensor: type, optimisers: list[type], loader: type, dropout: type) -> None:
        self.patch.setattr(tensor, "backward", self._recorded(tensor.backward))
        for kind in optimisers:
            self.patch.setattr(kind, "__init__", self._begun(kind.__init__))
        self.patch.setattr(loader, "__init__", in_order(loader.__init__))
        self.patch.setattr(dropout, "forward", lambda layer, x: x)

    def _recorded(self, backward: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(loss: Any, *given: Any, **options: Any) -> Any:
            self.losses.append(loss.item())
            return backward(loss, *given, **options)

        return recorded

    def _begun(self, initialise: Callable[..., Any]) -> Callable[..., Any]:
        """Remember the weights that the first run begins with; begin the second one with them."""

        def begun(optimiser: Any, parameters: Any, *given: Any, **options: Any) -> None:
            listed = list(parameters)
            if self.optimisers == len(self.weights):
                self.weights.append([np.array(p.detach().numpy()) for p in listed])
            for parameter, value in zip(listed, self.weights[self.optimisers], strict=True):
                parameter.data.copy_(type(parameter.data)(value))
            self.optimisers += 1
            initialise(optimiser, listed, *given, **options)

        return begun


def in_order(initialise: Callable[..., Any]) -> Callable[..., Any]:
    def begun(loader: Any, *given: Any, **options: Any) -> None:
        initialise(loader, *given, **{**options, "shuffle": False, "num_workers": 0})

    return begun


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Make a folder with MNIST's four files, of few digits."""
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, part, count in zip(("train", "t10k"), tg.data.load_digits(), (640, 200), strict=True):
        images = tg.data.upsample(part.images[:count].astype(np.float32), 28)[:, 0] * 15.9
        for kind, array in (("images-idx3", images), ("labels-idx1", part.labels[:count])):
            head = struct.pack(f">BBBB{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
            content = head + array.clip(0, 255).astype(np.uint8).tobytes()
            (raw / f"{name}-{kind}-ubyte").write_bytes(content)
    return tmp_path / "data"


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for name, module in torchvision_for_pytorch.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    yield monkeypatch
    torch.set_num_threads(threads)


def run(name: str, watched: Run, in_pytorch: bool, arguments: list[str]) -> None:
    import torch

    path = SCRIPTS[name]
    text = path.read_text(encoding="utf-8")
    if in_pytorch:
        text = with_pytorch(text)
        watched.watch(
            torch.Tensor, [torch.optim.Adam, torch.optim.SGD], torch.utils.data.DataLoader,
            torch.nn.Dropout,
        )  # fmt: skip
    else:
        watched.watch(tg.Tensor, [optim.Adam, optim.SGD], loading.DataLoader, nn.Dropout)
    watched.patch.setattr(sys, "argv", [str(path), *arguments])
    exec(compile(text, str(path), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_has_the_same_losses_after_changing_its_imports(
    name: str,
    patched: pytest.MonkeyPatch,
    digits: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = {
        "lecture": ["--root", str(digits), "--epochs", "8"],
        "pictures": [],
        "handwritten": [str(digits), str(tmp_path / "weights.pt")],
    }[name]
    weights: list[list[np.ndarray]] = []
    losses, printed = [], []
    for in_pytorch in (False, True):
        with patched.context() as patch:
            watched = Run(patch, weights)
            run(name, watched, in_pytorch, arguments)
        losses.append(np.array(watched.losses))
        printed.append(capsys.readouterr().out.splitlines())
    ours, theirs = losses
    assert len(ours) == len(theirs) > 10
    np.testing.assert_allclose(ours[:STEPS], theirs[:STEPS], rtol=TOLERANCE, atol=1e-6)
    assert len(printed[0]) == len(printed[1])


def test_only_import_lines_differ() -> None:
    for path in SCRIPTS.values():
        text = path.read_text(encoding="utf-8")
        changed = [
            (one, two)
            for one, two in zip(text.splitlines(), with_pytorch(text).splitlines(), strict=True)
            if one != two
        ]
        assert len(changed) >= 6
        assert all(re.match(r"(from|import) (torch|torchvision)\b", two) for _, two in changed)
        assert "compat" not in with_pytorch(text).split("parser = ")[0].split('"""', 2)[2]
