import struct
import sys
from pathlib import Path

import pytest
from tensorboardX.proto import event_pb2

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.train import EpochRecord
from tinygrad_cnn.train.tensorboard import EventLog, require_writer

RECORDS = [EpochRecord(epoch, 0.01, 2.0, 10, 100, 1.5, 5, 50, 0.1, 60, 40) for epoch in (1, 2)]


def scalars(folder: Path) -> dict[tuple[str, int], float]:
    """Read event files: records of a length, its checksum, an event, its checksum."""
    found = {}
    for path in sorted(folder.iterdir()):
        content, place = path.read_bytes(), 0
        while place < len(content):
            (length,) = struct.unpack_from("<Q", content, place)
            event = event_pb2.Event.FromString(content[place + 12 : place + 12 + length])
            place += 12 + length + 4
            for value in event.summary.value:
                found[value.tag, event.step] = value.simple_value
    return found


def test_event_files_hold_the_figures_of_each_epoch(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    for record in RECORDS:
        log.add(record)
    log.close()
    found = scalars(tmp_path / "events")
    assert found["accuracy/test", 2] == pytest.approx(0.1)
    assert found["top-5/train", 1] == pytest.approx(0.6)
    assert found["loss/train", 1] == 2.0
    assert {step for _, step in found} == {1, 2}


def test_a_run_that_goes_on_writes_its_history_again(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events", RECORDS)
    log.close()
    assert {step for tag, step in scalars(tmp_path / "events") if tag == "loss/test"} == {1, 2}


def test_a_missing_writer_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(OptionError, match=r"pip install 'tinygrad_cnn\[tensorboard\]'"):
        require_writer()
