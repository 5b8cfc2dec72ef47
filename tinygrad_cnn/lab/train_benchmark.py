"""How long whole steps of training and of inference take, and how much memory training does.

Our networks, plain and with fused elements, against the same networks in PyTorch in both of
its layouts. First all have the same weights, and loss and gradients are compared; dropout is
off for that, since each draws its own masks, and on while training is timed. A step is:
forget the gradients, run forward, cross entropy, run backward, SGD with momentum 0.9.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn import nn
from tinygrad_cnn.errors import KernelMismatchError
from tinygrad_cnn.lab.machine import has_pytorch, pytorch
from tinygrad_cnn.lab.pytorch_convolution import LAYOUTS
from tinygrad_cnn.lab.pytorch_networks import PyTorchTrainee, build_in_pytorch
from tinygrad_cnn.lab.rows import OURS, Row
from tinygrad_cnn.lab.step_memory import peak_memory
from tinygrad_cnn.lab.timing import Effort, take_turns
from tinygrad_cnn.lab.trained_networks import Trainee, TrainSubject, build, draw_batch, fused

TRAINING, INFERENCE = "training", "inference"
FUSED = f"{OURS}, fused"

# Differences are measured by their norm. Losses and scores agree as closely as sums in another
# order do. Gradients of deep networks cannot: a value that rounds to the other side of zero
# switches its rectifier, and PyTorch's own gradients of ResNet-20 are 0.0065 of their norm from
# those that it computes in float64.
_VALUES, _GRADIENTS = 1e-4, 2e-2

Contestants = Mapping[str, Trainee | PyTorchTrainee]


def benchmark_train(
    subjects: Sequence[TrainSubject],
    *,
    effort: Effort | None = None,
    threads: int = 1,
    with_memory: bool = True,
    with_pytorch: bool | None = None,
    progress: Callable[[str, int, int], None] = lambda text, done, total: None,
) -> list[Row]:
    """Measure steps of training and of inference.

    Parameters
    ----------
    subjects : sequence of TrainSubject
        See :func:`train_subjects`.
    effort : Effort, optional
        How long to measure.
    threads : int
        Of the processes that memory is measured in; the caller sets its own.
    with_memory : bool
        Whether to measure memory, which starts a process for each contestant.
    with_pytorch : bool, optional
        By default where it is installed.
    progress : callable
        ``progress(text, done, total)`` is told what is measured next.

    Raises
    ------
    KernelMismatchError
        If loss or gradients are not PyTorch's.
    OptionError
        If there is less than one repeat.
    """
    with_pytorch = has_pytorch() if with_pytorch is None else with_pytorch
    rows: list[Row] = []
    for done, subject in enumerate(subjects):
        for step in (TRAINING, INFERENCE):
            progress(f"{step}, {subject}", 2 * done + (step == INFERENCE), 2 * len(subjects))
            contestants = _prepare(subject, step, with_pytorch)
            runs = {
                who: one.train if step == TRAINING else one.infer
                for who, one in contestants.items()
            }
            for run in runs.values():
                run()  # compiles what has not run yet
            for who, timing in take_turns(runs, effort or Effort(2.0)).items():
                facts: dict[str, Any] = {"images_per_second": subject.batch / timing.seconds}
                if step == TRAINING and with_memory:
                    facts["peak_bytes"] = peak_memory(subject, who, threads)
                rows.append(Row("train", str(subject), step, who, *timing, facts))
    return rows


def _prepare(subject: TrainSubject, step: str, with_pytorch: bool) -> Contestants:
    """Build all contestants with the same weights, and see that they compute the same."""
    images, labels = draw_batch(subject)
    models: dict[str, Any] = {OURS: build(subject.network)}
    state = models[OURS].state_dict()
    if hasattr(nn, "fuse"):
        models[FUSED] = build(subject.network)
        models[FUSED].load_state_dict(state)
        models[FUSED].train(step == TRAINING)  # in evaluation more can be fused
        models[FUSED] = fused(models[FUSED])
    contestants: dict[str, Any] = {
        who: Trainee(model, images, labels) for who, model in models.items()
    }
    if with_pytorch:
        torch = pytorch()
        for layout in LAYOUTS:
            model = build_in_pytorch(subject.network)
            model.load_state_dict({path: torch.from_numpy(a) for path, a in state.items()})
            last = layout == LAYOUTS[1]
            contestants[f"pytorch, {layout}"] = PyTorchTrainee(model, images, labels, last)
    for one in contestants.values():
        one.model.train(step == TRAINING)
    if step == TRAINING:
        _compare_gradients(subject, contestants)
    else:
        _compare_scores(subject, contestants)
    return contestants


def _compare_gradients(subject: TrainSubject, contestants: Contestants) -> None:
    expected: list[tuple[str, Any]] = []
    one: Any
    for who, one in contestants.items():
        dropouts = [m for m in one.model.modules() if type(m).__name__.startswith("Dropout")]
        for layer in dropouts:
            layer.eval()
        loss = one.loss_and_gradients()
        for layer in dropouts:
            layer.train()
        found = [("the loss", np.asarray(loss.item()))]
        found += [(path, p.grad.numpy()) for path, p in one.model.named_parameters()]
        if who == FUSED and len(found) != len(expected):
            found = found[:1]  # folded parameters are other parameters
        expected = expected or found
        _require_equal(subject, who, expected, found)


def _compare_scores(subject: TrainSubject, contestants: Contestants) -> None:
    scores = {who: [("the scores", one.infer().numpy())] for who, one in contestants.items()}
    for who, found in scores.items():
        _require_equal(subject, who, scores[OURS], found)


def _require_equal(
    subject: TrainSubject,
    who: str,
    expected: list[tuple[str, Any]],
    found: list[tuple[str, Any]],
) -> None:
    for (path, want), (_, got) in zip(expected, found, strict=False):
        tolerance = _VALUES if path.startswith("the ") else _GRADIENTS
        difference = float(np.linalg.norm(got - want) / np.linalg.norm(want))
        if not difference <= tolerance:
            raise KernelMismatchError(
                f"bench: all contestants compute the same within {tolerance} of its norm; got "
                f"{who!r} off by {difference:.2g} in {path} of {subject}"
            )


class TrainRatio(NamedTuple):
    """How many times as fast, and with how much of the memory, as PyTorch's faster layout."""

    subject: str
    step: str
    who: str
    speed: float
    memory: float


def summarise_train(rows: Sequence[Row]) -> list[TrainRatio]:
    """Compare our rows of :func:`benchmark_train` with PyTorch's; NaN where there is none."""
    ratios = []
    for row in rows:
        if row.is_pytorch:
            continue
        rivals = [r for r in rows if r.key[:3] == row.key[:3] and r.is_pytorch]
        fastest = min(rivals, key=lambda rival: rival.seconds, default=None)
        speed = memory = float("nan")
        if fastest is not None:
            speed = fastest.seconds / row.seconds
            bytes_ = row.facts.get("peak_bytes"), fastest.facts.get("peak_bytes")
            if bytes_[0] and bytes_[1]:
                memory = bytes_[0] / bytes_[1]
        ratios.append(TrainRatio(row.subject, row.step, row.who, speed, memory))
    return ratios
