"""TensorBoard's event files, beside the lines of JSON that are always written.

The writer is tensorboardX, which needs NumPy, protobuf and packaging and no TensorFlow:
``pip install 'tinygrad_cnn[tensorboard]'``. Look at them with ``tensorboard --logdir runs``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinygrad_cnn.atomic import plain_writing
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.train.state import EpochRecord

__all__ = ["EventLog", "require_writer"]


def require_writer() -> Any:
    """Return the class that writes event files.

    Raises
    ------
    OptionError
        If tensorboardX is not installed.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError as reason:
        raise OptionError(
            f"tensorboard: event files are written by tensorboardX; got no such package ({reason})."
            " Install it with pip install 'tinygrad_cnn[tensorboard]'"
        ) from None
    return SummaryWriter


class EventLog:
    """Curves of a run as event files.

    Parameters
    ----------
    folder : Path
    history : sequence of EpochRecord
        Finished epochs of a run that goes on. They are written again, and what is there of them
        or later is marked as void: a killed run may have written too little or too much.
    """

    def __init__(self, folder: Path, history: Sequence[EpochRecord] = ()) -> None:
        writer = require_writer()
        self.folder = folder
        with plain_writing(folder):
            self._writer = writer(str(folder), purge_step=1 if history else None)
        for record in history:
            self.add(record)

    def add(self, record: EpochRecord) -> None:
        """Add the figures of a finished epoch."""
        scalars: dict[str, float] = {
            "loss/train": record.train_loss,
            "loss/test": record.test_loss,
            "accuracy/train": record.train.accuracy,
            "accuracy/test": record.test.accuracy,
            "learning rate": record.lr,
            "seconds": record.seconds,
        }
        if record.train_top5 is not None and record.test_top5 is not None:
            scalars["top-5/train"] = record.train_top5 / record.train_total
            scalars["top-5/test"] = record.test_top5 / record.test_total
        if record.held_out_loss is not None:
            scalars["loss/held out"] = record.held_out_loss
        with plain_writing(self.folder):
            for tag, value in scalars.items():
                self._writer.add_scalar(tag, value, record.epoch)
            self._writer.flush()

    def close(self) -> None:
        """Finish the file."""
        with plain_writing(self.folder):
            self._writer.close()
