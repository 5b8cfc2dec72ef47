"""Forty images in MNIST's own files, so that a whole run takes a second."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
TRAINING, TEST = 40, 12


def write_idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name a data root whose ``mnist`` holds forty training images and twelve for the test."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "mnist"
    folder.mkdir()
    draw = np.random.default_rng(11)
    for part, count in (("train", TRAINING), ("t10k", TEST)):
        write_idx(folder / f"{part}-images-idx3-ubyte", draw.integers(0, 256, (count, 28, 28)))
        write_idx(folder / f"{part}-labels-idx1-ubyte", draw.integers(0, 10, count))
    return root


@pytest.fixture
def few(data_dir: Path) -> list[str]:
    """Name the arguments of a run on these images: five steps of each of three epochs."""
    options = f"train lenet5 --data mnist --data-dir {data_dir} --batch-size 8 --epochs 3"
    return options.split()


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[str]]:
    """Start the command in a process of its own."""

    def start_process(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tinygrad_cnn", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **variables},
        )

    return start_process
