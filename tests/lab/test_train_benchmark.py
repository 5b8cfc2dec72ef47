"""Training steps measured: the same networks on both sides, their time and their memory."""

import sys

import numpy as np
import pytest

from tinygrad_cnn import lab, nn
from tinygrad_cnn.errors import KernelMismatchError, TinygradCnnError, UnknownNameError
from tinygrad_cnn.lab import Effort, Row, TrainSubject, benchmark_train, train_benchmark
from tinygrad_cnn.lab.step_memory import peak_memory
from tinygrad_cnn.lab.trained_networks import Trainee, build, draw_batch

LENET = TrainSubject("lenet5", 2, (1, 32, 32))
ONCE = Effort(repeats=1)


def test_the_subjects_are_those_that_are_compared() -> None:
    assert [str(subject) for subject in lab.TRAIN_SUBJECTS] == [
        "lenet5, batch 1", "lenet5, batch 64", "lab11_cnn2, batch 100", "resnet20, batch 128",
        "allcnn_c, batch 128", "vgg11 on CIFAR, batch 64",
    ]  # fmt: skip
    assert [subject.batch for subject in lab.train_subjects(["lenet5", "vgg11"])] == [1, 64, 64]
    with pytest.raises(UnknownNameError, match=r"got 'lenet6'\. Did you mean 'lenet5'"):
        lab.train_subjects(["lenet6"])


def test_without_pytorch_ours_alone_is_measured() -> None:
    rows = benchmark_train([LENET], effort=ONCE, with_memory=False, with_pytorch=False)
    plain = [row for row in rows if row.who == "ours"]
    assert [row.step for row in plain] == ["training", "inference"]
    for row in plain:
        assert row.facts["images_per_second"] == pytest.approx(2 / row.seconds)
    assert all(np.isnan(ratio.speed) for ratio in lab.summarise_train(rows))


@pytest.mark.parity
@pytest.mark.parametrize("network", sorted({s.network for s in lab.TRAIN_SUBJECTS}))
def test_pytorch_computes_the_same(network: str) -> None:
    image = next(s.image for s in lab.TRAIN_SUBJECTS if s.network == network)
    subject = TrainSubject(network, 2, image)
    with lab.on_threads(1):
        rows = benchmark_train([subject], effort=ONCE, with_memory=False, with_pytorch=True)
    for step in ("training", "inference"):
        names = {row.who for row in rows if row.step == step}
        assert {"ours", "pytorch, NCHW", "pytorch, channels-last"} <= names
    assert all(ratio.speed > 0 for ratio in lab.summarise_train(rows))


@pytest.mark.parity
def test_a_network_that_computes_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Doubled(Trainee):
        def loss_and_gradients(self):
            loss = super().loss_and_gradients()
            for parameter in self.model.parameters():
                parameter.grad.data *= 2.0
            return loss

    monkeypatch.setattr(train_benchmark, "Trainee", Doubled)
    told = r"got 'pytorch, NCHW' off by .* in C1.weight"
    with pytest.raises(KernelMismatchError, match=told), lab.on_threads(1):
        benchmark_train([LENET], effort=ONCE, with_memory=False, with_pytorch=True)


def test_fused_elements_are_measured_once_they_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []

    def fuse(model: nn.Module) -> nn.Module:
        modes.append(model.training)
        return model

    monkeypatch.setattr(nn, "fuse", fuse, raising=False)
    rows = benchmark_train([LENET], effort=ONCE, with_memory=False, with_pytorch=False)
    assert [row.who for row in rows] == ["ours", "ours, fused"] * 2
    assert modes == [True, False]


def test_a_step_of_training_learns() -> None:
    images, labels = draw_batch(TrainSubject("lab11_cnn2", 4, (1, 28, 28)))
    trainee = Trainee(build("lab11_cnn2"), images, labels)
    before = trainee.loss_and_gradients().item()
    for _ in range(5):
        trainee.train()
    assert trainee.loss_and_gradients().item() < before


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process from /proc")
def test_memory_is_that_of_the_training_alone() -> None:
    small = peak_memory(lab.train_subjects(["lenet5"])[0], "ours", 1)
    assert small is not None
    assert 0 < small < 150e6  # libraries and the parent's own peak do not count


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process from /proc")
def test_what_a_process_could_not_do_is_told() -> None:
    with pytest.raises(TinygradCnnError, match="could not train lenet5, batch 3 alone; got"):
        peak_memory(TrainSubject("lenet5", 3, (1, 32, 32)), "ours", 1)


def test_ratios_are_against_the_faster_layout() -> None:
    def row(who: str, seconds: float, peak: int) -> Row:
        facts = {"peak_bytes": peak, "images_per_second": 1 / seconds}
        return Row("train", "net", "training", who, seconds, seconds, seconds, 5, facts)

    rows = [row("ours", 2.0, 300), row("pytorch, NCHW", 3.0, 400),
            row("pytorch, channels-last", 5.0, 100)]  # fmt: skip
    assert lab.summarise_train(rows) == [("net", "training", "ours", 1.5, 0.75)]
