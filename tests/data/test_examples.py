"""Data sets made of examples: collated, in parts, put together, and through the loader."""

from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.data import (
    ArrayDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    Subset,
    collate,
    random_split,
)
from tinygrad_cnn.errors import DataError, DTypeError, OptionError, ShapeError

Pair = namedtuple("Pair", "left right")


class Squares(Dataset):
    """As a user writes it: no batch, labels are Python's numbers."""

    def __init__(self, count=7, make=np.float32):
        self.count, self.make = count, make

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return np.full((1, 2, 2), index, self.make), index**2


class WithNumpy:
    """A tensor of another library, as far as it matters."""

    def __init__(self, values):
        self.values = values

    def numpy(self):
        return np.asarray(self.values, np.float32)

    def __repr__(self):  # names the case, alike in all processes
        return f"WithNumpy({self.values})"


COLLATED = [
    ([1, 2], np.array([1, 2], np.int64)),
    ([True, False], np.array([True, False])),
    ([1.5, 2.0], np.array([1.5, 2.0], np.float32)),
    ([np.float64(1.5), np.float64(2)], np.array([1.5, 2.0])),
    ([np.uint8(3)], np.array([3], np.uint8)),
    ([np.arange(3), np.arange(3)], np.array([[0, 1, 2], [0, 1, 2]])),
    ([WithNumpy([1, 2]), WithNumpy([3, 4])], np.array([[1, 2], [3, 4]], np.float32)),
    ([tg.Tensor([1.0]), tg.Tensor([2.0])], np.array([[1.0], [2.0]], np.float32)),
]


@pytest.mark.parametrize(("examples", "wanted"), COLLATED, ids=repr)
def test_parts_are_stacked(examples, wanted):
    batch = collate(examples)
    assert batch.dtype == wanted.dtype
    np.testing.assert_array_equal(batch, wanted)


def test_tuples_lists_and_dictionaries_keep_their_form():
    batch = collate([Pair({"image": np.zeros(2), "name": "a"}, [1, (2.0, 3)])] * 2)
    assert isinstance(batch, Pair)
    assert batch.left["image"].shape == (2, 2)
    assert batch.left["name"] == ["a", "a"]
    numbers, (floats, integers) = batch.right
    assert isinstance(batch.right, list)
    assert (numbers.tolist(), floats.tolist(), integers.tolist()) == ([1, 1], [2.0, 2.0], [3, 3])


def test_no_batch_shares_memory_with_an_example():
    example = np.zeros(3)
    assert not np.shares_memory(collate([example]), example)


COLLATE_REFUSALS = [
    ([np.zeros((1, 2)), np.zeros((1, 3))], ShapeError, r"\(1, 2\) of example 5 and \(1, 3\) of"),
    ([(1, 2), (1, 2, 3)], ShapeError, "got 2 of example 5 and 3 of example 8"),
    ([{"a": 1}, {"b": 1}], ShapeError, r"got \['a'\] of example 5 and \['b'\] of example 8"),
    ([(1, 2), 3], DTypeError, "got tuple for example 5 and int for example 8"),
    ([1, (2, 3)], DTypeError, "tuples of these; got tuple in example 8"),
    ([1, None], DTypeError, "got NoneType in example 8. Let the data set turn it into an array"),
    ([np.array("x"), np.array("y")], DTypeError, "arrays are of numbers; got <U1 in example 5"),
]


@pytest.mark.parametrize(("examples", "error", "message"), COLLATE_REFUSALS)
def test_examples_that_make_no_batch_are_refused_by_name(examples, error, message):
    with pytest.raises(error, match=f"collate: .*{message}"):
        collate(examples, [5, 8])


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_loader_names_the_two_examples_of_uneven_shapes(num_workers):
    class Uneven(Squares):
        def __getitem__(self, index):
            return np.zeros((1, 2, 3 if index == 4 else 2)), index

    loader = DataLoader(Uneven(), 3, num_workers=num_workers)
    with pytest.raises(ShapeError, match=r"\(1, 2, 2\) of example 3 and \(1, 2, 3\) of example 4"):
        list(loader)


@pytest.mark.parametrize(
    ("held", "given"),
    [(np.uint8, np.float32), (np.float32, np.float32), (np.float64, np.float64)],
)
def test_a_batch_of_single_examples_is_of_the_types_that_array_data_sets_give(held, given):
    (images, labels), *rest = DataLoader(Squares(make=held), 3)
    assert (images.shape, images.dtype) == ((3, 1, 2, 2), given)
    assert (labels.tolist(), labels.dtype) == ([0, 1, 4], np.int64)
    assert [labels.tolist() for _, labels in rest] == [[9, 16, 25], [36]]


def test_a_list_of_pairs_is_a_data_set_and_collate_may_be_ones_own():
    pairs = [(np.zeros(2), "cat"), (np.ones(3), "dog")]
    (batch,) = DataLoader(pairs, 2, collate=lambda examples: [name for _, name in examples])
    assert batch == ["cat", "dog"]
    ((images, names),) = DataLoader([(np.zeros(2), "cat")], 2)
    assert (images.shape, names) == ((1, 2), ["cat"])


def test_ones_own_collate_is_given_examples_even_where_a_data_set_has_batches():
    (batch,) = DataLoader(ArrayDataset(np.ones((2, 3)), [4, 5]), 2, collate=list)
    assert [label for _, label in batch] == [4, 5]


