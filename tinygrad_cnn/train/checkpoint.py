"""Checkpoints: one safetensors file from which a run goes on as if it had never stopped.

The arrays are named ``model.<path>`` and ``optimiser.<slot>``; with an average of the weights
``average.<slot>``, with early stopping ``best.<path>``. The header's metadata holds,
as JSON texts, what the run was asked to do, where it stands and the state of the random
generator; and a SHA-256 sum over everything, so that damage is noticed. Nothing in the file
is ever executed.

The checkpoint before the last one is kept: a disk may spoil a file long after it was written.
"""

import dataclasses
import hashlib
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import random
from tinygrad_cnn.atomic import write_atomically
from tinygrad_cnn.errors import CheckpointError, TinygradCnnError
from tinygrad_cnn.nn import Module
from tinygrad_cnn.optim import EMA, Optimiser
from tinygrad_cnn.train.configuration import RunConfiguration
from tinygrad_cnn.train.state import TrainingState
from tinygrad_cnn.train.stopping import BestWeights, settle

__all__ = [
    "Checkpoint",
    "former_of",
    "load_checkpoint",
    "peek_checkpoint",
    "save_checkpoint",
    "take_checkpoint",
]

FORMAT = "tinygrad_cnn checkpoint 2"
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """All that a continued run needs.

    Attributes
    ----------
    configuration : RunConfiguration
    state : TrainingState
    generator_state : dict
        Of the default random generator's bit generator.
    arrays : dict of ndarray
        Weights as ``model.…``, what the optimiser remembers as ``optimiser.…``, and where
        there are such, running averages as ``average.…`` and the best weights as ``best.…``.
    """

    configuration: RunConfiguration
    state: TrainingState
    generator_state: dict[str, Any]
    arrays: Arrays

    def require_model(self, model: str) -> None:
        """Refuse to continue as another network.

        Raises
        ------
        CheckpointError
            If `model` is not the one that was trained.
        """
        if model != self.configuration.model:
            raise CheckpointError(
                f"checkpoint: it holds the network that is asked for; got one of "
                f"{self.configuration.model!r} for {model!r}. Leave the name out to continue "
                f"{self.configuration.model!r}."
            )

    def restore(
        self,
        model: Module,
        optimiser: Optimiser,
        average: EMA | None = None,
        best: BestWeights | None = None,
    ) -> None:
        """Put weights, optimiser and random generator back to where they were.

        Raises
        ------
        CheckpointError, ShapeError
            If the network or the optimiser is another one.
        """
        model.load_state_dict(_under("model.", self.arrays))
        optimiser.load_state_dict(_under("optimiser.", self.arrays))
        if average is not None:
            average.load_state_dict(_under("average.", self.arrays))
        if best is not None:
            best.load_state_dict(_under("best.", self.arrays))
        random.manual_seed(self.configuration.seed)
        random.default_generator().bit_generator.state = self.generator_state

    def load_into(self, model: Module) -> None:
        """Give a network the weights that the run answers with: its best, or their average.

        Raises
        ------
        CheckpointError, ShapeError
            If it is another network.
        """
        model.load_state_dict(_under("model.", self.arrays))
        recipe, average, best = self.configuration.recipe, None, None
        if recipe.average is not None:
            average = EMA(model, recipe.average)
            average.load_state_dict(_under("average.", self.arrays))
        if recipe.patience is not None and self.state.best_epoch:
            best = BestWeights(model)
            best.load_state_dict(_under("best.", self.arrays))
        settle(model, average, best)


def _under(prefix: str, arrays: Arrays) -> Arrays:
    return {n.removeprefix(prefix): array for n, array in arrays.items() if n.startswith(prefix)}


def take_checkpoint(
    configuration: RunConfiguration,
    state: TrainingState,
    model: Module,
    optimiser: Optimiser,
    average: EMA | None = None,
    best: BestWeights | None = None,
) -> Checkpoint:
    """Note where a run stands.

    Parameters
    ----------
    configuration : RunConfiguration
    state : TrainingState
    model, optimiser, average, best
        As they are after ``state.step`` steps of the epoch under way.

    Returns
    -------
    Checkpoint
        With copies of the weights; `state` itself is not copied.
    """
    parts: dict[str, Any] = {
        "model": model,
        "optimiser": optimiser,
        "average": average,
        "best": best,
    }
    arrays = {
        f"{part}.{name}": array
        for part, owner in parts.items()
        if owner is not None
        for name, array in owner.state_dict().items()
    }
    generator_state = dict(random.default_generator().bit_generator.state)
    return Checkpoint(configuration, state, generator_state, arrays)


