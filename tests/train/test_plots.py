import errno
import os
import struct
from pathlib import Path

import pytest

from tinygrad_cnn.errors import RunDirectoryError
from tinygrad_cnn.train import EpochRecord, draw_curves

HISTORY = [
    EpochRecord(epoch, 0.01, 2.0 / epoch, 10 * epoch, 100, 1.5 / epoch, 5 * epoch, 50, 0.1)
    for epoch in range(1, 6)
]


@pytest.mark.parametrize("epochs", [1, 5])
def test_curves_are_a_png_and_the_same_each_time(tmp_path: Path, epochs: int) -> None:
    for name in ("first.png", "second.png"):
        draw_curves(tmp_path / name, HISTORY[:epochs], "lenet5 on digits")
    content = (tmp_path / "first.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == (1100, 450)
    assert content == (tmp_path / "second.png").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["first.png", "second.png"]


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunDirectoryError, match=r"No space left on device"):
        draw_curves(tmp_path / "curves.png", HISTORY, "")
    assert not os.listdir(tmp_path)