def test_examples_that_are_no_pairs_make_a_batch_and_are_transformed():
    batches = DataLoader([np.ones(2), np.ones(2)], 2, transform=lambda images, draws: images + 1)
    assert [batch.tolist() for batch in batches] == [[[2.0, 2.0], [2.0, 2.0]]]
    with pytest.raises(OptionError, match=r"transform is for arrays of images, .*; got dict"):
        list(DataLoader([{"a": 1}], transform=lambda images, draws: images))


def test_a_data_set_has_to_say_how_many_and_what():
    class Half(Dataset):
        def __len__(self):
            return 3

    with pytest.raises(TypeError, match="__getitem__"):
        Half()


ARRAYS = ArrayDataset(np.arange(7.0).reshape(7, 1, 1, 1), np.arange(7) ** 2)


@pytest.mark.parametrize("dataset", [ARRAYS, Squares()], ids=["batch", "single"])
def test_a_subset_has_its_examples_in_its_order(dataset):
    subset = Subset(dataset, [5, 0, 0, -1])
    assert len(subset) == 4
    assert [subset[k][1] for k in range(4)] == [25, 0, 0, 36]
    assert subset[-1][1] == 36
    assert [label for _, label in subset] == [25, 0, 0, 36]
    images, labels = next(iter(DataLoader(subset, 3)))
    assert labels.tolist() == [25, 0, 0]
    assert images[:, 0, 0, 0].tolist() == [5, 0, 0]
    inner = Subset(subset, [3, 0])
    assert [labels.tolist() for _, labels in DataLoader(inner, 2)] == [[36, 25]]
    assert len(Subset(dataset, [])) == 0


def test_what_fails_in_a_subset_is_called_by_its_place_there_and_by_its_own():
    class Broken(Squares):
        def __getitem__(self, index):
            raise OSError("no disk")

    places = r"got example 0, of the data set inside it example 6, which raised OSError: no disk$"
    with pytest.raises(DataError, match=places):
        list(DataLoader(Subset(Broken(), [6, 5])))


def test_where_each_example_alone_can_be_read_the_batch_is_named():
    class Together(Squares):
        def batch(self, indices):
            if len(indices) > 1:
                raise MemoryError("too many")
            return np.zeros((len(indices), 1)), indices

    with pytest.raises(DataError, match=r"batch of examples \[0, 1, 2\], which raised MemoryError"):
        list(DataLoader(Together(), 3))


def test_data_sets_stand_one_after_the_other():
    both = ConcatDataset([Squares(2), ArrayDataset(np.zeros((0, 1)), []), ARRAYS])
    assert len(both) == 9
    assert [both[k][1] for k in range(9)] == [0, 1, 0, 1, 4, 9, 16, 25, 36]
    assert both[-1][1] == 36
    with pytest.raises(IndexError, match=r"lies in \[-9, 9\); got 9"):
        both[9]


@given(counts=st.lists(st.integers(0, 9), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_a_split_deals_out_every_example_once(counts, seed):
    dataset = Squares(sum(counts))
    parts = random_split(dataset, counts, np.random.default_rng(seed))
    assert [len(part) for part in parts] == counts
    dealt = np.concatenate([part.indices for part in parts])
    np.testing.assert_array_equal(np.sort(dealt), np.arange(len(dataset)))
    again = random_split(dataset, counts, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.concatenate([part.indices for part in again]), dealt)


@pytest.mark.parametrize(
    ("count", "shares", "counts"),
    [
        (10, [0.75, 0.25], [8, 2]),
        (11, [0.5, 0.3, 0.2], [6, 3, 2]),
        (7, [1.0], [7]),
        (0, [0.5, 0.5], [0, 0]),
        (5, [0.0, 1.0], [0, 5]),
    ],
)
def test_shares_are_rounded_down_and_the_first_get_what_is_left(count, shares, counts):
    assert [len(part) for part in random_split(Squares(count), shares)] == counts


@pytest.mark.parity
@pytest.mark.parametrize("count", [10, 11, 99])
@pytest.mark.parametrize("shares", [[0.9, 0.1], [0.34, 0.33, 0.33], [0.2] * 5])
def test_shares_are_those_of_pytorch(count, shares):
    from torch.utils.data import random_split as theirs

    wanted = [len(part) for part in theirs(range(count), shares)]
    assert [len(part) for part in random_split(range(count), shares)] == wanted


def test_the_package_generator_splits_where_none_is_given():
    def dealt():
        tg.manual_seed(4)
        return random_split(Squares(), [3, 4])[0].indices.tolist()

    assert dealt() == dealt()


REFUSALS = [
    (lambda: Subset(ARRAYS, [7]), OptionError, r"Subset: an index lies in \[-7, 7\); got 7"),
    (lambda: Subset(ARRAYS, [1.0]), DTypeError, "Subset: indices are integers .* float64"),
    (lambda: Subset(ARRAYS, [[1]]), DTypeError, r"Subset: .* of shape \(1, 1\)"),
    (lambda: ConcatDataset([]), OptionError, "ConcatDataset: there is at least one"),
    (lambda: random_split(ARRAYS, [3, 3]), OptionError, r"the 7 examples.*got \[3, 3\], in all 6"),
    (lambda: random_split(ARRAYS, [8, -1]), OptionError, r"got \[8, -1\], in all 7"),
    (lambda: random_split(ARRAYS, [0.5, 0.4]), OptionError, r"got \[0.5, 0.4\], in all 0.9"),
    (lambda: random_split(ARRAYS, [1.5, -0.5]), OptionError, "in all 1"),
    (lambda: random_split(ARRAYS, []), OptionError, r"got \[\], in all 0"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSALS)
def test_parts_that_do_not_fit_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
