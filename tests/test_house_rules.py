"""Rules that the whole tree keeps: sizes, names, packages, docstrings and their examples."""

import configparser
import doctest
import importlib
import inspect
import token
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import tinygrad_cnn
from tinygrad_cnn import functional

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tinygrad_cnn"
PYTORCH = PACKAGE / "compat" / "torch"
LONGEST = 420
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc"}


def python_files(*folders: str) -> Iterator[Path]:
    """Yield the Python files below folders of the tree; links are not followed."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def modules(folder: Path = PACKAGE) -> Iterator[str]:
    """Yield the names of all modules of the package, kernels included, CUDA left out."""
    for path in sorted(folder.iterdir()):
        if path.name in ("cuda", "__pycache__"):
            continue
        if path.is_dir() and (path / "__init__.py").exists():
            yield from modules(path)
        elif path.suffix == ".py":
            dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield dotted.removesuffix(".__init__")


SOURCES = tuple(python_files("tinygrad_cnn", "kernels", "demos"))
TESTS = tuple(python_files("tests"))
MODULES = tuple(modules())


def where(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=where)
def test_a_file_is_short_enough_to_be_read(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{where(path)} has {lines} lines; split it by what it is about"


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=where)
def test_a_file_is_named_after_what_is_in_it(path: Path) -> None:
    if path.is_relative_to(PYTORCH):  # its names are PyTorch's, torch.utils.data among them
        return
    assert path.stem.strip("_") not in NAMES_THAT_SAY_NOTHING
    assert path.parent.name not in NAMES_THAT_SAY_NOTHING


@pytest.mark.parametrize("path", SOURCES, ids=where)
def test_users_are_answered_with_errors_and_not_with_assertions(path: Path) -> None:
    with tokenize.open(path) as source:
        words = list(tokenize.generate_tokens(source.readline))
    lines = [word.start[0] for word in words if (word.type, word.string) == (token.NAME, "assert")]
    assert not lines, f"{where(path)} asserts in lines {lines}"


def test_setup_cfg_lists_the_packages_of_the_tree() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = config["options"]["packages"].split()
    assert listed == sorted(listed)

    def packages(folder: Path) -> Iterator[str]:
        yield ".".join(folder.relative_to(ROOT).parts)
        for inner in sorted(folder.iterdir()):
            if inner.is_dir() and (inner / "__init__.py").exists():
                yield from packages(inner)

    assert set(packages(PACKAGE)) == set(listed)


@pytest.mark.parametrize("module", [tinygrad_cnn, functional, tinygrad_cnn.errors])
def test_public_names_are_sorted_and_can_be_imported(module: object) -> None:
    names = module.__all__  # type: ignore[attr-defined]
    assert list(names) == sorted(set(names))
    missing = [name for name in names if not hasattr(module, name)]
    assert not missing


@pytest.mark.parametrize("name", functional.__all__)
def test_a_public_function_says_what_it_does(name: str) -> None:
    text = inspect.getdoc(getattr(functional, name)) or ""
    summary, *rest = text.split("\n")
    assert summary.endswith("."), f"{name}: the first line is one sentence; got {summary!r}"
    assert summary[0].isupper()
    assert not rest or not rest[0].strip()
    sections = ["Parameters", "Returns", "Raises", "Notes", "References", "Examples"]
    found = [line for line in rest if line in sections]
    assert found == [section for section in sections if section in found]
    missing = {"Parameters", "Returns", "Raises", "Examples"} - set(found)
    assert not missing, f"{name}: its docstring has no {', '.join(sorted(missing))}"


def test_the_errors_are_drawn_as_they_are_defined() -> None:
    from tinygrad_cnn import errors

    drawing = errors.__doc__ or ""
    for name in errors.__all__:
        assert name in drawing
        kind = getattr(errors, name)
        builtin = next(b for b in kind.__mro__ if b.__module__ == "builtins")
        if kind.__bases__[0] is errors.TinygradCnnError:
            assert f"({builtin.__name__})" in drawing


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert not failed
