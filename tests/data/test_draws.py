"""Random numbers of examples: what they depend on, and whether they are random."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_cnn import kernels
from tinygrad_cnn.data import Draws
from tinygrad_cnn.errors import OptionError

EXAMPLES = 20_000
# Chi-square of `cells` - 1 degrees of freedom: mean cells - 1, deviation √(2 (cells - 1)). Seeds
# are fixed; five deviations would be exceeded by chance once in a million.
FIVE = 5.0


def chi_square_is_usual(counts):
    counts = np.asarray(counts, float).reshape(-1)
    expected = counts.sum() / counts.size
    freedom = counts.size - 1
    statistic = np.square(counts - expected).sum() / expected
    return abs(statistic - freedom) < FIVE * np.sqrt(2 * freedom)


def test_the_test_itself_finds_counts_that_are_uneven_or_too_even():
    assert not chi_square_is_usual([100] * 200)
    assert not chi_square_is_usual([100] * 100 + [140] * 100)


def test_the_first_words_are_those_of_the_known_answers():
    # Random123, known answers of philox4x32 with 7 rounds, counter and key 0
    words = np.empty((1, 4), np.uint32)
    kernels.lookup("random_words").function(0, 0, np.zeros(1, np.int64), words)
    assert [hex(word) for word in words[0]] == [
        "0x5f6fb709",
        "0xd893f64",
        "0x4f121f81",
        "0x4f730a48",
    ]


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_numbers_are_uniform_over_examples_and_within_one(seed):
    over = Draws(seed, 3, np.arange(EXAMPLES)).uniform()
    within = Draws(seed, 3, [7]).uniform(EXAMPLES)[0]
    single = Draws(seed, 3, [7]).uniform(EXAMPLES, dtype=np.float32)[0]
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, within, rtol=0, atol=2.0**-23)
    for numbers in (over, within, single):
        assert 0.0 < numbers.min() <= numbers.max() < 1.0
        assert chi_square_is_usual(np.bincount((numbers * 100).astype(int), minlength=100))
    integers = Draws(seed, 3, np.arange(EXAMPLES)).integers(-4, 5)
    assert chi_square_is_usual(np.bincount(integers + 4, minlength=9))


def pairs():
    """Yield two rows of numbers that must not know of each other."""
    everyone = np.arange(EXAMPLES)
    base = Draws(1, 0, everyone).uniform()
    yield "next example", base, np.roll(base, 1)
    yield "example 2^32 further", base, Draws(1, 0, everyone + 2**32).uniform()
    yield "seed", base, Draws(2, 0, everyone).uniform()
    yield "epoch", base, Draws(1, 1, everyone).uniform()
    yield "seed against epoch", Draws(1, 2, everyone).uniform(), Draws(2, 1, everyone).uniform()
    yield "branch", base, Draws(1, 0, everyone).branch(0).uniform()
    first, second = (Draws(1, 0, everyone).branch(place).uniform() for place in range(2))
    yield "branches", first, second
    inner = Draws(1, 0, everyone).branch(0).branch(1).uniform()
    yield "branch of a branch", inner, Draws(1, 0, everyone).branch(1).branch(0).uniform()
    draws = Draws(1, 0, everyone)
    yield "next call", draws.uniform(), draws.uniform()
    two = Draws(1, 0, everyone).uniform(6)
    yield "next number", two[:, 0].copy(), two[:, 1].copy()
    yield "next counter", two[:, 0].copy(), two[:, 4].copy()


@pytest.mark.parametrize(("first", "second"), [pytest.param(*p[1:], id=p[0]) for p in pairs()])
def test_numbers_know_nothing_of_each_other(first, second):
    cells = (first * 10).astype(int) * 10 + (second * 10).astype(int)
    assert chi_square_is_usual(np.bincount(cells, minlength=100))
    assert abs(np.corrcoef(first, second)[0, 1]) < FIVE / np.sqrt(EXAMPLES)


def test_normal_numbers_have_their_moments_and_tails():
    numbers = Draws(5, 0, np.arange(EXAMPLES)).normal(3)
    assert numbers.shape == (EXAMPLES, 3)
    count = numbers.size
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((numbers**power).mean() - moment) < FIVE * np.sqrt(variance / count)
    beyond = (np.abs(numbers) > 2).mean()
    assert abs(beyond - 0.0455) < FIVE * np.sqrt(0.0455 / count)
    correlation = np.corrcoef(numbers.T) - np.eye(3)
    assert np.abs(correlation).max() < FIVE / np.sqrt(EXAMPLES)


def test_a_chance_happens_as_often_as_it_says():
    for probability in (0.0, 0.1, 0.5, 1.0):
        happened = Draws(2, 0, np.arange(EXAMPLES)).chance(probability).mean()
        deviation = np.sqrt(probability * (1 - probability) / EXAMPLES)
        assert abs(happened - probability) <= FIVE * deviation


@settings(max_examples=40, deadline=None)
@given(
    examples=st.lists(st.integers(0, 2**62), min_size=1, max_size=70),
    seed=st.integers(0, 2**70),
    epoch=st.integers(0, 1000),
)
def test_what_an_example_gets_does_not_depend_on_its_batch(examples, seed, epoch):
    def everything(batch):
        draws = Draws(seed, epoch, batch).branch(3)
        return [
            draws.integers(-7, 9),
            draws.normal(2, 3).reshape(len(batch), -1),
            draws.chance(0.3),
            draws.uniform(5),
        ]

    together = everything(examples)
    for place, example in enumerate(examples):
        for alone, among in zip(everything([example]), together, strict=True):
            assert alone[0].tobytes() == among[place].tobytes()


@pytest.mark.parametrize(("low", "high"), [(3, 3), (4, 3), (0, 2**32 + 1)])
def test_a_range_without_numbers_is_refused(low, high):
    with pytest.raises(OptionError, match=f"Draws.integers: .*; got low {low} and high {high}"):
        Draws(0, 0, [1]).integers(low, high)


def test_the_smallest_and_the_largest_word_lie_inside_of_0_and_1(monkeypatch):
    words = np.array([[0, 2**32 - 1]], np.uint32)
    draws = Draws(0, 0, [0])
    for dtype in (np.float32, np.float64):
        monkeypatch.setattr(draws, "_words", lambda shape: words.copy())
        least, most = draws.uniform(2, dtype=dtype)[0]
        assert 0.0 < least < 1e-6 < 1.0 - 1e-6 < most < 1.0


def test_the_ends_of_a_range_are_reached_and_not_passed():
    integers = Draws(0, 0, np.arange(300)).integers(5, 8)
    assert set(integers.tolist()) == {5, 6, 7}
    assert Draws(0, 0, np.arange(9)).integers(2**31 - 1, 2**31).tolist() == [2**31 - 1] * 9
