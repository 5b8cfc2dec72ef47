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
from tinygrad_cnn.compat.torch.utils import data as compat_data

from . import torchvision_for_pytorch

pytestmark = pytest.mark.parity

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = {
    "lecture": ROOT / "demos" / "24_lecture_script_by_pytorch_names.py",
    "pictures": ROOT / "demos" / "25_own_pictures_by_pytorch_names.py",
    "handwritten": Path(__file__).with_name("handwritten_net.py"),
}
# Both run in float64: in float32 Adam, which divides by the size of a gradient, turns the rounding
# of gradients near zero into steps of full length, and two runs part after some thirty steps.
TOLERANCE = 1e-8  # of a loss

OURS = re.compile(r"^(from|import) tinygrad_cnn\.compat(\.| import )", re.MULTILINE)


def with_pytorch(text: str) -> str:
    """Return a script with its import lines changed back."""
    return OURS.sub(lambda found: "import " if found[2] == " import " else f"{found[1]} ", text)


class Side:
    """One of the two runs: what is watched, and what is held still so that it can be compared."""

    def __init__(self, package: Any, data: Any, patch: pytest.MonkeyPatch) -> None:
        self.package, self.losses, self.begun = package, [], 0
        tensor, module = package.Tensor, package.nn.Module
        patch.setattr(tensor, "backward", self._watched(tensor.backward))
        patch.setattr(tensor, "to", self._to_float64(tensor.to))
        patch.setattr(module, "to", self._to_float64(module.to))
        patch.setattr(package.nn.Dropout, "forward", lambda layer, x: x)
        patch.setattr(data.DataLoader, "__init__", mixed_alike(data))

    def _watched(self, backward: Callable[..., Any]) -> Callable[..., Any]:
        def watched(loss: Any, *given: Any, **options: Any) -> Any:
            self.losses.append(loss.item())
            return backward(loss, *given, **options)

        return watched

    def _to_float64(self, to: Callable[..., Any]) -> Callable[..., Any]:
        """Let scripts that bring something to a device bring it to float64 too."""

        def to_float64(moved: Any, *where: Any) -> Any:
            by_device = len(where) == 1 and str(where[0]) == "cpu"
            if by_device and "int" not in str(getattr(moved, "dtype", "")):
                return to(moved, self.package.float64)
            return to(moved, *where)

        return to_float64


class SameBeginning:
    """Lets the optimisers of the second run begin with the weights of the first."""

    def __init__(self) -> None:
        self.weights: list[list[np.ndarray]] = []

    def hold(self, side: Side, patch: pytest.MonkeyPatch) -> None:
        for kind in (side.package.optim.Adam, side.package.optim.SGD):
            patch.setattr(kind, "__init__", self._begun(side, kind.__init__))

    def _begun(self, side: Side, initialise: Callable[..., Any]) -> Callable[..., Any]:
        def begun(optimiser: Any, parameters: Any, *given: Any, **options: Any) -> None:
            listed = list(parameters)
            if side.begun == len(self.weights):
                self.weights.append([np.array(p.detach().numpy()) for p in listed])
            for parameter, value in zip(listed, self.weights[side.begun], strict=True):
                parameter.data.copy_(side.package.tensor(value))
            side.begun += 1
            initialise(optimiser, listed, *given, **options)

        return begun


def mixed_alike(data: Any) -> Callable[..., Any]:
    """Return the beginning of a loader that shuffles in an order that is the same everywhere."""
    begin = data.DataLoader.__init__

    def begun(loader: Any, dataset: Any, shuffle: bool = False, **options: Any) -> None:
        if shuffle:
            order = np.random.default_rng(1).permutation(len(dataset))
            dataset = data.Subset(dataset, order.tolist())
        begin(loader, dataset, **{**options, "num_workers": 0})

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


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_has_the_same_losses_after_changing_its_imports(
    name: str,
    patched: pytest.MonkeyPatch,
    digits: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import torch

    arguments = {
        "lecture": ["--root", str(digits), "--epochs", "3"],
        "pictures": [],
        "handwritten": [str(digits), str(tmp_path / "weights.pt")],
    }[name]
    text = SCRIPTS[name].read_text(encoding="utf-8")
    beginning, losses, printed = SameBeginning(), [], []
    for package, data, script in (
        (tg, compat_data, text),
        (torch, torch.utils.data, with_pytorch(text)),
    ):
        with patched.context() as patch:
            side = Side(package, data, patch)
            beginning.hold(side, patch)
            patch.setattr(sys, "argv", [name, *arguments])
            exec(compile(script, str(SCRIPTS[name]), "exec"), {"__name__": "__main__"})
        losses.append(np.array(side.losses))
        printed.append(capsys.readouterr().out)
    assert len(losses[0]) == len(losses[1]) > 10
    np.testing.assert_allclose(*losses, rtol=TOLERANCE)
    assert words(printed[0]) == words(printed[1])


def words(text: str) -> str:
    """Return what was printed as both should: a size and a list look different in PyTorch."""
    return re.sub(r"torch\.Size\(\[(.*?)\]\)|\[(.*?)\]", r"(\1\2)", text)


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
