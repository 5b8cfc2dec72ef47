"""A data set of a few images and a network of a few weights: enough to see a run go wrong."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.data import ArrayDataset, Split
from tinygrad_cnn.train import Recipe, RunConfiguration, fingerprint


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.hidden = nn.Linear(36, 6)
        self.output = nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        return self.output(self.hidden(self.flatten(x)).sigmoid())


@pytest.fixture
def split() -> Split:
    draw = np.random.default_rng(5)
    images = draw.normal(size=(52, 1, 6, 6)).astype(np.float32)
    labels = draw.integers(0, 3, 52)
    whole = ArrayDataset(images, labels)
    return Split(whole.subset(range(40)), whole.subset(range(40, 52)))


@pytest.fixture
def recipe() -> Recipe:
    return Recipe("adam", lr=0.02, batch_size=8, epochs=3, schedule="cosine", shift=1)


@pytest.fixture
def configuration(recipe: Recipe, split: Split) -> RunConfiguration:
    return RunConfiguration("small", "few", recipe, 7, data_fingerprint=fingerprint(split))


@pytest.fixture
def build() -> Callable[[], Small]:
    def seeded() -> Small:
        tg.manual_seed(7)
        return Small()

    return seeded
