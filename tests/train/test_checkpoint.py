import dataclasses
import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.data import Split
from tinygrad_cnn.errors import CheckpointError, RunDirectoryError
from tinygrad_cnn.nn import Module
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.train import (
    Checkpoint,
    Recipe,
    RunConfiguration,
    fit,
    load_checkpoint,
    save_checkpoint,
    take_checkpoint,
)
from tinygrad_cnn.train.checkpoint import former_of

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


@pytest.fixture
def checkpoint(
    build: Callable[[], Module], split: Split, recipe: Recipe, configuration: RunConfiguration
) -> Checkpoint:
    model = build()
    optimiser = recipe.make_optimiser(model.parameters())
    state = fit(model, optimiser, *split, recipe)
    return take_checkpoint(configuration, state, model, optimiser)


@pytest.fixture
def path(tmp_path: Path, checkpoint: Checkpoint) -> Path:
    save_checkpoint(tmp_path / "checkpoint.safetensors", checkpoint)
    return tmp_path / "checkpoint.safetensors"


def test_what_is_written_comes_back(path: Path, checkpoint: Checkpoint) -> None:
    found = load_checkpoint(path)
    assert found.configuration == checkpoint.configuration
    assert found.state == checkpoint.state
    assert found.generator_state == checkpoint.generator_state
    assert found.arrays.keys() == checkpoint.arrays.keys()
    for name, array in checkpoint.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array, strict=True)


def test_any_reader_of_safetensors_finds_the_weights(path: Path, checkpoint: Checkpoint) -> None:
    numpy_reader = pytest.importorskip("safetensors.numpy")
    arrays = numpy_reader.load_file(path)
    np.testing.assert_array_equal(
        arrays["model.hidden.weight"], checkpoint.arrays["model.hidden.weight"]
    )


def test_restore_puts_everything_back(
    path: Path, checkpoint: Checkpoint, build: Callable[[], Module], recipe: Recipe
) -> None:
    model = build()
    optimiser = recipe.make_optimiser(model.parameters())
    tg.manual_seed(3)
    load_checkpoint(path).restore(model, optimiser)
    assert default_generator().bit_generator.state == checkpoint.generator_state
    assert optimiser.steps == 15
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, checkpoint.arrays[f"model.{name}"], strict=True)


