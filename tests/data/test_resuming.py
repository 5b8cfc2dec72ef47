"""Going on in the middle of an epoch."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_cnn.data import ArrayDataset, Compose, DataLoader, RandomCrop, RandomFlip
from tinygrad_cnn.errors import CheckpointError
from tinygrad_cnn.random import manual_seed

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 3, 6, 5)).astype(np.uint8)
DATASET = ArrayDataset(IMAGES, np.arange(23))
TRANSFORM = Compose([RandomCrop(padding=2), RandomFlip()])


def loader_of(generator, **options):
    return DataLoader(
        DATASET, 4, **{"shuffle": True, "transform": TRANSFORM, "generator": generator, **options}
    )


def bits(batches):
    return [(images.tobytes(), labels.tolist()) for images, labels in batches]


@settings(max_examples=30, deadline=None)
@given(
    stop=st.integers(0, 17),
    workers=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    shuffle=st.booleans(),
    kind=st.sampled_from(["PCG64", "MT19937", "Philox", "SFC64", "PCG64DXSM"]),
)
def test_a_resumed_run_gets_the_same_bits(stop, workers, shuffle, kind):
    def generator():
        return np.random.Generator(getattr(np.random, kind)(5))

    def three_epochs(loader, first=0):
        return itertools.chain.from_iterable(loader for _ in range(first, 3))

    whole = bits(three_epochs(loader_of(generator(), shuffle=shuffle, seed=7)))
    own = generator()
    loader = loader_of(own, shuffle=shuffle, seed=7, num_workers=workers[0])
    before = bits(itertools.islice(three_epochs(loader), stop))
    state = json.loads(json.dumps(loader.state()))
    live = own.bit_generator.state  # as a checkpoint keeps it
    del loader

    restored = np.random.Generator(getattr(np.random, kind)())
    restored.bit_generator.state = live
    resumed = loader_of(restored, shuffle=shuffle, num_workers=workers[1])
    resumed.load_state(state)
    assert resumed.state() == state
    assert before + bits(three_epochs(resumed, state["epoch"])) == whole


def test_a_state_counts_what_the_loop_got_and_not_what_threads_made():
    loader = loader_of(np.random.default_rng(1), num_workers=3, prefetch=4)
    for done, _ in enumerate(loader, start=1):
        assert loader.state()["step"] == done
        assert loader.state()["epoch"] == 0
    assert (loader.state()["epoch"], loader.state()["step"]) == (1, 0)


def test_to_resume_draws_nothing_from_the_generator():
    generator = np.random.default_rng(1)
    loader = loader_of(generator)
    next(iter(loader))
    state, drawn = loader.state(), generator.bit_generator.state
    loader.load_state(state)
    list(loader)
    assert generator.bit_generator.state == drawn


def test_a_loop_that_was_broken_off_is_followed_by_the_next_epoch():
    loader = loader_of(np.random.default_rng(1))
    next(iter(loader))
    next(iter(loader))
    assert (loader.state()["epoch"], loader.state()["step"]) == (1, 1)


def test_pictures_follow_the_seed_of_the_package_where_the_loader_has_none():
    def epoch(seed):
        manual_seed(seed)
        loader = loader_of(np.random.default_rng(0))
        assert loader.state()["seed"] == seed
        return bits(loader)

    assert epoch(3) == epoch(3) != epoch(4)
    loader = loader_of(np.random.default_rng(0), seed=1)
    assert bits(loader) != bits(loader)  # each epoch has its own


STATE = loader_of(np.random.default_rng(0), seed=1).state()
REFUSED = [
    ({}, "examples is as in the loader, 23; got None"),
    ({**STATE, "examples": 24}, "examples is as in the loader, 23; got 24"),
    ({**STATE, "batch_size": 5}, "batch_size is as in the loader, 4; got 5"),
    ({**STATE, "step": 7}, r"step at most 6; got epoch, step and seed \[0, 7, 1\]"),
    ({**STATE, "epoch": -1}, r"whole numbers from 0 up.*got .*\[-1, 0, 1\]"),
    ({**STATE, "seed": None}, r"got .*\[0, 0, None\]"),
    ({**STATE, "step": 2}, "shuffle is as it was; got a state without an order, and shuffle=True"),
    ({**STATE, "order": {"bit_generator": "system"}}, "order is the state of one of .*got system"),
    ({**STATE, "order": [1]}, "order is the state of one of MT19937, PCG64.*got None"),
    ({**STATE, "order": {"bit_generator": "PCG64"}}, "order is the state of a PCG64; got one"),
    (
        {**STATE, "order": {"bit_generator": "PCG64", "state": {"state": "x", "inc": 1}}},
        "order is the state of a PCG64; got one that it refuses",
    ),
]


@pytest.mark.parametrize(("state", "message"), REFUSED)
def test_a_state_that_does_not_fit_is_refused(state, message):
    loader = loader_of(np.random.default_rng(0), seed=1)
    with pytest.raises(CheckpointError, match=f"DataLoader.load_state: .*{message}"):
        loader.load_state(state)
    assert loader.state() == STATE
