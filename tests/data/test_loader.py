"""ArrayDataset and DataLoader."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_cnn.data import ArrayDataset, DataLoader, Split, Standardise
from tinygrad_cnn.errors import DataError, DTypeError, OptionError, ShapeError
from tinygrad_cnn.random import manual_seed


def numbered(count, dtype=np.float32):
    """A data set whose images and labels are their own positions."""
    positions = np.arange(count)
    return ArrayDataset(positions.astype(dtype).reshape(count, 1, 1, 1), positions)


def labels_of(loader):
    return [labels.tolist() for _, labels in loader]


@given(
    count=st.integers(0, 40),
    batch_size=st.integers(1, 45),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
)
def test_an_epoch_covers_each_example_once(count, batch_size, shuffle, drop_last):
    generator = np.random.default_rng(count)
    loader = DataLoader(numbered(count), batch_size, shuffle, drop_last, generator=generator)
    batches = list(loader)
    assert len(batches) == len(loader)
    sizes = [len(labels) for _, labels in batches]
    seen = [int(label) for _, labels in batches for label in labels]
    assert len(set(seen)) == len(seen)
    if drop_last:
        assert sizes == [batch_size] * (count // batch_size)
    else:
        assert sorted(seen) == list(range(count))
        assert all(size == batch_size for size in sizes[:-1])
    for images, labels in batches:
        assert images.shape == (len(labels), 1, 1, 1)
        assert images.ravel().tolist() == labels.tolist()


def test_without_shuffling_the_order_is_kept_and_no_number_is_drawn():
    generator = np.random.default_rng(1)
    before = generator.bit_generator.state
    assert labels_of(DataLoader(numbered(5), 2, generator=generator)) == [[0, 1], [2, 3], [4]]
    assert generator.bit_generator.state == before


def test_each_epoch_has_another_order_and_the_same_seed_repeats_them():
    def epochs(seed):
        loader = DataLoader(numbered(20), 6, True, generator=np.random.default_rng(seed))
        return [labels_of(loader) for _ in range(3)]

    first = epochs(3)
    assert first[0] != first[1] != first[2]
    assert epochs(3) == first
    assert epochs(4) != first


def test_the_state_of_the_generator_is_all_that_resuming_needs():
    generator = np.random.default_rng(3)
    loader = DataLoader(numbered(20), 6, shuffle=True, generator=generator)
    labels_of(loader)
    state = generator.bit_generator.state
    second = labels_of(loader)

    resumed = np.random.default_rng()
    resumed.bit_generator.state = state
    assert labels_of(DataLoader(numbered(20), 6, shuffle=True, generator=resumed)) == second


def test_the_order_is_drawn_once_when_the_loop_starts():
    generator = np.random.default_rng(3)
    epoch = iter(DataLoader(numbered(20), 6, shuffle=True, generator=generator))
    after_start = generator.bit_generator.state
    generator.random(5)  # somebody else draws in between
    order = [label for _, labels in epoch for label in labels.tolist()]
    expected = np.random.default_rng(3)
    assert order == expected.permutation(20).tolist()
    assert expected.bit_generator.state == after_start


def test_without_a_generator_the_order_is_that_of_the_package():
    loader = DataLoader(numbered(20), 20, shuffle=True)
    manual_seed(7)
    first = labels_of(loader)
    manual_seed(7)
    assert labels_of(loader) == first
    assert labels_of(loader) != first


@pytest.mark.parametrize(
    ("held", "given"),
    [
        (np.uint8, np.float32),
        (np.int64, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
    ],
)
def test_a_batch_is_float32_unless_the_data_set_is_float64(held, given):
    images, labels = next(iter(DataLoader(numbered(3, held), 3)))
    assert images.dtype == given
    assert images.ravel().tolist() == [0, 1, 2]  # not scaled
    assert labels.dtype == np.int64


def test_changing_a_batch_leaves_the_data_set_as_it_is():
    dataset = numbered(3)
    images, labels = next(iter(DataLoader(dataset, 3)))
    images[:], labels[:] = 9, 9
    assert dataset.images.ravel().tolist() == dataset.labels.tolist() == [0, 1, 2]


LOADER_REFUSALS = [
    ({"batch_size": 0}, "batch_size is a whole number from 1 up; got 0"),
    ({"batch_size": 2.0}, "batch_size is a whole number from 1 up; got 2.0"),
    ({"batch_size": True}, "batch_size is a whole number from 1 up; got True"),
    ({"generator": 3}, r"generator is a numpy.random.Generator or None; got 3. From a seed"),
    ({"dataset": 3}, r"batch\(indices\); got int. Wrap arrays in ArrayDataset"),
    ({"dataset": {0: 1}}, "got dict"),
    ({"dataset": iter([1, 2])}, "got list_iterator"),
    ({"num_workers": -1}, "num_workers is a whole number from 0 up; got -1"),
    ({"prefetch": 1.5}, "prefetch is a whole number from 0 up; got 1.5"),
    ({"seed": -2}, "seed is a whole number from 0 up; got -2"),
    ({"transform": 3}, "transform is a function or None; got 3"),
    ({"collate": "stack"}, "collate is a function or None; got 'stack'"),
    ({"dataset": Split(numbered(1), numbered(1))}, "got Split.* take .train or .test"),
]


@pytest.mark.parametrize(("options", "message"), LOADER_REFUSALS)
def test_the_loader_refuses_what_it_cannot_use(options, message):
    with pytest.raises(OptionError, match=f"DataLoader: .*{message}"):
        DataLoader(**{"dataset": numbered(3), **options})


IMAGES = np.zeros((3, 1, 2, 2), np.float32)
DATASET_REFUSALS = [
    (IMAGES, [0, 1], (), ShapeError, "one label for each image; got 3 images and 2 labels"),
    (IMAGES[:, 0], [0, 1, 2], (), ShapeError, r"got \(3, 2, 2\); add the channel axis"),
    (IMAGES.ravel(), [0] * 12, (), ShapeError, r"shape \(N, C, H, W\), .*; got \(12,\)"),
    (IMAGES, [[0], [1], [2]], (), ShapeError, r"labels have shape \(N,\); got \(3, 1\)"),
    (IMAGES, [0.0, 1.0, 2.0], (), DTypeError, "labels are integers, .*; got float64"),
    (IMAGES.astype(str), [0, 1, 2], (), DTypeError, "images are real numbers; got <U"),
    (IMAGES + 1j, [0, 1, 2], (), DTypeError, "images are real numbers; got complex64"),
    (IMAGES, [0, -1, 2], (), DataError, "from 0 to their number less one; got labels from -1"),
    (IMAGES, [0, 1, 2], "ab", DataError, "from 0 to 1; got labels from 0 to 2"),
]


@pytest.mark.parametrize(("images", "labels", "names", "error", "message"), DATASET_REFUSALS)
def test_the_data_set_refuses_arrays_that_do_not_fit(images, labels, names, error, message):
    with pytest.raises(error, match=f"ArrayDataset: .*{message}"):
        ArrayDataset(images, labels, names)


def test_an_index_gives_an_image_and_a_plain_number():
    image, label = numbered(4)[np.int64(-1)]
    assert image.shape == (1, 1, 1)
    assert (float(image[0, 0, 0]), label, type(label)) == (3.0, 3, int)


@pytest.mark.parametrize("index", [3, -4])
def test_an_index_beyond_the_end_ends_a_loop(index):
    with pytest.raises(IndexError, match=rf"lies in \[-3, 3\); got {index}"):
        numbered(3)[index]
    assert [label for _, label in numbered(3)] == [0, 1, 2]


def test_a_mask_is_refused_where_indices_are_wanted():
    with pytest.raises(DTypeError, match=r"indices are integers; got bool. .*flatnonzero"):
        numbered(3).batch([True, False, True])


def test_an_empty_batch_and_an_empty_data_set_are_possible():
    images, labels = numbered(3).batch([])
    assert images.shape == (0, 1, 1, 1)
    assert labels.dtype == np.int64
    assert labels_of(DataLoader(ArrayDataset(images, []), 2)) == []


def test_a_subset_keeps_names_and_the_record_of_the_standardisation():
    record = Standardise(0.5, 2.0)
    dataset = ArrayDataset(IMAGES, [0, 1, 1], ["left", "right"], record)
    subset = dataset.subset([2, 0])
    assert subset.labels.tolist() == [1, 0]
    split = Split(train=subset, test=dataset)
    assert split.class_names == ("left", "right")
    assert split.standardise is record
    assert repr(subset) == "ArrayDataset(images=(2, 1, 2, 2) float32, labels=(2,), classes=2)"


def test_importing_the_data_package_loads_nothing_heavy():
    heavy = ("pooch", "requests", "numba", "matplotlib", "torch")
    code = f"import sys, tinygrad_cnn.data; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