def test_no_byte_can_be_changed_unseen(path: Path) -> None:
    whole = path.read_bytes()
    places = np.random.default_rng(1).integers(0, len(whole), 60)
    for place in (0, 8, len(whole) - 1, *places.tolist()):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"checkpoint: .*Start a new run\.$"):
            load_checkpoint(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_a_truncated_file_is_refused(path: Path, share: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r"whole safetensors; .* It is damaged"):
        load_checkpoint(path)


def test_a_file_of_somebody_else_is_refused(path: Path) -> None:
    numpy_writer = pytest.importorskip("safetensors.numpy")
    path.write_bytes(numpy_writer.save({"weight": np.zeros(3, np.float32)}))
    with pytest.raises(CheckpointError, match=r"format is 'tinygrad_cnn checkpoint 2'; got None"):
        load_checkpoint(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds checkpoint.safetensors; got none in"):
        load_checkpoint(tmp_path / "nowhere" / "checkpoint.safetensors")


def test_another_model_is_refused(checkpoint: Checkpoint, recipe: Recipe) -> None:
    checkpoint.require_model("small")
    with pytest.raises(CheckpointError, match=r"got one of 'small' for 'lenet5'"):
        checkpoint.require_model("lenet5")
    other = nn.Linear(3, 2)
    before = other.state_dict()
    with pytest.raises(CheckpointError, match="exactly what the module does"):
        checkpoint.restore(other, recipe.make_optimiser(other.parameters()))
    np.testing.assert_array_equal(before["weight"], other.state_dict()["weight"])


REFUSALS = [(errno.ENOSPC, "No space left on device"), (errno.EACCES, "Permission denied")]


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
@pytest.mark.parametrize(("number", "told"), REFUSALS)
def test_a_full_disk_or_a_closed_folder_leaves_the_checkpoint_before(
    call: str,
    number: int,
    told: str,
    path: Path,
    checkpoint: Checkpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = path.read_bytes()

    def full(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    if call == "write":
        monkeypatch.setattr(Path, "open", full)
    elif call == "replace":
        monkeypatch.setattr(Path, "replace", full)
    else:
        monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunDirectoryError, match=rf"{told}\. Make room"):
        save_checkpoint(path, checkpoint)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
    load_checkpoint(path)


def marked(checkpoint: Checkpoint, step: int) -> Checkpoint:
    return dataclasses.replace(checkpoint, state=dataclasses.replace(checkpoint.state, step=step))


def steps_on_disk(path: Path) -> list[int]:
    return [load_checkpoint(each).state.step for each in (path, former_of(path))]


@pytest.mark.parametrize("second_names", [True, False], ids=["links", "copies"])
def test_the_checkpoint_before_the_last_one_is_kept(
    second_names: bool, path: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not second_names:
        monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    for step in (1, 2, 3):
        save_checkpoint(path, marked(checkpoint, step))
    assert steps_on_disk(path) == [3, 2]
    assert sorted(os.listdir(path.parent)) == sorted([path.name, former_of(path).name])


KILLED_BEFORE = [("fsync", 1), ("link", 1), ("replace", 1), ("replace", 2), ("fsync", 2)]


@pytest.mark.parametrize(("call", "times"), KILLED_BEFORE)
def test_a_kill_between_any_two_calls_leaves_a_checkpoint_and_one_before(
    call: str, times: int, path: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child is ended without warning before the call; its leftovers are then in the way."""
    for step in (1, 2):
        save_checkpoint(path, marked(checkpoint, step))
    script = textwrap.dedent(f"""
        import os, sys
        from pathlib import Path
        from tinygrad_cnn.train import load_checkpoint, save_checkpoint
        owner, calls = (Path if {call!r} == "replace" else os), 0
        plain = getattr(owner, {call!r})
        def killed(*arguments):
            global calls
            calls += 1
            if calls == {times}:
                os._exit(9)
            return plain(*arguments)
        checkpoint = load_checkpoint(Path(sys.argv[1]))
        checkpoint.state.step = 3
        os.getpid = lambda: 4711  # as in a container, where the next process has this number too
        setattr(owner, {call!r}, killed)
        save_checkpoint(Path(sys.argv[1]), checkpoint)
    """)
    done = subprocess.run([sys.executable, "-c", script, str(path)], env=ENVIRONMENT, check=False)
    assert done.returncode == 9
    last = 3 if (call, times) == ("fsync", 2) else 2
    assert steps_on_disk(path) in ([last, last - 1], [2, 2])
    monkeypatch.setattr(os, "getpid", lambda: 4711)
    save_checkpoint(path, marked(checkpoint, 4))
    assert steps_on_disk(path) == [4, last]


@pytest.mark.parametrize("call", ["link", "replace"])
def test_a_former_one_that_cannot_be_kept_leaves_both_as_they_were(
    call: str, path: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (1, 2):
        save_checkpoint(path, marked(checkpoint, step))
    monkeypatch.setattr(os, "link", refuse(errno.ENOSPC)) if call == "link" else None
    monkeypatch.setattr(Path, "replace", refuse(errno.ENOSPC))
    with pytest.raises(RunDirectoryError, match=r"No space left on device\. Make room"):
        save_checkpoint(path, marked(checkpoint, 3))
    monkeypatch.undo()
    assert steps_on_disk(path) == [2, 1]
    assert len(os.listdir(path.parent)) == 2


def refuse(number: int) -> Callable[..., None]:
    def refusing(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    return refusing


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "bit flipped": lambda content: content[:-9] + bytes([content[-9] ^ 4]) + content[-8:],
    "truncated": lambda content: content[:-100],
    "empty": lambda content: b"",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_named_with_the_way_to_go_on(
    damage: Callable[[bytes], bytes], path: Path, checkpoint: Checkpoint
) -> None:
    for step in (4, 5):
        save_checkpoint(path, marked(checkpoint, step))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError) as told:
        load_checkpoint(path)
    words = str(told.value)
    assert str(path) in words
    assert words.endswith(
        "The one before it, written after step 4 of epoch 4, is whole; go on from there with: "
        f"tinygrad-cnn resume {path.parent} --previous"
    )
    former_of(path).write_bytes(damage(former_of(path).read_bytes()))
    with pytest.raises(CheckpointError, match=r"Start a new run\.$"):
        load_checkpoint(path)
