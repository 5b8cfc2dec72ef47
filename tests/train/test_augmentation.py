import json

import numpy as np
import pytest

from tinygrad_cnn.data import Draws
from tinygrad_cnn.train.augmentation import TRANSFORMS, compose, normalised

NEEDED = {"cutout": {"size": 3}}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_is_made_from_what_json_holds(
    name: str, generator: np.random.Generator
) -> None:
    rows = normalised(json.loads(json.dumps([[name, NEEDED.get(name, {})]])))
    transform = compose(rows)
    assert transform is not None
    images = generator.normal(size=(4, 3, 8, 8)).astype(np.float32)
    assert transform(images, Draws(1, 0, [0, 1, 2, 3])).shape == images.shape


def test_a_size_written_down_as_a_list_is_one(generator: np.random.Generator) -> None:
    transform = compose(normalised([["random-crop", {"size": [5, 6]}]]))
    assert transform is not None
    images = generator.normal(size=(2, 1, 8, 8)).astype(np.float32)
    assert transform(images, Draws(1, 0, [0, 1])).shape == (2, 1, 5, 6)


def test_without_rows_there_is_no_transform() -> None:
    assert compose(normalised(())) is None
