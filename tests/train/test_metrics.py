"""Counts against loops that say the same in the plainest words."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_cnn.errors import TinygradCnnError
from tinygrad_cnn.train.metrics import confusion_matrix, hits, precision, recall, top_k


def test_top_k_by_hand() -> None:
    scores = [[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.0, 0.0, 9.0]]
    assert [top_k(scores, [1, 2, 2], k) for k in (1, 2, 3)] == [2, 2, 3]
    assert top_k(np.zeros((0, 3)), [], 2) == 0


@pytest.mark.parametrize(("label", "right"), [(0, 1), (1, 2), (2, 3)])
def test_of_equal_scores_the_smaller_class_comes_first(label: int, right: int) -> None:
    assert [top_k([[1.0, 1.0, 1.0]], [label], k) for k in (1, 2, 3)] == [
        int(k >= right) for k in (1, 2, 3)
    ]


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(0, 20))
def test_top_k_against_a_sort(seed: int, classes: int, count: int) -> None:
    draw = np.random.default_rng(seed)
    scores = draw.integers(0, 4, (count, classes))  # many are equal
    labels = draw.integers(0, classes, count)
    for k in range(1, classes + 1):
        best = [sorted(range(classes), key=lambda c: (-row[c], c))[:k] for row in scores]
        assert top_k(scores, labels, k) == sum(y in b for y, b in zip(labels, best, strict=True))
    assert top_k(scores, labels) == np.count_nonzero(scores.argmax(1) == labels)
    among_five = None if classes <= 5 else top_k(scores, labels, 5)
    assert hits(scores, labels) == (top_k(scores, labels), among_five)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 30))
def test_confusion_against_a_loop(seed: int, classes: int, count: int) -> None:
    draw = np.random.default_rng(seed)
    truth, answers = draw.integers(0, classes, (2, count))
    expected = np.zeros((classes, classes), int)
    for row, column in zip(truth, answers, strict=True):
        expected[row, column] += 1
    matrix = confusion_matrix(truth, answers, classes)
    np.testing.assert_array_equal(matrix, expected)
    assert matrix.dtype == np.int64
    for number in range(classes):
        of_class, of_answer = truth == number, answers == number
        both = np.count_nonzero(of_class & of_answer)
        for share, whole in ((recall, of_class.sum()), (precision, of_answer.sum())):
            value = share(matrix)[number]
            assert np.isnan(value) if whole == 0 else value == both / whole


def test_small_integers_do_not_overflow() -> None:
    labels = np.array([99, 99], np.uint8)
    assert confusion_matrix(labels, labels, 100)[99, 99] == 2


REFUSED = [
    (lambda: top_k([1.0], [0]), r"scores have shape \(N, K\); got \(1,\)"),
    (lambda: top_k([[1.0]], [[0]]), r"labels have shape \(N,\); got \(1, 1\)"),
    (lambda: top_k([[1.0]], [0, 0]), r"got 2 labels for 1"),
    (lambda: top_k([[1.0]], [0.5]), r"labels are whole numbers; got float64"),
    (lambda: top_k([[1.0]], [1]), r"from 0 to 0; got numbers from 1 to 1"),
    (lambda: top_k([[1.0, 2.0]], [-1]), r"from 0 to 1; got numbers from -1"),
    (lambda: top_k([[1.0, 2.0]], [1], 3), r"from 1 to the 2 classes; got 3"),
    (lambda: top_k([[1.0, 2.0]], [1], 0), r"from 1 to the 2 classes; got 0"),
    (lambda: top_k([[1.0, 2.0], [0.0, np.nan]], [1, 1]), r"got NaN in row 1"),
    (lambda: hits([[np.nan, 2.0]], [1]), r"hits: scores are numbers; got NaN in row 0"),
    (lambda: hits([[1.0, 2.0]], [2]), r"hits: labels count the classes from 0 to 1"),
    (lambda: confusion_matrix([0], [0], 0), r"at least one class; got 0"),
    (lambda: confusion_matrix([0], [2], 2), r"answers count the classes from 0 to 1"),
    (lambda: confusion_matrix([0, 1], [0], 2), r"got 1 answers for 2 images"),
    (lambda: precision([[1, 2]]), r"shape \(K, K\); got \(1, 2\)"),
    (lambda: recall([1]), r"shape \(K, K\); got \(1,\)"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(TinygradCnnError, match=message):
        call()
