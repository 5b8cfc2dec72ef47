"""How much memory training takes: five steps in a process of their own.

What counts is the peak of the process minus what it held just before the network was built.
Kernels lie compiled on disk, and the library has trained a single affine layer on one image:
what it loads at first use (PyTorch some 60 MB of modules, we Numba's threads) is there.
Started as ``python -m tinygrad_cnn.lab.step_memory NETWORK BATCH WHO THREADS``, it prints the
bytes.
"""

import os
import subprocess
import sys
from pathlib import Path

from tinygrad_cnn import nn
from tinygrad_cnn.errors import TinygradCnnError
from tinygrad_cnn.lab.machine import on_threads, pytorch
from tinygrad_cnn.lab.pytorch_networks import PyTorchTrainee, build_in_pytorch
from tinygrad_cnn.lab.trained_networks import (
    CLASSES,
    TRAIN_SUBJECTS,
    Trainee,
    TrainSubject,
    build,
    draw_batch,
    fused,
)

_STEPS = 5
_STATUS = Path("/proc/self/status")


def peak_memory(subject: TrainSubject, who: str, threads: int) -> int | None:
    """Return the bytes that training takes; None where the system does not tell.

    Parameters
    ----------
    subject : TrainSubject
    who : str
        As rows name them: "ours", "ours, fused" or "pytorch, " and a layout.
    threads : int
    """
    if not _STATUS.exists():
        return None
    arguments = [subject.network, str(subject.batch), who, str(threads)]
    done = subprocess.run(
        [sys.executable, "-m", __name__, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise TinygradCnnError(f"bench: {who} could not train {subject} alone; got {last}")
    return int(done.stdout)


def _status(field: str) -> int:
    """Return bytes of this process; not of getrusage, which inherits the parent's peak."""
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _measure(network: str, batch: int, who: str, threads: int) -> int:
    subject = next(s for s in TRAIN_SUBJECTS if (s.network, s.batch) == (network, batch))
    in_pytorch = who.startswith("pytorch")
    with on_threads(threads, with_pytorch=in_pytorch):
        images, labels = draw_batch(subject)
        features = images[0].size
        if in_pytorch:
            torch_nn, last = pytorch().nn, who.endswith("channels-last")
            affine = torch_nn.Sequential(torch_nn.Flatten(), torch_nn.Linear(features, CLASSES))
            PyTorchTrainee(affine, images[:1], labels[:1], last).train()
            begin = _status("VmRSS")
            rival = PyTorchTrainee(build_in_pytorch(network), images, labels, last)
            return _peak_of_steps(rival) - begin
        model = nn.Sequential(nn.Flatten(), nn.Linear(features, CLASSES))
        Trainee(model, images[:1], labels[:1]).train()
        begin = _status("VmRSS")
        ours = build(network)
        if who.endswith("fused"):
            ours = fused(ours) or ours
        return _peak_of_steps(Trainee(ours, images, labels)) - begin


def _peak_of_steps(trainee: Trainee | PyTorchTrainee) -> int:
    for _ in range(_STEPS):
        trainee.train()
    return _status("VmHWM")


if __name__ == "__main__":
    print(_measure(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