def former_of(path: Path) -> Path:
    """Return where the checkpoint before the one at `path` is kept.

    Examples
    --------
    >>> former_of(Path("run/checkpoint.safetensors")).as_posix()
    'run/previous-checkpoint.safetensors'
    """
    return path.with_name(f"previous-{path.name}")


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in place of the one before, whole or not at all.

    The one before is kept beside it, see :func:`former_of`.

    Raises
    ------
    RunDirectoryError
        If it cannot be written; the one before is untouched.
    """
    from safetensors.numpy import save

    facts = {
        "configuration": checkpoint.configuration.to_json(),
        "state": dataclasses.asdict(checkpoint.state),
        "generator_state": checkpoint.generator_state,
    }
    metadata = {"format": FORMAT, **{name: json.dumps(value) for name, value in facts.items()}}
    # safetensors writes memory as it lies: only C-contiguous arrays are what they seem.
    arrays = {name: np.asarray(array, order="C") for name, array in checkpoint.arrays.items()}
    metadata["sha256"] = _digest(metadata, arrays)
    write_atomically(path, save(arrays, metadata), former_of(path))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    CheckpointError
        If there is none, or it is damaged, or something else; it says how to go on.
    """
    try:
        return _whole(path)
    except CheckpointError as reason:
        raise CheckpointError(f"{reason} {_remedy(path)}") from reason


def _whole(path: Path) -> Checkpoint:
    metadata, arrays = _read(path)
    if metadata.pop("sha256", None) != _digest(metadata, arrays):
        raise CheckpointError(
            f"checkpoint: the content agrees with its SHA-256 sum; got another sum for {path}. "
            "It is damaged."
        )
    return _checkpoint(path, metadata, arrays)


def _remedy(path: Path) -> str:
    """Say what is left where a checkpoint cannot be used."""
    try:
        state = _whole(former_of(path)).state
    except CheckpointError:
        named = "" if path.exists() else "Name the directory that the run printed, or "
        return f"{named}start a new run.".capitalize()
    place = (
        f"step {state.step} of epoch {state.epoch + 1}" if state.step else f"epoch {state.epoch}"
    )
    return (
        f"The one before it, written after {place}, is whole; go on "
        f"from there with: tinygrad-cnn resume {shlex.quote(str(path.parent))} --previous"
    )


def peek_checkpoint(path: Path) -> Checkpoint:
    """Read what a checkpoint says of its run, without its arrays and without checking the sum.

    Raises
    ------
    CheckpointError
        If there is none, or its beginning is damaged, or something else.
    """
    return _checkpoint(path, *_read(path, arrays=False))


def _checkpoint(path: Path, metadata: dict[str, str], arrays: Arrays) -> Checkpoint:
    try:
        return Checkpoint(
            RunConfiguration.from_json(json.loads(metadata["configuration"])),
            TrainingState.from_json(json.loads(metadata["state"])),
            json.loads(metadata["generator_state"]),
            arrays,
        )
    except (KeyError, TypeError, ValueError, TinygradCnnError) as reason:
        raise CheckpointError(
            f"checkpoint: the metadata says how to continue; got {type(reason).__name__} "
            f"({reason}) in {path}. It was written by another version."
        ) from reason


def _read(path: Path, arrays: bool = True) -> tuple[dict[str, str], Arrays]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise CheckpointError(
            f"checkpoint: a run directory holds {path.name}; got none in {path.parent}."
        )
    try:
        with safe_open(path, framework="numpy") as opened:
            metadata = dict(opened.metadata() or {})
            names = sorted(opened.keys()) if arrays else []
            found = {name: opened.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError, TypeError) as reason:
        raise CheckpointError(
            f"checkpoint: the file is whole safetensors; got {reason} for {path}. It is damaged."
        ) from reason
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"checkpoint: the file's format is {FORMAT!r}; got {metadata.get('format')!r} in "
            f"{path}. It was written by another program or version."
        )
    return metadata, found


def _digest(metadata: dict[str, str], arrays: Arrays) -> str:
    digest = hashlib.sha256()
    for name in sorted(metadata):
        digest.update(f"{name}={metadata[name]}\n".encode())
    for name in sorted(arrays):
        digest.update(f"{name}: {arrays[name].dtype} {arrays[name].shape}\n".encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()
