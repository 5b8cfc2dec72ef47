"""The output layer of radial basis functions: its codes, and what it makes of them."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.nn.rbf import digit_bitmaps


def test_the_pictures_are_seven_pixels_wide_and_twelve_high() -> None:
    pictures = digit_bitmaps()
    assert pictures.shape == (10, 12, 7)
    assert set(np.unique(pictures)) == {-1.0, 1.0}


def test_the_pictures_lie_far_apart() -> None:
    """Each pair differs in enough pixels for F6 to be wrong about some of them."""
    codes = digit_bitmaps().reshape(10, -1)
    differing = [np.sum(a != b) for k, a in enumerate(codes) for b in codes[:k]]
    assert min(differing) >= 8


def test_every_row_and_column_of_the_field_is_used() -> None:
    ink = (digit_bitmaps() > 0).any(0)
    assert ink.any(0).all()
    assert ink.any(1).all()


def test_a_picture_with_some_wrong_pixels_is_still_its_digit() -> None:
    layer = nn.RBFOutput(84)
    noisy = layer.codes.copy()
    noisy[:, ::28] *= -1.0  # three pixels of each
    scores = layer(tg.Tensor(noisy))
    assert scores.argmax(1).tolist() == list(range(10))
    assert np.diag(scores.numpy()) == pytest.approx(-3 * 2.0**2)


def test_codes_for_other_numbers_of_classes_are_drawn_and_differ() -> None:
    tg.manual_seed(3)
    first = nn.RBFOutput(84, 26).codes
    tg.manual_seed(3)
    assert np.array_equal(first, nn.RBFOutput(84, 26).codes)
    assert len({code.tobytes() for code in first}) == 26
    assert set(np.unique(first)) == {-1.0, 1.0}
    assert len({code.tobytes() for code in nn.RBFOutput(2, 4).codes}) == 4


def test_codes_are_saved_and_not_trained() -> None:
    layer, other = nn.RBFOutput(5, 3), nn.RBFOutput(5, 3)
    assert list(layer.state_dict()) == ["codes"]
    assert list(layer.parameters()) == []
    other.load_state_dict(layer.state_dict())
    assert np.array_equal(layer.codes, other.codes)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((2, 5), "2 features have 4 different codes; got 5 classes"),
        ((0, 10), "in_features"),
        ((84, 0), "num_classes"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[int, int], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        nn.RBFOutput(*arguments)
