"""What every test shares: one Numba thread, a seeded generator, and who runs when."""

import os
import sys
from collections.abc import Iterator

import numpy as np
import pytest

FULL = "--full"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(FULL, action="store_true", help="run the tests marked 'full' too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    reasons = {}
    if not config.getoption(FULL):
        reasons["full"] = f"long; runs with {FULL} only"
    if not os.environ.get("TINYGRAD_CNN_DATA"):
        reasons["data"] = "TINYGRAD_CNN_DATA names no folder of data sets"
    for item in items:
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


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(20260722)
