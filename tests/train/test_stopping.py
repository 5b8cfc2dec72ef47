import numpy as np
import pytest

from tinygrad_cnn.data import ArrayDataset, Split
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.train import hold_out


@pytest.mark.parametrize(("share", "count"), [(0.1, 4), (0.11, 5), (0.5, 20), (0.001, 1)])
def test_every_image_is_either_learnt_or_held_out(share: float, count: int) -> None:
    dataset = ArrayDataset(np.arange(40.0).reshape(40, 1), np.arange(40) % 3)
    learnt, held_out = hold_out(dataset, share, seed=3)
    assert held_out is not None
    assert len(held_out) == count
    together = np.concatenate([learnt.images, held_out.images]).ravel()
    np.testing.assert_array_equal(np.sort(together), np.arange(40.0))
    np.testing.assert_array_equal(held_out.labels, held_out.images.ravel().astype(int) % 3)


def test_the_seed_decides_and_the_default_generator_does_not(split: Split) -> None:
    before = default_generator().bit_generator.state
    first, again, other = (hold_out(split.train, 0.5, seed)[0].images for seed in (1, 1, 2))
    assert default_generator().bit_generator.state == before
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_without_a_share_all_is_learnt(split: Split) -> None:
    assert hold_out(split.train, 0.0, seed=0) == (split.train, None)


def test_something_is_left_to_learn_from(split: Split) -> None:
    with pytest.raises(OptionError, match=r"left to learn from; got a share of 0.99 of 40"):
        hold_out(split.train, 0.99, seed=0)
