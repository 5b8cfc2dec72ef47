"""What every test shares: one Numba thread, a seeded generator, and who runs when."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FULL = "--full"
KINDS = ("data", "parity", "compile", "browser", "full")  # markers that are counted at the end
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
NO_BROWSER = "browser: not run; there is no chromium (Debian's package has this name)"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(FULL, action="store_true", help="run the tests marked 'full' too")
    parser.addoption(
        "--require",
        default="",
        metavar="KINDS",
        help="fail if a test of these kinds (with commas) was skipped, or if none ran",
    )


class Tally:
    """Counts, by kind, the tests that ran and those that were skipped."""

    def __init__(self, required: str) -> None:
        self.required = tuple(kind for kind in required.split(",") if kind)
        self.ran = dict.fromkeys(KINDS, 0)
        self.skipped = dict.fromkeys(KINDS, 0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        kinds = dict(report.user_properties).get("kinds", ())
        for kind in kinds:
            self.ran[kind] += report.when == "call" and not report.skipped
            # what waits for --full is not missing from a run without it
            self.skipped[kind] += report.skipped and (kind == "full" or "full" not in kinds)

    def missing(self) -> list[str]:
        """Return the required kinds that were skipped, or of which none ran."""
        return [kind for kind in self.required if self.skipped[kind] or not self.ran[kind]]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.missing() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        counts = (f"{kind} {self.ran[kind]} ran, {self.skipped[kind]} skipped" for kind in KINDS)
        terminalreporter.write_line(f"kinds of tests: {'; '.join(counts)}")
        if self.skipped["browser"] and not self.ran["browser"]:
            terminalreporter.write_line(NO_BROWSER)
        for kind in self.missing():
            terminalreporter.write_line(f"required, but skipped or absent: {kind}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the one process that sees every report
        config.pluginmanager.register(Tally(config.getoption("--require")), "tally")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    reasons = {}
    if not config.getoption(FULL):
        reasons["full"] = f"long; runs with {FULL} only"
    if not os.environ.get("TINYGRAD_CNN_DATA"):
        reasons["data"] = "TINYGRAD_CNN_DATA names no folder of data sets"
    if BROWSER is None:
        reasons["browser"] = NO_BROWSER
    for item in items:
        kinds = [kind for kind in KINDS if item.get_closest_marker(kind)]
        item.user_properties.append(("kinds", kinds))
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def one_numba_thread() -> Iterator[None]:
    """Run on one thread, in processes that compute with Numba at all.

    Workers of the test run share the machine. Tests that ask for more threads set them
    themselves; this sets them back.
    """
    numba = sys.modules.get("numba")
    if numba is not None:
        numba.set_num_threads(1)
    yield
    if numba is None and (numba := sys.modules.get("numba")) is not None:
        numba.set_num_threads(1)


@pytest.fixture(autouse=True)
def parity_needs_torch(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("parity"):
        pytest.importorskip("torch")


@pytest.fixture(scope="session")
def browser() -> str:
    """Name the program that tests marked `browser` run pages in."""
    assert BROWSER is not None  # they are skipped where there is none
    return BROWSER


@pytest.fixture(scope="session")
def published_file() -> Callable[[str], Path]:
    """Find a file below TINYGRAD_CNN_DATA, or skip the test, one of `data`, that asks for it."""

    def find(name: str) -> Path:
        path = Path(os.environ["TINYGRAD_CNN_DATA"], name)
        if not path.is_file():
            pytest.skip(f"the folder that TINYGRAD_CNN_DATA names has no {name}")
        return path

    return find


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(20260722)
