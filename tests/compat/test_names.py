"""Tables of names: what they point at exists, what they lack is named, the page tells all."""

import importlib
import inspect
import subprocess
import sys
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import compat
from tinygrad_cnn import functional as F
from tinygrad_cnn.compat import imports
from tinygrad_cnn.compat.listing import MODULES, namespace, page
from tinygrad_cnn.compat.namespace import found
from tinygrad_cnn.errors import MissingImportError, MissingNameError, TinygradCnnError

TABLES = tuple(map(namespace, MODULES))
PAGE = Path(compat.__file__).with_name("NAMES.md")
each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
IN_TORCH = tuple(name for name in MODULES if not name.startswith("torchvision"))


@each_table
def test_every_name_stands_for_something(table: Any) -> None:
    module = importlib.import_module(f"tinygrad_cnn.compat.{table.name}")
    for name in table.names():
        assert getattr(module, name) is not None
    for name, path in table.elsewhere.items():
        # What takes PyTorch's names of arguments is wrapped.
        assert inspect.unwrap(getattr(module, name)) is inspect.unwrap(found(path))


@each_table
def test_a_name_that_is_missing_is_answered_with_what_comes_near(table: Any) -> None:
    module = importlib.import_module(f"tinygrad_cnn.compat.{table.name}")
    for name, nearest in table.nearest.items():
        with pytest.raises(MissingNameError) as caught:
            getattr(module, name)
        told = f"{table.name}: the attribute exists; got {name!r}. The nearest: {nearest}"
        assert str(caught.value) == told
        assert not hasattr(module, name)


def test_a_missing_name_is_an_attribute_error_of_this_package() -> None:
    from tinygrad_cnn.compat.torch import nn

    with pytest.raises(AttributeError, match=r"torch\.nn: .*'Conv3d'\. The nearest is 'Conv2d'$"):
        _ = nn.Conv3d
    assert issubclass(MissingNameError, TinygradCnnError)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("from tinygrad_cnn.compat.torch.nn import Linear, LSTM", r"torch\.nn: .*'LSTM'.*nothing;"),
        ("from tinygrad_cnn.compat.torch import xyzzy", r"torch: .*'xyzzy'\. The nearest: "),
        (
            "from tinygrad_cnn.compat.torch.optim.lr_scheduler import CyclicLR",
            r"lr_scheduler: .*'CyclicLR'\. The nearest: OneCycleLR",
        ),
        (
            "from tinygrad_cnn.compat.torch.utils.tensorboard import SummaryWriter",
            r"torch\.utils: .*'tensorboard'\. The nearest: tensorboardX",
        ),
        ("import tinygrad_cnn.compat.torch.nn.modules.conv", r"torch\.nn: .*'modules'.*itself"),
        ("from tinygrad_cnn.compat.torchvision import models", r"'models'.*models\.build"),
    ],
)
def test_an_import_that_fails_names_what_comes_near(line: str, match: str) -> None:
    with pytest.raises(MissingImportError, match=match) as caught:
        exec(line)
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value, TinygradCnnError)


def test_imports_of_others_are_left_alone() -> None:
    for name in ("tinygrad_cnn.xyzzy", "xyzzy.torch", "tinygrad_cnn.compat.xyzzy"):
        with pytest.raises(ModuleNotFoundError, match="No module named"):
            importlib.import_module(name)
    imports.install()
    assert sum(isinstance(each, imports.NearestFinder) for each in sys.meta_path) == 1


def test_a_path_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(AttributeError, match="xyzzy"):
        found("tinygrad_cnn.Tensor.xyzzy")
    with pytest.raises(ModuleNotFoundError):
        found("tinygrad_cnn.xyzzy")


def test_the_page_of_names_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tinygrad_cnn.compat"


def test_importing_the_package_does_not_import_the_names() -> None:
    program = "import sys, tinygrad_cnn; print('tinygrad_cnn.compat' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_the_names_load_nothing_heavy() -> None:
    program = (
        "import sys; from tinygrad_cnn.compat import torch, torchvision; torch.nn.Linear; "
        "print({'numba', 'torch', 'matplotlib', 'PIL', 'pooch'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


# -- against PyTorch ---------------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("name", IN_TORCH)
def test_names_are_pytorchs(name: str) -> None:
    theirs, table = importlib.import_module(name), namespace(name)
    for each in (*table.elsewhere, *table.nearest):
        assert hasattr(theirs, each) or find_spec(f"{name}.{each}"), each


@pytest.mark.parity
@pytest.mark.parametrize("name", IN_TORCH)
def test_whatever_pytorch_has_is_here_or_answered_with_the_nearest(name: str) -> None:
    theirs = importlib.import_module(name)
    ours = importlib.import_module(f"tinygrad_cnn.compat.{name}")
    for each in dir(theirs):
        if each.startswith("_") or hasattr(ours, each):
            continue
        with pytest.raises(MissingNameError, match=r"\. The nearest(:| is) .+"):
            getattr(ours, each)


@pytest.mark.parity
@pytest.mark.parametrize("kind", ["Tensor", "nn.Linear", "nn.Conv2d", "nn.Sequential"])
def test_attributes_of_pytorchs_objects_are_answered_alike(kind: str) -> None:
    import torch

    ours = {
        "Tensor": lambda: tg.zeros(1),
        "nn.Linear": lambda: tg.nn.Linear(3, 2),
        "nn.Conv2d": lambda: tg.nn.Conv2d(3, 2, 1),
        "nn.Sequential": tg.nn.Sequential,
    }[kind]()
    for each in dir(attrgetter(kind)(torch)):
        if not each.startswith("_") and not hasattr(ours, each):
            with pytest.raises(MissingNameError, match=r"\. The nearest(:| is) .+"):
                getattr(ours, each)


# Functions whose first arguments mean something else than in PyTorch, and why that does no harm.
DIFFERENT = {
    "hardsigmoid": "slope stands where inplace does, which is taken by name only",
    "lp_pool2d": "padding is one more at the end",
    "relu": "at_zero stands where inplace does; True is refused",
}


def positional(function: Any) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]


@pytest.mark.parity
@pytest.mark.parametrize("name", [name for name in F.__all__ if name not in DIFFERENT])
def test_options_of_functions_stand_where_pytorch_has_them(name: str) -> None:
    from torch.nn import functional as theirs

    if not hasattr(theirs, name):
        return  # a function that PyTorch has elsewhere, or not at all
    try:
        expected = positional(getattr(theirs, name))
    except ValueError:  # written in C++: its documentation has the signature
        text = getattr(theirs, name).__doc__.strip().split("->")[0]
        expected = [part.split("=")[0].strip() for part in text[text.index("(") + 1 :].split(",")]
    ours = positional(getattr(F, name))
    given = {"x", "z", "a", "y", "labels", "tensors", "b"}  # what is not an option
    inputs = sum(1 for option in ours if option in given)
    old = {"size_average", "reduce", "_stacklevel"}  # PyTorch warns of these
    expected = [option for option in expected if option not in old]
    if expected and expected[0] != "*args":
        assert ours[inputs:] == expected[inputs : len(ours)]


@pytest.mark.parity
def test_public_names_of_one_module_are_of_one_kind_in_pytorch() -> None:
    import torch

    for module, theirs in ((tg.nn, torch.nn), (tg.optim, torch.optim)):
        for name in module.__all__:
            one, two = getattr(module, name), getattr(theirs, name, None)
            assert two is None or isinstance(one, type) == isinstance(two, type), name
